#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/location.h"
#include "coordinator/core/other_regions.h"
#include "crypto/hash.h"
#include "crypto/spiffe.h"

namespace carnet::coordinator {
namespace {

// A worker holds its slot this long; then it needs a new invitation.
constexpr absl::Duration kWorkerLease = absl::Hours(24 * 30);
constexpr absl::Duration kInvitationMax = absl::Hours(24);
constexpr std::size_t kWorkersMax = 4096;
// How often a worker may say something new of one shard.
constexpr int kClaimsOnRecordMax = 16;

absl::StatusOr<std::string> FindWorkerBySlotOrId(const State& state, const std::string& name) {
  for (const auto& [id, worker] : state.workers) {
    if (!worker.revoked && (id == name || worker.terms.slot() == name)) {
      return id;
    }
  }
  return absl::NotFoundError("no enrolled worker has this id or slot");
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const InviteWorker& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"operator", "admin"}));
  if (drafts.state().regions.count(command.region) == 0) {
    return absl::NotFoundError("no such region");
  }
  CARNET_RETURN_IF_ERROR(ValidateSlotName(command.slot));
  if (command.token_sha256.size() != kDigestBytes ||
      command.expires > drafts.now() + kInvitationMax) {
    return absl::InvalidArgumentError("an invitation lasts at most 24 hours");
  }
  v1::WorkerInvited record;
  record.set_token_sha256(ToString(command.token_sha256));
  record.set_region(command.region);
  record.set_supplier(drafts.state().OperatorOf(command.region));
  record.set_slot(command.slot);
  *record.mutable_expires() = ToTimestamp(command.expires);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const EnrollWorker& command) {
  const State& state = drafts.state();
  const auto invitation = state.invitations.find(HexEncode(command.token_sha256));
  if (invitation == state.invitations.end()) {
    return absl::PermissionDeniedError(
        "join token unknown: ask for a new one (carnet worker invite)");
  }
  const v1::WorkerInvited& terms = invitation->second.terms;
  if (const Worker* used = state.FindWorker(invitation->second.worker_id); used != nullptr) {
    // The same keys ask again: the answer was lost on its way.
    if (used->terms.tls_spki_sha256() == AsText(command.tls_spki_sha256) &&
        used->terms.statement_public_key() == AsText(command.statement_public_key) &&
        used->terms.wrapping_public_key() == AsText(command.wrapping_public_key) &&
        !used->revoked) {
      return std::move(drafts).Answer(used->index);
    }
    return absl::AlreadyExistsError(
        "join token already used: ask for a new one (carnet worker invite)");
  }
  if (drafts.now() >= ToTime(terms.expires())) {
    return absl::PermissionDeniedError(
        "join token expired: ask for a new one (carnet worker invite)");
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                          crypto::SpiffeId::Worker(state.genesis.trust_domain(), terms.region(),
                                                   terms.supplier(), terms.slot()));
  if (id.ToString() != command.spiffe_id) {
    return absl::PermissionDeniedError(
        "the certificate request names another worker than the join token");
  }
  for (const auto& [other_id, other] : state.workers) {
    if (other.path == id.Path() && !other.revoked) {
      return absl::AlreadyExistsError("this slot has a live worker: revoke it first");
    }
  }
  if (state.workers.size() >= kWorkersMax) {
    return absl::ResourceExhaustedError("4096 workers were enrolled, which is the limit");
  }
  v1::WorkerEnrolled record;
  record.set_worker_id(drafts.NewId("w"));
  record.set_spiffe_id(command.spiffe_id);
  record.set_region(terms.region());
  record.set_supplier(terms.supplier());
  record.set_slot(terms.slot());
  record.set_token_sha256(terms.token_sha256());
  record.set_tls_spki_sha256(ToString(command.tls_spki_sha256));
  record.set_statement_public_key(ToString(command.statement_public_key));
  record.set_wrapping_public_key(ToString(command.wrapping_public_key));
  record.set_location(LocationGradeOf(state, terms.region(), drafts.now()));
  *record.mutable_statement() = command.statement;
  *record.mutable_lease_until() = ToTimestamp(drafts.now() + kWorkerLease);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeWorker& command) {
  if (!command.user_id.empty()) {
    CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"operator", "admin"}));
  }
  CARNET_ASSIGN_OR_RETURN(const std::string worker_id,
                          FindWorkerBySlotOrId(drafts.state(), command.worker_id));
  v1::WorkerRevoked record;
  record.set_worker_id(worker_id);
  record.set_reason(command.reason);
  const Digest key =
      crypto::Sha256(AsBytes(drafts.state().workers.at(worker_id).terms.statement_public_key()));
  const std::uint64_t index = drafts.Add(record, {DigestSubject("statement key", AsText(key))});
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AcceptClock& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"operator", "admin"}));
  v1::ClockAccepted record;
  record.set_accepted_by(command.user_id);
  *record.mutable_wall() = ToTimestamp(command.wall);
  const std::uint64_t index =
      drafts.Add(record, {DigestSubject("request", AsText(crypto::Sha256(drafts.entropy())))});
  return std::move(drafts).Answer(index);
}

// ---- data ----

