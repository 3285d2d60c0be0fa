#include "exchange/spool.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

constexpr absl::Duration kNow = absl::Seconds(5);

TransferSpec SpecOf(const Bytes& file) {
  TransferSpec spec;
  spec.id = crypto::Sha256(AsBytes("header"));
  spec.size_bytes = file.size();
  spec.sha256 = crypto::Sha256(file);
  return spec;
}

void WriteAll(const Bytes& file, ReceiveSpool& spool) {
  while (!spool.state().whole()) {
    const std::size_t offset = static_cast<std::size_t>(spool.state().received_bytes());
    const std::size_t take = std::min(kChunkBytesMax, file.size() - offset);
    REQUIRE(spool.Write(offset, ByteView(file).subspan(offset, take)).ok());
  }
}

TEST_CASE("Spool: a whole transfer is complete, and opening it again says so at once") {
  const TestDirectory directory;
  const Bytes file = Pattern(kChunkBytesMax + 100);
  {
    auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
    REQUIRE(spool.ok());
    WriteAll(file, *spool);
    const auto acknowledged = spool->Acknowledge(kNow);
    REQUIRE(acknowledged.ok());
    CHECK(*acknowledged == Acknowledgement{file.size(), true});
    CHECK(spool->sha256() == crypto::Sha256(file));
  }
  const auto again = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
  REQUIRE(again.ok());
  CHECK(again->state().complete());
  CHECK(ListSpools(directory.path()).value() == std::vector<Digest>{SpecOf(file).id});
}

TEST_CASE("Spool: nothing is acknowledged before it is due") {
  const TestDirectory directory;
  const Bytes file = Pattern(1000);
  auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
  REQUIRE(spool.ok());
  REQUIRE(spool->Write(0, ByteView(file).first(10)).ok());
  CHECK(spool->Acknowledge(kNow).value() == std::nullopt);
  CHECK(spool->Acknowledge(kNow + kAcknowledgeAfter).value() == Acknowledgement{10, false});
  CHECK(spool->Flush(kNow).value() == Acknowledgement{10, false});
}

TEST_CASE("Spool: after a crash at any offset it goes on behind what is there") {
  const Bytes file = Pattern(3000);
  const auto there = GENERATE(0, 1, 1499, 2999, 3000);
  CAPTURE(there);
  const TestDirectory directory;
  {
    auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
    REQUIRE(spool.ok());
    if (there > 0) {
      REQUIRE(spool->Write(0, ByteView(file).first(static_cast<std::size_t>(there))).ok());
    }
  }
  auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
  REQUIRE(spool.ok());
  CHECK(spool->state().durable_bytes() == static_cast<std::uint64_t>(there));
  WriteAll(file, *spool);
  CHECK(spool->Flush(kNow).value() == Acknowledgement{file.size(), true});
}

TEST_CASE("Spool: bytes that a crash damaged show in the digest, and the spool goes") {
  const TestDirectory directory;
  const Bytes file = Pattern(3000);
  Bytes damaged(file.begin(), file.begin() + 1000);
  damaged[500] ^= 1;
  {
    auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
    REQUIRE(spool.ok());
    REQUIRE(spool->Write(0, damaged).ok());
  }
  {
    auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
    REQUIRE(spool.ok());
    WriteAll(file, *spool);
    CHECK(spool->Flush(kNow).status().code() == absl::StatusCode::kDataLoss);
  }
  CHECK(ListSpools(directory.path()).value().empty());
  auto fresh = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
  REQUIRE(fresh.ok());
  CHECK(fresh->state().received_bytes() == 0);
}

TEST_CASE("Spool: a whole file with another digest is dropped when opened") {
  const TestDirectory directory;
  const Bytes file = Pattern(100);
  Bytes other = file;
  other[0] ^= 1;
  {
    auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
    REQUIRE(spool.ok());
    REQUIRE(spool->Write(0, other).ok());
  }
  CHECK(ReceiveSpool::Open(directory.path(), SpecOf(file), kNow).status().code() ==
        absl::StatusCode::kDataLoss);
  CHECK(ReceiveSpool::Open(directory.path(), SpecOf(file), kNow).ok());
}

TEST_CASE("Spool: bytes beyond the size are cut off") {
  const TestDirectory directory;
  const Bytes file = Pattern(100);
  {
    auto longer = SpoolFile::Open(SpoolPath(directory.path(), SpecOf(file).id));
    REQUIRE(longer.ok());
    REQUIRE(longer->WriteAt(0, file).ok());
    REQUIRE(longer->WriteAt(100, file).ok());
  }
  const auto spool = ReceiveSpool::Open(directory.path(), SpecOf(file), kNow);
  REQUIRE(spool.ok());
  CHECK(spool->state().complete());
}

TEST_CASE("Spool: another size or digest under the same id is refused, after a restart too") {
  const TestDirectory directory;
  const Bytes file = Pattern(100);
  REQUIRE(ReceiveSpool::Open(directory.path(), SpecOf(file), kNow).ok());
  TransferSpec other = SpecOf(file);
  other.sha256 = Digest{};
  CHECK(ReceiveSpool::Open(directory.path(), other, kNow).status().code() ==
        absl::StatusCode::kAlreadyExists);
  other = SpecOf(file);
  other.size_bytes = 99;
  CHECK(ReceiveSpool::Open(directory.path(), other, kNow).status().code() ==
        absl::StatusCode::kAlreadyExists);
}

TEST_CASE("Spool: a transfer that does not fit on the disk is refused and leaves nothing") {
  const TestDirectory directory;
  TransferSpec spec;
  spec.size_bytes = kTransferBytesMax;
  spec.sha256 = Digest{};
  CHECK(ReceiveSpool::Open(directory.path(), spec, kNow).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("Spool: dropping is idempotent, and other files are left alone") {
  const TestDirectory directory;
  const Bytes file = Pattern(100);
  REQUIRE(WriteFileAtomic(directory.path() / "note.spec", AsBytes("x")).ok());
  REQUIRE(ReceiveSpool::Open(directory.path(), SpecOf(file), kNow).ok());
  CHECK(DropSpool(directory.path(), SpecOf(file).id).ok());
  CHECK(DropSpool(directory.path(), SpecOf(file).id).ok());
  CHECK(ListSpools(directory.path()).value().empty());
  CHECK(std::filesystem::exists(directory.path() / "note.spec"));
}

TEST_CASE("Spool: a sender's file has the size that was announced") {
  const TestDirectory directory;
  const Bytes file = Pattern(100);
  const auto path = directory.path() / "sealed";
  REQUIRE(WriteFileAtomic(path, file).ok());
  CHECK(SendFile::Open(path, 99).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(SendFile::Open(directory.path(), 100).status().code() != absl::StatusCode::kOk);
  CHECK(SendFile::Open(directory.path() / "none", 1).status().code() ==
        absl::StatusCode::kNotFound);
  const auto sender = SendFile::Open(path, 100);
  REQUIRE(sender.ok());
  Bytes part(10);
  REQUIRE(sender->ReadAt(90, part).ok());
  CHECK(std::equal(part.begin(), part.end(), file.begin() + 90));
  CHECK(sender->ReadAt(91, part).code() == absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace carnet::exchange
