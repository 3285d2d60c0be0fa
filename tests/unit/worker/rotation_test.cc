// A worker and the coordinator's statement key that changes while it is a member.
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "ledger/note.h"
#include "tests/unit/worker/fake_coordinator.h"
#include "tests/unit/worker/test_support.h"
#include "worker/core/task_check.h"
#include "worker/federation_file.h"
#include "worker/head_keeper.h"
#include "worker/receipt_list.h"

namespace carnet::worker {
namespace {

// What a handover of the log's key names, and what both keys sign.
struct NoteKeyText {
  NoteKeyText(const TestFederation& federation, const crypto::Ed25519KeyPair& fresh)
      : vkey(ledger::NoteKey{"digits.acme.example/log", fresh.public_key()}.Vkey()),
        handover(absl::StrCat("carnet/key-rotated/v1\nlog\ndigits.acme.example/log\n",
                              Base64Encode(federation.log.pair().public_key()), "\n",
                              Base64Encode(fresh.public_key()), "\n")) {}
  std::string vkey;
  std::string handover;
};

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

// The log's key hands over to `fresh`.
v1::KeyRotated LogHandover(TestFederation& federation, const crypto::Ed25519KeyPair& fresh) {
  const NoteKeyText names(federation, fresh);
  v1::KeyRotated rotated;
  *rotated.mutable_common() = federation.Common();
  rotated.set_kind("log");
  rotated.set_key_id("k-bbbbbbbbbbbbbbbb");
  rotated.set_old_public_key(ToString(federation.log.pair().public_key()));
  rotated.set_new_public_key(ToString(fresh.public_key()));
  rotated.set_log_vkey(names.vkey);
  rotated.set_new_key_signature(ToString(fresh.Sign(AsBytes(names.handover))));
  rotated.set_old_key_signature(ToString(federation.log.pair().Sign(AsBytes(names.handover))));
  return rotated;
}

// The record of it, after which `fresh` signs heads.
std::uint64_t RotateLog(TestFederation& federation, crypto::Ed25519KeyPair fresh) {
  const v1::KeyRotated rotated = LogHandover(federation, fresh);
  const std::uint64_t index = federation.AppendBy(federation.coordinator_key, rotated);
  federation.log.UseKey(std::move(fresh));
  return index;
}

TEST_CASE("Rotation: a worker that was away follows the log to a key that alone signs") {
  TestFederation federation;
  TestDirectory directory;
  const StateDir state = StateDir::Open(directory.path()).value();
  const auto founding = federation.log.key();
  const std::string first = federation.log.Head();
  FakeCoordinator coordinator(federation);
  v1::NextTaskResponse response;
  {
    const auto keeper = HeadKeeper::Open(state, founding, first);
    REQUIRE(keeper.ok());
    const std::uint64_t index =
        RotateLog(federation, crypto::Ed25519KeyPair::Generate(federation.rng));
    const auto turn = HeadKeeper::Turn::ForPoll(**keeper);
    const std::string head = federation.log.Head();
    CHECK(absl::IsUnauthenticated((*keeper)->Advance(head, {}, coordinator, turn).status()));
    // A statement's rotation, or a handover from another key, changes nothing.
    v1::NextTaskResponse other;
    *other.add_rotations() = federation.log.Prove(0, federation.log.size());
    REQUIRE((*keeper)->FollowLog(other.rotations(), head).ok());
    CHECK(absl::IsUnauthenticated((*keeper)->Advance(head, {}, coordinator, turn).status()));
    *response.add_rotations() = federation.log.Prove(index, federation.log.size());
    REQUIRE((*keeper)->FollowLog(response.rotations(), head).ok());
    CHECK((*keeper)->Advance(head, {}, coordinator, turn).ok());
    CHECK((*keeper)->TakePublished(head, coordinator, turn).ok());
  }
  // A restart knows the key that it followed, and reads the head that only that key signed.
  const auto again = HeadKeeper::Open(state, founding, first);
  INFO(again.status());
  REQUIRE(again.ok());
  CHECK((*again)->Note() == federation.log.Head());
  REQUIRE((*again)->FollowLog(response.rotations(), federation.log.Head()).ok());
  const std::string record = response.rotations(0).record().SerializeAsString();
  CHECK(ToString(ReadFile(state.log_keys(), 1 << 16).value()) ==
        absl::StrCat(federation.log.vkey(), " ", Base64Encode(AsBytes(record)), "\n"));
  REQUIRE((*again)->Handovers().size() == 1);
  CHECK((*again)->Handovers()[0].SerializeAsString() == record);
}

TEST_CASE("Rotation: a key whose handover is in no log is not followed, by member or newcomer") {
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{99}}) {
    CAPTURE(index);
    TestFederation federation;
    Identity identity = federation.MakeIdentity();
    TestDirectory directory;
    const StateDir state = StateDir::Open(directory.path()).value();
    const crypto::Ed25519KeyPair thief = crypto::Ed25519KeyPair::Generate(federation.rng);
    // The old key signed it: whoever stole that key can do so at any time.
    v1::ProvenRecord unlogged = federation.log.Prove(0, federation.log.size());
    *unlogged.mutable_record() =
        federation.Sign(LogHandover(federation, thief), federation.coordinator_key);
    unlogged.mutable_proof()->set_index(index);

    v1::EnrollResponse answer = federation.Answer();
    *answer.add_rotations() = unlogged;
    CHECK(absl::IsUnauthenticated(
        EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow()).status()));

