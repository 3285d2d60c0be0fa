// A worker and the coordinator's statement key that changes while it is a member.
#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/worker/test_support.h"
#include "worker/core/task_check.h"

namespace carnet::worker {
namespace {

// The record of a rotation to a new key, with which the federation signs from then on.
std::uint64_t Rotate(TestFederation& federation) {
  crypto::Ed25519KeyPair fresh = crypto::Ed25519KeyPair::Generate(federation.rng);
  v1::KeyRotated rotated;
  *rotated.mutable_common() = federation.Common();
  rotated.set_kind("statement");
  rotated.set_key_id("k-aaaaaaaaaaaaaaaa");
  rotated.set_old_public_key(ToString(federation.coordinator_key.public_key()));
  rotated.set_new_public_key(ToString(fresh.public_key()));
  const std::string text =
      absl::StrCat("carnet/key-rotated/v1\nstatement\ndigits.acme.example/log\n",
                   Base64Encode(federation.coordinator_key.public_key()), "\n",
                   Base64Encode(fresh.public_key()), "\n");
  rotated.set_new_key_signature(ToString(fresh.Sign(AsBytes(text))));
  const std::uint64_t index = federation.AppendBy(federation.coordinator_key, rotated);
  federation.coordinator_key = std::move(fresh);
  return index;
}

bool Allowed(const TestFederation& federation, const v1::Task& task, const Identity& identity) {
  return std::holds_alternative<CheckedTask>(
      CheckTask(task, identity, federation.log.tree_head(), federation.MakeSite(), TestNow()));
}

TEST_CASE("Rotation: a task by the new key is taken once its handover was followed") {
  TestFederation federation;
  Identity identity = federation.MakeIdentity();
  const std::uint64_t index = Rotate(federation);
  const v1::Task task = federation.MakeTask();
  CHECK_FALSE(Allowed(federation, task, identity));
  v1::NextTaskResponse response;
  *response.add_rotations() = federation.log.Prove(index, federation.log.size());
  REQUIRE(FollowRotations(response.rotations(), federation.log.tree_head(), &*identity.keys).ok());
  CHECK(Allowed(federation, task, identity));
  CHECK(identity.keys->rotations() == 1);
  // The same one again changes nothing.
  CHECK(FollowRotations(response.rotations(), federation.log.tree_head(), &*identity.keys).ok());
  CHECK(identity.keys->rotations() == 1);
}

TEST_CASE("Rotation: a task by the old key after its handover is refused") {
  TestFederation federation;
  Identity identity = federation.MakeIdentity();
  const crypto::Ed25519KeyPair old_key =
      *crypto::Ed25519KeyPair::FromSeed(federation.coordinator_key.seed());
  const std::uint64_t index = Rotate(federation);
  federation.coordinator_key = *crypto::Ed25519KeyPair::FromSeed(old_key.seed());
  const v1::Task task = federation.MakeTask();
  v1::NextTaskResponse response;
  *response.add_rotations() = federation.log.Prove(index, federation.log.size());
  REQUIRE(FollowRotations(response.rotations(), federation.log.tree_head(), &*identity.keys).ok());
  CHECK_FALSE(Allowed(federation, task, identity));
}

TEST_CASE("Rotation: a record that is not proven under the head is not followed") {
  TestFederation federation;
  Identity identity = federation.MakeIdentity();
  const std::uint64_t index = Rotate(federation);
  v1::NextTaskResponse response;
  *response.add_rotations() = federation.log.Prove(index, federation.log.size());
  ledger::verifier::TreeHead other = federation.log.tree_head();
  other.root[0] ^= 1;
  CHECK(absl::IsUnauthenticated(FollowRotations(response.rotations(), other, &*identity.keys)));
  CHECK(identity.keys->rotations() == 0);
}

TEST_CASE("Rotation: who enrols after one gets every handover with the answer") {
  TestFederation federation;
  const std::uint64_t index = Rotate(federation);
  v1::EnrollResponse answer = federation.Answer();
  *answer.add_rotations() = federation.log.Prove(index, federation.log.size());
  const auto identity =
      EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow());
  REQUIRE(identity.ok());
  CHECK(AsText(identity->keys->StatementKeyAt(index + 1)) ==
        AsText(federation.coordinator_key.public_key()));
  CHECK(Allowed(federation, federation.MakeTask(), *identity));
}

}  // namespace
}  // namespace carnet::worker