namespace {

// Whether the claim goes on record. What a worker says of one shard is bounded; its last word is
// never that it holds the registered one again, so whoever changes its word for ever is believed
// nothing.
bool IsNews(const Shard& shard, const std::string& worker_id, const v1::ShardClaim& claim) {
  const auto known = shard.holders.find(worker_id);
  if (known != shard.holders.end() && AsText(known->second) == claim.sha256()) {
    return false;
  }
  const auto before = shard.claims.find(worker_id);
  const int count = before == shard.claims.end() ? 0 : before->second;
  return count < kClaimsOnRecordMax ||
         (count == kClaimsOnRecordMax && claim.sha256() != AsText(shard.sha256));
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ClaimShards& command) {
  CARNET_RETURN_IF_ERROR(LiveWorker(drafts.state(), command.worker_id));
  for (const v1::ShardClaim& claim : command.claims) {
    const auto shard = drafts.state().shards.find(ShardKey(claim.dataset(), claim.shard()));
    if (shard == drafts.state().shards.end() || claim.sha256().size() != kDigestBytes) {
      continue;  // A shard that nobody registered has no labels, and so no use.
    }
    if (!IsNews(shard->second, command.worker_id, claim)) {
      continue;
    }
    v1::ShardStaged record;
    record.set_dataset(claim.dataset());
    record.set_shard(claim.shard());
    record.set_worker_id(command.worker_id);
    record.set_sha256(claim.sha256());
    drafts.Add(record);
  }
  return std::move(drafts).Done();
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const StageData& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"operator", "data-steward"}));
  const auto shard = state.shards.find(ShardKey(command.dataset, command.shard));
  if (shard == state.shards.end()) {
    return absl::NotFoundError("no such shard");
  }
  if (shard->second.withdrawn.has_value()) {
    return absl::FailedPreconditionError("this shard was withdrawn");
  }
  CARNET_ASSIGN_OR_RETURN(const std::string to_id, FindWorkerBySlotOrId(state, command.to_worker));
  const Worker* from = nullptr;
  for (const auto& [holder, digest] : shard->second.holders) {
    const Worker* worker = state.FindWorker(holder);
    if (worker != nullptr && !worker->revoked && digest == shard->second.sha256 &&
        command.live.count(holder) != 0) {
      from = worker;
      break;
    }
  }
  if (from == nullptr) {
    return absl::FailedPreconditionError(
        "no live worker holds this shard with its registered digest");
  }
  if (from->terms.worker_id() == to_id) {
    return absl::FailedPreconditionError("that worker holds the shard already");
  }
  const Worker& to = state.workers.at(to_id);
  const Verdicts verdicts = DecideFlows(state, StageDataFlows(state, shard->first, *from, to),
                                        drafts.now(), drafts.entropy(), drafts.counter());
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  if (!verdicts.allowed) {
    v1::Refusal refusal;
    refusal.set_worker_id(to_id);
    refusal.set_shard(shard->first);
    refusal.mutable_decisions()->Add(verdicts.decisions.begin(), verdicts.decisions.end());
    OtherRegions(state, command.live, drafts.now()).NameForShard(shard->first, *from, &refusal);
    const std::uint64_t index = AddRefusal(&drafts, refusal);
    return std::move(drafts).Refuse(index, RefusedByPolicy(refusal, index));
  }
  v1::StagingOrdered record;
  record.set_staging_id(drafts.NewId("s"));
  record.set_dataset(command.dataset);
  record.set_shard(command.shard);
  record.set_from_worker_id(from->terms.worker_id());
  record.set_to_worker_id(to_id);
  *record.mutable_basis() = Basis(state, drafts.now());
  for (const v1::Decision& decision : verdicts.decisions) {
    *record.add_authorisations() = ToAuthorisation(decision);
  }
  *record.mutable_expires() = ToTimestamp(drafts.now() + absl::Hours(24));
  const std::uint64_t index =
      drafts.Add(record, {DigestSubject("shard", AsText(shard->second.sha256))});
  std::set<std::string> duties;
  AddDuties(&drafts, "", record.authorisations(), &duties);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ConfirmStaged& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(LiveWorker(state, command.worker_id));
  const auto staging = state.stagings.find(command.task_id);
  if (staging == state.stagings.end() ||
      staging->second.ordered.to_worker_id() != command.worker_id) {
    return absl::NotFoundError("no such staging for this worker");
  }
  const v1::StagingOrdered& ordered = staging->second.ordered;
  const Shard& shard = state.shards.at(ShardKey(ordered.dataset(), ordered.shard()));
  if (staging->second.phase == StagingPhase::kAbandoned) {
    return absl::FailedPreconditionError("the staging was abandoned");
  }
  if (staging->second.phase == StagingPhase::kStaged) {
    return std::move(drafts).Answer(staging->second.staged_index);
  }
  if (shard.withdrawn.has_value()) {
    return absl::FailedPreconditionError("this shard was withdrawn");
  }
  if (drafts.now() >= ToTime(ordered.expires())) {
    return absl::FailedPreconditionError("the staging has expired");
  }
  if (shard.sha256 != command.sha256) {
    return absl::InvalidArgumentError("the shard that arrived is not the registered one");
  }
  v1::ShardStaged record;
  record.set_dataset(ordered.dataset());
  record.set_shard(ordered.shard());
  record.set_worker_id(command.worker_id);
  record.set_sha256(ToString(command.sha256));
  record.set_staging_id(ordered.staging_id());
  record.set_sealed_sha256(ToString(command.sealed_sha256));
  record.set_sealed_bytes(command.sealed_bytes);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonStaging& command) {
  const auto staging = drafts.state().stagings.find(command.staging_id);
  if (staging == drafts.state().stagings.end() || staging->second.phase != StagingPhase::kOrdered) {
    return absl::FailedPreconditionError("no such staging under way");
  }
  const v1::StagingOrdered& ordered = staging->second.ordered;
  v1::StagingAbandoned record;
  record.set_staging_id(command.staging_id);
  record.set_reason(command.reason);
  const Shard& shard = drafts.state().shards.at(ShardKey(ordered.dataset(), ordered.shard()));
  drafts.Add(record, {DigestSubject("shard", AsText(shard.sha256))});
  return std::move(drafts).Done();
}

}  // namespace carnet::coordinator
