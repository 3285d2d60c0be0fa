// Rotation of the coordinator's own keys, and erasure of values of the vault.
#include "base/bytes.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/keys.h"
#include "crypto/hash.h"
#include "ledger/note.h"

namespace carnet::coordinator {
namespace {

// The command of its kind: ids, both keys, and an overlap where the kind has one.
absl::Status CheckRotation(const State& state, const v1::KeyRotated& rotated, absl::Time now) {
  const absl::Status bad = absl::InvalidArgumentError("keys: malformed");
  if (!IsId("k", rotated.key_id()) || rotated.new_public_key() == rotated.old_public_key() ||
      rotated.new_key_signature().empty()) {
    return bad;
  }
  if (rotated.kind() == kStatementKind) {
    return rotated.has_overlap_until() || !rotated.log_vkey().empty() ? bad : absl::OkStatus();
  }
  const absl::StatusOr<ledger::NoteKey> log = ledger::ParseVkey(rotated.log_vkey());
  if (!log.ok() || log->name != state.genesis.origin() ||
      AsText(log->public_key) != rotated.new_public_key() || rotated.old_key_signature().empty()) {
    return bad;
  }
  const absl::Duration overlap = ToTime(rotated.overlap_until()) - now;
  // A clock read before this one made it: up to a minute less.
  if (overlap < kOverlapMin - absl::Minutes(1) || overlap > kOverlapMax) {
    return absl::InvalidArgumentError("keys: both keys of the log count for 1 to 90 days");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> PublicKeyInForce(const State& state, const std::string& kind) {
  if (kind == kStatementKind) {
    return state.StatementKey();
  }
  if (kind != kLogKind) {
    return absl::InvalidArgumentError("keys: statement and log are the kinds that can be rotated");
  }
  if (const Rotation* last = state.FindRotation(kind); last != nullptr) {
    return last->terms.new_public_key();
  }
  const absl::StatusOr<ledger::NoteKey> founding = ledger::ParseVkey(state.genesis.log_vkey());
  if (!founding.ok()) {
    return absl::DataLossError("keys: genesis names no key of the log");
  }
  return ToString(founding->public_key);
}

absl::Time EndOfOverlap(const Rotation& rotation) {
  return rotation.terms.has_overlap_until() ? ToTime(rotation.terms.overlap_until())
                                            : absl::InfinitePast();
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RotateKey& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"operator", "admin"}));
  const std::string& kind = command.rotated.kind();
  CARNET_ASSIGN_OR_RETURN(const std::string in_force, PublicKeyInForce(state, kind));
  CARNET_RETURN_IF_ERROR(CheckRotation(state, command.rotated, drafts.now()));
  if (state.rotations.size() >= kRotationsMax) {
    return absl::ResourceExhaustedError("keys: 1024 rotations are on record, which is the limit");
  }
  if (const Rotation* last = state.FindRotation(kind);
      last != nullptr && state.keys.at(last->old_key_id).phase != KeyPhase::kDestroyed) {
    return absl::FailedPreconditionError("keys: the key before this one is not destroyed yet");
  }
  if (command.rotated.old_public_key() != in_force) {
    return absl::AbortedError("keys: another rotation came first");
  }
  v1::KeyRotated record = command.rotated;
  record.set_rotated_by(command.user_id);
  // The engine signs each record with the statement key in force before it; the log signs the head
  // over this record with both of its keys (ledger/log_keys.h). Reconcile orders the destruction of
  // the old key, at once or when the overlap has ended.
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const EraseValue& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"admin", "dpo"}));
  if (command.reason == v1::ERASURE_REASON_UNSPECIFIED ||
      !v1::ErasureReason_IsValid(command.reason) || command.field != kErasableName ||
      command.leaf_sha256.size() != kDigestBytes) {
    return absl::InvalidArgumentError("erase: an unknown field or reason");
  }
  if (const auto known = drafts.state().erasures.find(command.vault_id);
      known != drafts.state().erasures.end()) {
    return std::move(drafts).Answer(known->second.index);
  }
  const auto user = drafts.state().users.find(command.vault_id);
  if (user == drafts.state().users.end() || user->second.index != command.index) {
    return absl::FailedPreconditionError("erase: this record has no such value in the vault");
  }
  v1::Erasure record;
  record.set_index(command.index);
  record.set_field(command.field);
  record.set_vault_id(command.vault_id);
  record.set_reason(command.reason);
  record.set_ordered_by(command.user_id);
  const std::uint64_t index =
      drafts.Add(record, {DigestSubject("leaf", AsText(command.leaf_sha256))});
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ValueErased& command) {
  const auto order = drafts.state().erasures.find(command.vault_id);
  if (order == drafts.state().erasures.end() || order->second.done) {
    return absl::FailedPreconditionError("erase: nothing is to be erased under this id");
  }
  v1::ErasureDone record;
  record.set_erasure_index(order->second.index);
  record.set_vault_id(command.vault_id);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
