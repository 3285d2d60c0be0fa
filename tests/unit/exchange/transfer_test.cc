#include "exchange/transfer.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

constexpr absl::Duration kStart = absl::Seconds(100);

TransferSpec Spec(std::uint64_t size_bytes) {
  TransferSpec spec;
  spec.id[0] = 7;
  spec.size_bytes = size_bytes;
  spec.sha256 = Digest{};
  return spec;
}

ReceiverState Receiver(std::uint64_t size_bytes, std::uint64_t durable_bytes = 0) {
  auto state = ReceiverState::Create(Spec(size_bytes), durable_bytes, kStart);
  REQUIRE(state.ok());
  return *state;
}

TEST_CASE("Transfer: sizes out of bounds are refused") {
  CHECK_FALSE(CheckSpec(Spec(0)).ok());
  CHECK_FALSE(CheckSpec(Spec(kTransferBytesMax + 1)).ok());
  CHECK(CheckSpec(Spec(kTransferBytesMax)).ok());
  CHECK_FALSE(ReceiverState::Create(Spec(10), 11, kStart).ok());
}

TEST_CASE("Transfer: a receiver takes only the next chunk, never past the announced size") {
  ReceiverState state = Receiver(10);
  CHECK(state.OnChunk(0, 0).code() == absl::StatusCode::kInvalidArgument);
  CHECK(state.OnChunk(0, kChunkBytesMax + 1).code() == absl::StatusCode::kInvalidArgument);
  CHECK(state.OnChunk(1, 4).code() == absl::StatusCode::kOutOfRange);
  CHECK(state.OnChunk(0, 11).code() == absl::StatusCode::kOutOfRange);
  REQUIRE(state.OnChunk(0, 4).ok());
  state.OnWritten(4);
  CHECK(state.OnChunk(0, 4).code() == absl::StatusCode::kOutOfRange);
  REQUIRE(state.OnChunk(4, 6).ok());
  state.OnWritten(6);
  CHECK(state.OnChunk(10, 1).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Transfer: another size or digest under the same id is refused") {
  const ReceiverState state = Receiver(10);
  CHECK(state.OnReopen(Spec(10)).ok());
  CHECK(state.OnReopen(Spec(11)).code() == absl::StatusCode::kAlreadyExists);
  TransferSpec other = Spec(10);
  other.sha256 = Digest{1};
  CHECK(state.OnReopen(other).code() == absl::StatusCode::kAlreadyExists);
}

TEST_CASE("Transfer: bytes are made durable every 16 MiB, after a second, and at the end") {
  ReceiverState state = Receiver(kAcknowledgeBytes * 2);
  CHECK_FALSE(state.SyncDue(kStart + absl::Hours(1)));
  state.OnWritten(kAcknowledgeBytes - 1);
  CHECK_FALSE(state.SyncDue(kStart + kAcknowledgeAfter - absl::Nanoseconds(1)));
  CHECK(state.SyncDue(kStart + kAcknowledgeAfter));
  state.OnWritten(1);
  CHECK(state.SyncDue(kStart));
  CHECK(state.OnSynced(kStart) == Acknowledgement{kAcknowledgeBytes, false});
  CHECK_FALSE(state.SyncDue(kStart));
  state.OnWritten(kAcknowledgeBytes);
  CHECK(state.SyncDue(kStart));
}

TEST_CASE("Transfer: it is complete only with the announced digest") {
  ReceiverState state = Receiver(4);
  state.OnWritten(4);
  CHECK(state.OnSynced(kStart) == Acknowledgement{4, false});
  CHECK(state.OnVerified(Digest{9}).status().code() == absl::StatusCode::kDataLoss);
  CHECK_FALSE(state.complete());
  const auto done = state.OnVerified(Digest{});
  REQUIRE(done.ok());
  CHECK(*done == Acknowledgement{4, true});
  CHECK(state.OnChunk(4, 1).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Transfer: a sender sends nothing before the receiver answered, then chunks in order") {
  auto sender = SenderState::Create(Spec(kChunkBytesMax * 2 + 5));
  REQUIRE(sender.ok());
  CHECK_FALSE(sender->Next().has_value());
  CHECK(sender->OnAcknowledged({0, false}).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(sender->OnStart({3, false}).ok());
  CHECK(sender->OnStart({3, false}).code() == absl::StatusCode::kFailedPrecondition);
  std::vector<Range> sent;
  while (const auto range = sender->Next()) {
    sent.push_back(*range);
    sender->OnSent(*range);
  }
  CHECK(sent == std::vector<Range>{{3, kChunkBytesMax},
                                   {3 + kChunkBytesMax, kChunkBytesMax},
                                   {3 + 2 * kChunkBytesMax, 2}});
  CHECK(sender->all_sent());
  CHECK_FALSE(sender->complete());
}

TEST_CASE("Transfer: a sender refuses acknowledgements that cannot be") {
  auto sender = SenderState::Create(Spec(10));
  REQUIRE(sender.ok());
  CHECK(sender->OnStart({11, false}).code() == absl::StatusCode::kOutOfRange);
  CHECK(sender->OnStart({9, true}).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(sender->OnStart({4, false}).ok());
  CHECK(sender->OnAcknowledged({5, false}).code() == absl::StatusCode::kOutOfRange);
  sender->OnSent(*sender->Next());
  CHECK(sender->OnAcknowledged({3, false}).code() == absl::StatusCode::kOutOfRange);
  CHECK(sender->OnAcknowledged({8, true}).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(sender->OnAcknowledged({10, false}).ok());
  CHECK(sender->OnAcknowledged({10, true}).ok());
  CHECK(sender->complete());
  CHECK(sender->OnAcknowledged({10, true}).code() == absl::StatusCode::kFailedPrecondition);
}

// Runs one connection from `receiver`'s durable offset until `break_after` bytes crossed, then cuts
// it.
void RunConnection(const Bytes& file, std::uint64_t break_after, Bytes& spool,
                   ReceiverState& receiver) {
  auto sender = SenderState::Create(receiver.spec());
  REQUIRE(sender.ok());
  REQUIRE(sender->OnStart({receiver.durable_bytes(), receiver.complete()}).ok());
  std::uint64_t crossed = 0;
  while (const auto range = sender->Next()) {
    if (crossed + range->size_bytes > break_after) {
      return;
    }
    crossed += range->size_bytes;
    REQUIRE(receiver.OnChunk(range->offset, range->size_bytes).ok());
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(range->offset), range->size_bytes,
                spool.begin() + static_cast<std::ptrdiff_t>(range->offset));
    receiver.OnWritten(range->size_bytes);
    sender->OnSent(*range);
    if (receiver.SyncDue(kStart)) {
      const Acknowledgement synced = receiver.OnSynced(kStart);
      REQUIRE(sender->OnAcknowledged(synced).ok());
    }
  }
  const auto done = receiver.OnVerified(Digest{});
  REQUIRE(done.ok());
  REQUIRE(sender->OnAcknowledged(*done).ok());
  CHECK(sender->complete());
}

TEST_CASE("Transfer: it goes on behind the durable offset wherever it broke, with the same bytes") {
  const Bytes file = Pattern(kAcknowledgeBytes + 3 * kChunkBytesMax + 17);
  const auto break_chunks = GENERATE(0, 1, 5, 15, 16, 17, 18, 19, 20);
  CAPTURE(break_chunks);
  Bytes spool(file.size());
  ReceiverState first = Receiver(file.size());
  RunConnection(file, static_cast<std::uint64_t>(break_chunks) * kChunkBytesMax, spool, first);
  if (!first.complete()) {
    // The process died: only what was durable is there.
    ReceiverState second = Receiver(file.size(), first.durable_bytes());
    RunConnection(file, ~std::uint64_t{0}, spool, second);
    CHECK(second.complete());
  }
  CHECK(spool == file);
}

}  // namespace
}  // namespace carnet::exchange
