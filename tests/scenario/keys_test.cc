// The coordinator's own keys and the vault: given records, when a command, then records.
#include "coordinator/core/keys.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/retention.h"
#include "crypto/ed25519.h"
#include "ledger/note.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

RotateKey Rotation(World& world, const std::string& old_key, const std::string& new_key,
                   const std::string& key_id) {
  RotateKey command;
  command.user_id = kOperator;
  command.rotated.set_kind(kStatementKind);
  command.rotated.set_key_id(key_id);
  command.rotated.set_old_public_key(old_key);
  command.rotated.set_new_public_key(new_key);
  command.rotated.set_new_key_signature(ToString(world.Random(64)));
  return command;
}

EraseValue Erasure(World& world) {
  EraseValue command;
  command.user_id = kOperator;
  command.index = world.state().users.at(kOperator).index;
  command.leaf_sha256 = world.Random(32);
  command.field = kErasableName;
  command.vault_id = kOperator;
  command.reason = v1::ERASURE_REASON_SUBJECT_REQUEST;
  return command;
}

TEST_CASE("Keys: a rotation names both keys and orders the old one's destruction") {
  World world(41);
  const std::string old_key = world.state().StatementKey();
  const std::string new_key = ToString(world.Random(32));
  CHECK(world.state().KeyIdOf(kStatementKind) == "statement");
  const auto done = world.Do(Rotation(world, old_key, new_key, "k-aaaaaaaaaaaaaaaa"));
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  const auto& rotated = world.At<v1::KeyRotated>(*done->answer_index);
  CHECK(rotated.rotated_by() == kOperator);
  CHECK(world.state().StatementKey() == new_key);
  CHECK(world.state().KeyIdOf(kStatementKind) == "k-aaaaaaaaaaaaaaaa");
  world.Settle();
  const auto& order = world.At<v1::KeyDestructionOrdered>(*done->answer_index + 1);
  REQUIRE(order.key_ids_size() == 1);
  CHECK(order.key_ids(0) == "statement");
  CHECK(order.reason() == "rotated");
}

TEST_CASE("Keys: what was begun is finished after a restart, once") {
  World world(42);
  REQUIRE(world
              .Do(Rotation(world, world.state().StatementKey(), ToString(world.Random(32)),
                           "k-aaaaaaaaaaaaaaaa"))
              .ok());
  REQUIRE(world.Do(OrderKeyDestruction{{"statement"}, "rotated"}).ok());
  REQUIRE(world.Do(Erasure(world)).ok());
  // A restart folds the records and runs nothing: Reconcile asks for both again.
  const Agenda agenda = Reconcile(world.Refold(), Running{}, world.now());
  int keys = 0;
  int values = 0;
  for (const Effect& effect : agenda.start) {
    keys += std::holds_alternative<DestroyKeys>(effect.body) ? 1 : 0;
    values += std::holds_alternative<DestroyValue>(effect.body) ? 1 : 0;
  }
  CHECK(keys == 1);
  CHECK(values == 1);
  world.Settle();
  CHECK(world.Find("key-destroyed").size() == 1);
  CHECK(world.Find("erasure-done").size() == 1);
  CHECK(Reconcile(world.Refold(), Running{}, world.now()).start.empty());
}

TEST_CASE("Keys: a rotation that cannot be is refused and leaves no record") {
  World world(43);
  const std::string old_key = world.state().StatementKey();
  const std::string new_key = ToString(world.Random(32));
  const std::uint64_t size = world.state().size;
  RotateKey nobody = Rotation(world, old_key, new_key, "k-aaaaaaaaaaaaaaaa");
  nobody.user_id = "u-zzzzzzzzzzzzzzzz";
  CHECK(absl::IsPermissionDenied(world.Do(nobody).status()));
  RotateKey other = Rotation(world, old_key, new_key, "k-aaaaaaaaaaaaaaaa");
  other.rotated.set_kind("round");
  CHECK(absl::IsInvalidArgument(world.Do(other).status()));
  CHECK(absl::IsInvalidArgument(world.Do(Rotation(world, old_key, new_key, "statement")).status()));
  CHECK(
      absl::IsAborted(world.Do(Rotation(world, new_key, old_key, "k-aaaaaaaaaaaaaaaa")).status()));
  CHECK(world.state().size == size);
  // The next one waits until the key before is destroyed.
  REQUIRE(world.Do(Rotation(world, old_key, new_key, "k-aaaaaaaaaaaaaaaa")).ok());
  const std::string third = ToString(world.Random(32));
  CHECK(absl::IsFailedPrecondition(
      world.Do(Rotation(world, new_key, third, "k-bbbbbbbbbbbbbbbb")).status()));
  world.Settle();
  CHECK(world.Do(Rotation(world, new_key, third, "k-bbbbbbbbbbbbbbbb")).ok());
}

