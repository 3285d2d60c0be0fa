#include <catch2/catch.hpp>

#include "coordinator/core/live_uses.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

EnrollWorker Request(const Bytes& token, const std::string& slot) {
  EnrollWorker enroll;
  enroll.token_sha256 = token;
  enroll.spiffe_id = "spiffe://test.acme.example/region/fr/supplier/gaul/worker/" + slot;
  enroll.tls_spki_sha256 = Bytes(32, 1);
  enroll.statement_public_key = Bytes(32, 2);
  enroll.wrapping_public_key = Bytes(32, 3);
  return enroll;
}

TEST_CASE(
    "Enrolment: a token works once, and the same keys get the same answer again, others are "
    "refused") {
  World world(31);
  const Bytes token(32, 9);
  REQUIRE(
      world.Do(InviteWorker{kOperator, token, "fr", "fr-2", world.now() + absl::Hours(1)}).ok());
  const auto first = world.Do(Request(token, "fr-2"));
  REQUIRE(first.ok());
  const auto again = world.Do(Request(token, "fr-2"));
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  EnrollWorker other = Request(token, "fr-2");
  other.tls_spki_sha256 = Bytes(32, 7);
  CHECK(world.Do(other).status().code() == absl::StatusCode::kAlreadyExists);
}

TEST_CASE(
    "Enrolment: unknown and expired tokens, and another name than the invited one, are refused "
    "without a record") {
  World world(32);
  const std::uint64_t before = world.state().size;
  CHECK(world.Do(Request(Bytes(32, 8), "fr-2")).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.state().size == before);
  const Bytes token(32, 9);
  REQUIRE(
      world.Do(InviteWorker{kOperator, token, "fr", "fr-2", world.now() + absl::Hours(1)}).ok());
  CHECK(world.Do(Request(token, "fr-3")).status().code() == absl::StatusCode::kPermissionDenied);
  world.Advance(absl::Hours(2));
  CHECK(world.Do(Request(token, "fr-2")).status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(world.Find("worker-enrolled").size() == 5);
}

TEST_CASE("Enrolment: a slot has one live worker") {
  World world(33);
  const Bytes token(32, 9);
  REQUIRE(
      world.Do(InviteWorker{kOperator, token, "fr", "fr-1", world.now() + absl::Hours(1)}).ok());
  CHECK(world.Do(Request(token, "fr-1")).status().code() == absl::StatusCode::kAlreadyExists);
  REQUIRE(world.Do(RevokeWorker{kOperator, "fr-1", "operator"}).ok());
  CHECK(world.Do(Request(token, "fr-1")).ok());
}

TEST_CASE("Enrolment: keys that two processes used let nobody in, a new invitation does") {
  World world(36);
  const std::string old_id = world.worker("fr-1").id;
  const auto revoked = world.Do(RevokeWorker{"", old_id, kTwoLiveUses});
  REQUIRE(revoked.ok());
  CHECK(world.At<v1::WorkerRevoked>(*revoked->answer_index).reason() == "two-live-uses");
  // It is decided once, whoever asks again.
  CHECK(world.Do(RevokeWorker{"", old_id, kTwoLiveUses}).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(world.Do(ClaimShards{old_id, {}}).status().code() == absl::StatusCode::kPermissionDenied);
  const Bytes token(32, 9);
  REQUIRE(
      world.Do(InviteWorker{kOperator, token, "fr", "fr-1", world.now() + absl::Hours(1)}).ok());
  const auto enrolled = world.Do(Request(token, "fr-1"));
  REQUIRE(enrolled.ok());
  const std::string new_id = world.At<v1::WorkerEnrolled>(*enrolled->answer_index).worker_id();
  CHECK(new_id != old_id);
  CHECK(world.state().workers.at(old_id).revoked);
  CHECK_FALSE(world.state().workers.at(new_id).revoked);
}

TEST_CASE("Enrolment: roles decide who may invite, revoke, vouch and stage") {
  World world(34);
  const std::string nobody = "u-bbbbbbbbbbbbbbbb";
  CHECK(world.Do(InviteWorker{nobody, Bytes(32, 9), "fr", "fr-2", world.now()}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Do(RevokeWorker{nobody, "fr-1", "operator"}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Do(StageData{nobody, "digits", "fr", "sg-1", {}}).status().code() ==
        absl::StatusCode::kPermissionDenied);
}

TEST_CASE("Enrolment: a lease that has ended revokes the worker") {
  World world(35);
  world.Advance(absl::Hours(24 * 31));
  world.Settle();
  CHECK(world.Find("worker-revoked").size() == 5);
  for (const auto& [id, worker] : world.state().workers) {
    CHECK(worker.revoked);
  }
}

TEST_CASE("Commands: the same request id gets the first answer and no second record") {
  World world(36);
  const std::string request(16, 'r');
  const auto first = world.Do(
      InviteWorker{kOperator, Bytes(32, 5), "fr", "fr-9", world.now() + absl::Hours(1)}, request);
  REQUIRE(first.ok());
  const std::uint64_t size = world.state().size;
  const auto again = world.Do(
      InviteWorker{kOperator, Bytes(32, 6), "fr", "fr-8", world.now() + absl::Hours(1)}, request);
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(world.state().size == size);
}

}  // namespace
}  // namespace carnet::coordinator
