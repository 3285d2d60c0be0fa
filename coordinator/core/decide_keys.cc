// Rotation of the coordinator's own keys, and erasure of values of the vault.
#include "base/bytes.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/keys.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RotateKey& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"operator", "admin"}));
  if (command.rotated.kind() != kStatementKind || !IsId("k", command.rotated.key_id())) {
    return absl::InvalidArgumentError("keys: the statement key is the one that can be rotated");
  }
  if (state.rotations.size() >= kRotationsMax) {
    return absl::ResourceExhaustedError("keys: 1024 rotations are on record, which is the limit");
  }
  if (const Rotation* last = state.FindRotation(kStatementKind);
      last != nullptr && state.keys.at(last->old_key_id).phase != KeyPhase::kDestroyed) {
    return absl::FailedPreconditionError("keys: the key before this one is not destroyed yet");
  }
  if (command.rotated.old_public_key() != state.StatementKey()) {
    return absl::AbortedError("keys: another rotation came first");
  }
  v1::KeyRotated record = command.rotated;
  record.set_rotated_by(command.user_id);
  // The engine signs each record with the key in force before it, so this one with the old key.
  // Reconcile orders that key's destruction, by a record that the new one signs.
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