RotateKey LogRotation(World& world, const std::string& old_key, absl::Duration overlap) {
  const crypto::Ed25519KeyPair fresh =
      *crypto::Ed25519KeyPair::FromSeed(crypto::SecretBytes(crypto::kEd25519SeedBytes));
  RotateKey command = Rotation(world, old_key, ToString(fresh.public_key()), "k-aaaaaaaaaaaaaaaa");
  command.rotated.set_kind(kLogKind);
  command.rotated.set_log_vkey(
      ledger::NoteKey{world.state().genesis.origin(), fresh.public_key()}.Vkey());
  command.rotated.set_old_key_signature(ToString(world.Random(64)));
  *command.rotated.mutable_overlap_until() = ToTimestamp(world.now() + overlap);
  return command;
}

TEST_CASE("Keys: the log's old key stays for the overlap and then goes, also after a restart") {
  World world(47);
  const std::string old_key = *PublicKeyInForce(world.state(), kLogKind);
  const auto done = world.Do(LogRotation(world, old_key, absl::Hours(48)));
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  CHECK(*PublicKeyInForce(world.state(), kLogKind) != old_key);
  CHECK(world.state().KeyIdOf(kLogKind) == "k-aaaaaaaaaaaaaaaa");
  const std::string statement = world.state().StatementKey();
  CHECK(world.state().KeyIdOf(kStatementKind) == "statement");
  world.Settle();
  CHECK(world.Find("key-destruction-ordered").empty());
  // The end of the overlap wakes Reconcile.
  CHECK(world.Look().wake <= ToTime(world.At<v1::KeyRotated>(*done->answer_index).overlap_until()));
  // Both files are needed until then.
  CHECK(NeededKeys(world.state()).count("log") == 1);
  CHECK(NeededKeys(world.state()).count("k-aaaaaaaaaaaaaaaa") == 1);
  world.Advance(absl::Hours(48));
  const Agenda agenda = Reconcile(world.Refold(), Running{}, world.now());
  CHECK(std::any_of(agenda.start.begin(), agenda.start.end(),
                    [](const Effect& effect) { return effect.key == "retire/log"; }));
  world.Settle();
  REQUIRE(world.Find("key-destruction-ordered").size() == 1);
  CHECK(world.At<v1::KeyDestructionOrdered>(world.Find("key-destruction-ordered")[0]).key_ids(0) ==
        "log");
  CHECK(world.Find("key-destroyed").size() == 1);
  CHECK(world.state().StatementKey() == statement);
  CHECK(NeededKeys(world.state()).count("log") == 0);
}

