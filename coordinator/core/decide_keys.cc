// Rotation of the coordinator's own keys, and erasure of values of the vault.
#include "base/bytes.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/keys.h"
#include "crypto/authority.h"
#include "crypto/hash.h"
#include "ledger/note.h"

namespace carnet::coordinator {
namespace {

absl::Status Malformed() {
  return absl::InvalidArgumentError("keys: malformed");
}

absl::Status CheckOverlap(const v1::KeyRotated& rotated, absl::Time now) {
  const absl::Duration overlap = ToTime(rotated.overlap_until()) - now;
  // A clock read before this one made it: up to a minute less.
  if (overlap < kOverlapMin - absl::Minutes(1) || overlap > kOverlapMax) {
    return absl::InvalidArgumentError(
        "keys: both keys of the log, and both authorities, count for 1 to 90 days");
  }
  return absl::OkStatus();
}

absl::Status CheckLog(const State& state, const v1::KeyRotated& rotated, absl::Time now) {
  const absl::StatusOr<ledger::NoteKey> log = ledger::ParseVkey(rotated.log_vkey());
  if (!log.ok() || log->name != state.genesis.origin() ||
      AsText(log->public_key) != rotated.new_public_key() || rotated.new_key_signature().empty() ||
      rotated.old_key_signature().empty() || !rotated.ca_certificate_pem().empty()) {
    return Malformed();
  }
  return CheckOverlap(rotated, now);
}

// One name for both: the new one's key is certified by the old one as well, for those who know
// that alone (crypto/authority.h).
absl::Status CheckAuthority(const State& state, const v1::KeyRotated& rotated, absl::Time now) {
  const auto last = crypto::ParseCertificatePem(AuthorityInForce(state));
  const auto next = crypto::VerifyAuthority(rotated.ca_certificate_pem());
  if (!last.ok() || !next.ok() || next->subject_name != last->subject_name ||
      AsText(next->spki) != rotated.new_public_key() || next->validity.not_before > now ||
      next->validity.not_after <= ToTime(rotated.overlap_until()) || !rotated.log_vkey().empty() ||
      !rotated.new_key_signature().empty() || !rotated.old_key_signature().empty()) {
    return Malformed();
  }
  return CheckOverlap(rotated, now);
}

// The command of its kind: ids, both keys, and an overlap where the kind has one.
absl::Status CheckRotation(const State& state, const v1::KeyRotated& rotated, absl::Time now) {
  if (!IsId("k", rotated.key_id()) || rotated.new_public_key() == rotated.old_public_key()) {
    return Malformed();
  }
  if (rotated.kind() == kLogKind) {
    return CheckLog(state, rotated, now);
  }
  if (rotated.kind() == kCaKind) {
    return CheckAuthority(state, rotated, now);
  }
  return rotated.has_overlap_until() || !rotated.log_vkey().empty() ||
                 !rotated.ca_certificate_pem().empty() || rotated.new_key_signature().empty()
             ? Malformed()
             : absl::OkStatus();
}

// The founding authority's key, from the certificate in genesis.
absl::StatusOr<std::string> FoundingAuthorityKey(const v1::Genesis& genesis) {
  const auto founding = crypto::ParseCertificatePem(genesis.ca_certificate_pem());
  if (!founding.ok() || AsText(founding->spki_sha256) != genesis.ca_spki_sha256()) {
    return absl::DataLossError("keys: genesis names no certificate authority");
  }
  return ToString(founding->spki);
}

}  // namespace

const std::string& AuthorityInForce(const State& state) {
  const Rotation* const last = state.FindRotation(kCaKind);
  return last == nullptr ? state.genesis.ca_certificate_pem() : last->terms.ca_certificate_pem();
}

absl::StatusOr<std::string> PublicKeyInForce(const State& state, const std::string& kind) {
  if (kind == kStatementKind) {
    return state.StatementKey();
  }
  if (kind != kLogKind && kind != kCaKind) {
    return absl::InvalidArgumentError("keys: statement, log and ca can be rotated");
  }
  if (const Rotation* last = state.FindRotation(kind); last != nullptr) {
    return last->terms.new_public_key();
  }
  if (kind == kCaKind) {
    return FoundingAuthorityKey(state.genesis);
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
