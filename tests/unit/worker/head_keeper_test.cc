#include "worker/head_keeper.h"

#include <catch2/catch.hpp>
#include <thread>

#include "base/files.h"
#include "tests/unit/worker/fake_coordinator.h"
#include "tests/unit/worker/test_support.h"
#include "worker/federation_file.h"
#include "worker/receipt_list.h"

namespace carnet::worker {
namespace {

v1::SignedRecord SomeRecord(TestFederation& federation) {
  v1::UserEnrolled user;
  *user.mutable_common() = federation.Common();
  user.set_user_id("u-cccccccccccccccc");
  user.set_public_key(ToString(federation.user_key.public_key()));
  return federation.Sign(user, federation.coordinator_key);
}

struct Keeper {
  Keeper() : state(StateDir::Open(directory.path()).value()), coordinator(federation) {
    first = federation.log.Head();
  }
  std::unique_ptr<HeadKeeper> Open() {
    auto keeper = HeadKeeper::Open(state, federation.log.key(), first);
    REQUIRE(keeper.ok());
    return *std::move(keeper);
  }
  TestDirectory directory;
  TestFederation federation;
  StateDir state;
  FakeCoordinator coordinator;
  std::string first;
};

TEST_CASE(
    "Heads: an extension is kept on disk before it is used, with a proof fetched if none came") {
  Keeper k;
  auto keeper = k.Open();
  const std::uint64_t before = k.federation.log.size();
  k.federation.log.Append(SomeRecord(k.federation));
  {
    const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
    const auto head = keeper->Advance(k.federation.log.Head(), {}, k.coordinator, turn);
    REQUIRE(head.ok());
    CHECK(head->size == before + 1);
  }
  CHECK(k.coordinator.consistency_calls == 1);
  CHECK(ToString(ReadFile(k.state.head(), 1 << 14).value()) == k.federation.log.Head());
  CHECK(keeper->Seen().size() == before + 1);
  CHECK(k.Open()->Seen().size() == before + 1);
}

TEST_CASE(
    "Heads: a smaller head, and another root at the same size, stop the worker with evidence") {
  for (const bool smaller : {true, false}) {
    Keeper k;
    k.federation.log.Append(SomeRecord(k.federation));
    k.first = k.federation.log.Head();
    auto keeper = k.Open();
    TestLog other = k.federation.log;
    other.Tamper(2);
    const std::string note = smaller ? k.federation.log.Head(1) : other.Head();
    const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
    CHECK(keeper->Advance(note, {}, k.coordinator, turn).status().code() ==
          absl::StatusCode::kDataLoss);
    const auto evidence = k.state.ForkEvidence();
    REQUIRE(evidence.has_value());
    const std::string text = ToString(ReadFile(*evidence, 1 << 20).value());
    CHECK(text.find(k.first) != std::string::npos);
    CHECK(text.find(note) != std::string::npos);
    CHECK(ledger::verifier::VerifyForkEvidence(text, k.federation.log.key()).ok());
    // Nothing of this log is believed any more, not even what was good.
    CHECK(keeper->Advance(k.first, {}, k.coordinator, turn).status().code() ==
          absl::StatusCode::kDataLoss);
    CHECK(HeadKeeper::Open(k.state, k.federation.log.key(), k.first).status().code() ==
          absl::StatusCode::kDataLoss);
  }
}

TEST_CASE("Heads: a note that is not the log's changes nothing") {
  Keeper k;
  auto keeper = k.Open();
  const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
  CHECK(keeper->Advance("no head", {}, k.coordinator, turn).status().code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK(keeper->Note() == k.first);
  CHECK_FALSE(k.state.ForkEvidence().has_value());
}

TEST_CASE("Heads: a checked receipt is kept with its record") {
  Keeper k;
  auto keeper = k.Open();
  const v1::SignedRecord record = SomeRecord(k.federation);
  const std::uint64_t index = k.federation.log.Append(record);
  v1::Receipt receipt;
  *receipt.mutable_proof() = k.federation.log.Prove(index, k.federation.log.size()).proof();
  receipt.set_head(k.federation.log.Head());
  {
    const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
    REQUIRE(keeper->KeepReceipt(record, receipt, k.coordinator, turn).ok());
  }
  const std::string stem = std::to_string(index);
  CHECK(std::filesystem::exists(k.state.receipts() / (stem + ".tlog-proof")));
  CHECK(std::filesystem::exists(k.state.receipts() / (stem + ".dsse.json")));
  CHECK(keeper->Seen().size() == k.federation.log.size());
}

TEST_CASE("Heads: a receipt is pending until a published head covers it, also after a restart") {
  Keeper k;
  auto keeper = k.Open();
  CHECK(keeper->PublishedSize() == 0);
  const std::uint64_t before = k.federation.log.size();
  k.federation.log.Append(SomeRecord(k.federation));
  {
    const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
    REQUIRE(keeper->Advance(k.federation.log.Head(), {}, k.coordinator, turn).ok());
    CHECK(keeper->TakePublished("", k.coordinator, turn).ok());
    CHECK(keeper->PublishedSize() == 0);
    REQUIRE(keeper->TakePublished(k.federation.log.Head(before), k.coordinator, turn).ok());
    CHECK(keeper->PublishedSize() == before);
    REQUIRE(keeper->TakePublished(k.federation.log.Head(), k.coordinator, turn).ok());
    // An older one comes late: nothing changes.
    CHECK(keeper->TakePublished(k.federation.log.Head(before), k.coordinator, turn).ok());
    CHECK(keeper->PublishedSize() == before + 1);
    CHECK(keeper->TakePublished("no note", k.coordinator, turn).code() ==
          absl::StatusCode::kUnauthenticated);
  }
  CHECK(k.Open()->PublishedSize() == before + 1);
}

TEST_CASE("Heads: people see which receipts are pending") {
  Keeper k;
  const absl::StatusOr<std::string> federation = FederationJson(k.federation.facts);
  REQUIRE(federation.ok());
  REQUIRE(WriteFileAtomic(k.state.federation(), AsBytes(*federation)).ok());
  auto keeper = k.Open();
  CHECK(ListReceipts(k.state.root() / "nowhere").status().code() == absl::StatusCode::kNotFound);
  const v1::SignedRecord record = SomeRecord(k.federation);
  const std::uint64_t index = k.federation.log.Append(record);
  v1::Receipt receipt;
  *receipt.mutable_proof() = k.federation.log.Prove(index, k.federation.log.size()).proof();
  receipt.set_head(k.federation.log.Head());
  const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
  REQUIRE(keeper->KeepReceipt(record, receipt, k.coordinator, turn).ok());
  auto list = ListReceipts(k.state.root());
  REQUIRE(list.ok());
  REQUIRE(list->receipts.size() == 1);
  CHECK(list->published_size == 0);
  CHECK(list->receipts[0].index == index);
  CHECK(list->receipts[0].pending);
  CHECK(std::filesystem::exists(list->receipts[0].record));
  REQUIRE(keeper->TakePublished(k.federation.log.Head(), k.coordinator, turn).ok());
  list = ListReceipts(k.state.root());
  REQUIRE(list.ok());
  CHECK(list->published_size == index + 1);
  CHECK_FALSE(list->receipts[0].pending);
}

TEST_CASE("Heads: a published head that contradicts the newest one is a fork") {
  Keeper k;
  k.federation.log.Append(SomeRecord(k.federation));
  k.first = k.federation.log.Head();
  auto keeper = k.Open();
  TestLog other = k.federation.log;
  other.Tamper(2);
  const auto turn = HeadKeeper::Turn::ForPoll(*keeper);
  CHECK(IsFork(keeper->TakePublished(other.Head(), k.coordinator, turn)));
  CHECK(k.state.ForkEvidence().has_value());
}

TEST_CASE("Heads: a call that brings a head gets its turn at once, and the poll waits for it") {
  Keeper k;
  auto keeper = k.Open();
  std::optional<HeadKeeper::Turn> poll(HeadKeeper::Turn::ForPoll(*keeper));
  std::thread submitter([&] {
    const auto turn = HeadKeeper::Turn::Now(*keeper, k.coordinator);
    static_cast<void>(turn);
  });
  k.coordinator.WaitForCancel();
  poll.reset();
  submitter.join();
  const auto again = HeadKeeper::Turn::ForPoll(*keeper);
  CHECK(k.coordinator.cancels() == 1);
}

}  // namespace
}  // namespace carnet::worker