    const auto keeper = HeadKeeper::Open(state, federation.log.key(), federation.log.Head());
    REQUIRE(keeper.ok());
    v1::NextTaskResponse response;
    *response.add_rotations() = unlogged;
    CHECK(
        absl::IsUnauthenticated((*keeper)->FollowLog(response.rotations(), federation.log.Head())));
    CHECK_FALSE(std::filesystem::exists(state.log_keys()));
    federation.log.UseKey(*crypto::Ed25519KeyPair::FromSeed(thief.seed()));
    CHECK(
        absl::IsUnauthenticated((*keeper)->FollowLog(response.rotations(), federation.log.Head())));
    FakeCoordinator coordinator(federation);
    const auto turn = HeadKeeper::Turn::ForPoll(**keeper);
    CHECK(absl::IsUnauthenticated(
        (*keeper)->Advance(federation.log.Head(), {}, coordinator, turn).status()));
    CHECK(absl::IsUnauthenticated(
        FollowRotations(response.rotations(), federation.log.tree_head(), &*identity.keys)));
  }
}

TEST_CASE("Rotation: receipts are listed when the new key alone signs the published head") {
  for (const bool enrolled_after : {false, true}) {
    CAPTURE(enrolled_after);
    TestFederation federation;
    TestDirectory directory;
    const StateDir state = StateDir::Open(directory.path()).value();
    const std::string json = FederationJson(federation.facts).value();
    REQUIRE(WriteFileAtomic(state.federation(), AsBytes(json)).ok());
    const auto founding = federation.log.key();
    const std::string first = federation.log.Head();
    const std::uint64_t index =
        RotateLog(federation, crypto::Ed25519KeyPair::Generate(federation.rng));
    const std::string head = federation.log.Head();
    v1::EnrollResponse answer;
    *answer.add_rotations() = federation.log.Prove(index, federation.log.size());
    if (enrolled_after) {
      REQUIRE(WriteFileAtomic(state.enrolment(), AsBytes(answer.SerializeAsString())).ok());
    } else {
      const auto keeper = HeadKeeper::Open(state, founding, first);
      REQUIRE(keeper.ok());
      REQUIRE((*keeper)->FollowLog(answer.rotations(), head).ok());
    }
    REQUIRE(WriteFileAtomic(state.published(), AsBytes(head)).ok());
    const auto list = ListReceipts(directory.path());
    INFO(list.status());
    REQUIRE(list.ok());
    CHECK(list->published_size == federation.log.size());
  }
}

TEST_CASE("Rotation: a token that names the old log key or the new one makes a member") {
  for (const bool newest : {false, true}) {
    TestFederation federation;
    const std::uint64_t index =
        RotateLog(federation, crypto::Ed25519KeyPair::Generate(federation.rng));
    if (newest) {
      federation.facts.log_vkey = federation.log.vkey();
    }
    v1::EnrollResponse answer = federation.Answer();
    // Without the handover nothing leads from the old key to the head, or from genesis to the new.
    CHECK(absl::IsUnauthenticated(
        EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow()).status()));
    *answer.add_rotations() = federation.log.Prove(index, federation.log.size());
    const auto identity =
        EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow());
    INFO(identity.status());
    REQUIRE(identity.ok());
    CHECK(ledger::verifier::VerifyHead(federation.log.Head(), identity->log).ok());
  }
}

TEST_CASE("Rotation: a token with a key that the log never had makes no member") {
  TestFederation federation;
  const crypto::Ed25519KeyPair stranger = crypto::Ed25519KeyPair::Generate(federation.rng);
  federation.facts.log_vkey =
      ledger::NoteKey{"digits.acme.example/log", stranger.public_key()}.Vkey();
  federation.log.UseKey(*crypto::Ed25519KeyPair::FromSeed(stranger.seed()));
  CHECK(absl::IsUnauthenticated(
      EstablishIdentity(federation.facts, federation.PublicKeys(), federation.Answer(), TestNow())
          .status()));
}

}  // namespace
}  // namespace carnet::worker