TEST_CASE("Keys: a rotation of the log's key that cannot be is refused and leaves no record") {
  World world(48);
  const std::string old_key = *PublicKeyInForce(world.state(), kLogKind);
  const std::uint64_t size = world.state().size;
  const auto code = [&](const RotateKey& command) { return world.Do(command).status().code(); };
  CHECK(code(LogRotation(world, old_key, absl::Hours(1))) == absl::StatusCode::kInvalidArgument);
  CHECK(code(LogRotation(world, old_key, absl::Hours(24 * 91))) ==
        absl::StatusCode::kInvalidArgument);
  RotateKey bad = LogRotation(world, old_key, absl::Hours(48));
  bad.rotated.clear_overlap_until();
  CHECK(code(bad) == absl::StatusCode::kInvalidArgument);
  bad = LogRotation(world, old_key, absl::Hours(48));
  bad.rotated.set_log_vkey(ledger::NoteKey{"other.test/log", crypto::Ed25519PublicKey{}}.Vkey());
  CHECK(code(bad) == absl::StatusCode::kInvalidArgument);
  bad = LogRotation(world, old_key, absl::Hours(48));
  bad.rotated.clear_old_key_signature();
  CHECK(code(bad) == absl::StatusCode::kInvalidArgument);
  CHECK(code(LogRotation(world, ToString(world.Random(32)), absl::Hours(48))) ==
        absl::StatusCode::kAborted);
  RotateKey statement = Rotation(world, world.state().StatementKey(), ToString(world.Random(32)),
                                 "k-cccccccccccccccc");
  *statement.rotated.mutable_overlap_until() = ToTimestamp(world.now() + absl::Hours(48));
  CHECK(code(statement) == absl::StatusCode::kInvalidArgument);
  CHECK(world.state().size == size);
  REQUIRE(world.Do(LogRotation(world, old_key, absl::Hours(48))).ok());
  // The next one waits for the end of this one; the statement key's does not.
  RotateKey second =
      LogRotation(world, *PublicKeyInForce(world.state(), kLogKind), absl::Hours(48));
  second.rotated.set_key_id("k-bbbbbbbbbbbbbbbb");
  second.rotated.set_new_public_key(ToString(world.Random(32)));
  second.rotated.set_log_vkey(
      ledger::NoteKey{world.state().genesis.origin(),
                      *crypto::ToEd25519PublicKey(AsBytes(second.rotated.new_public_key()))}
          .Vkey());
  CHECK(code(second) == absl::StatusCode::kFailedPrecondition);
  CHECK(code(Rotation(world, world.state().StatementKey(), ToString(world.Random(32)),
                      "k-cccccccccccccccc")) == absl::StatusCode::kOk);
}

TEST_CASE("Keys: the same request gets the first rotation again") {
  World world(44);
  const std::string id(16, 'r');
  const auto first = world.Do(Rotation(world, world.state().StatementKey(),
                                       ToString(world.Random(32)), "k-aaaaaaaaaaaaaaaa"),
                              id);
  REQUIRE(first.ok());
  const auto again = world.Do(Rotation(world, world.state().StatementKey(),
                                       ToString(world.Random(32)), "k-bbbbbbbbbbbbbbbb"),
                              id);
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(world.Find("key-rotated").size() == 1);
}

TEST_CASE("Vault: an erasure is ordered once, by who may, for a value that is there") {
  World world(45);
  const auto first = world.Do(Erasure(world));
  INFO(first.status().ToString());
  REQUIRE(first.ok());
  CHECK(world.At<v1::Erasure>(*first->answer_index).vault_id() == kOperator);
  const auto again = world.Do(Erasure(world));
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(world.Find("erasure").size() == 1);
  world.Settle();
  REQUIRE(world.Find("erasure-done").size() == 1);
  CHECK(world.At<v1::ErasureDone>(world.Find("erasure-done")[0]).erasure_index() ==
        *first->answer_index);
  CHECK(absl::IsFailedPrecondition(world.Do(ValueErased{kOperator}).status()));
}

TEST_CASE("Vault: what nobody may erase, or what is not there, is refused") {
  World world(46);
  const auto code = [&](const EraseValue& command) { return world.Do(command).status().code(); };
  EraseValue command = Erasure(world);
  command.user_id = "u-zzzzzzzzzzzzzzzz";
  CHECK(code(command) == absl::StatusCode::kPermissionDenied);
  command = Erasure(world);
  command.reason = v1::ERASURE_REASON_UNSPECIFIED;
  CHECK(code(command) == absl::StatusCode::kInvalidArgument);
  command = Erasure(world);
  command.field = "roles";
  CHECK(code(command) == absl::StatusCode::kInvalidArgument);
  command = Erasure(world);
  command.index = 0;
  CHECK(code(command) == absl::StatusCode::kFailedPrecondition);
  command = Erasure(world);
  command.vault_id = "u-zzzzzzzzzzzzzzzz";
  CHECK(code(command) == absl::StatusCode::kFailedPrecondition);
  CHECK(world.Find("erasure").empty());
}

}  // namespace
}  // namespace carnet::coordinator
