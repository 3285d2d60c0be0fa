#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"
#include "crypto/spiffe.h"
#include "ledger/person_statement.h"
#include "policies/roles.h"

namespace carnet::coordinator {
namespace {

absl::Status Dangling(std::uint64_t index, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown ", what));
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::Genesis& record) {
  if (index != 0) {
    return absl::DataLossError(absl::StrCat("record ", index, " is a second genesis"));
  }
  state.genesis = record;
  CARNET_ASSIGN_OR_RETURN(state.bundle, policies::BundleFromJson(record.bundle_json()));
  if (AsText(state.bundle->sha256()) != record.bundle_sha256()) {
    return absl::DataLossError("record 0: the bundle is not the one whose digest it names");
  }
  state.bundles[record.bundle_sha256()] = state.bundle;
  ++state.facts_version;
  // Home is a region like any other, run by the organisation itself.
  Region home;
  home.terms.add_jurisdictions(record.home_jurisdiction());
  home.terms.set_location_evidence(v1::LOCATION_GRADE_CONTRACT);
  state.regions.emplace("home", std::move(home));
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::SupplierRegistered& record) {
  state.suppliers[record.supplier()] = record.terms();
  state.statements[absl::StrCat("supplier/", record.supplier())] =
      TakeStatement(state, index, record, record.common(), record.stated(), RegistrarRoles());
  state.registered[absl::StrCat("supplier/", record.supplier())] = index;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::RegionRegistered& record) {
  if (record.region() == "home") {
    return absl::OkStatus();  // as genesis says it, which everybody pins: no record moves it
  }
  state.registered[absl::StrCat("region/", record.region())] = index;
  state.statements[absl::StrCat("region/", record.region())] =
      TakeStatement(state, index, record, record.common(), record.stated(), RegistrarRoles());
  // What speaks against the place stays: another entry clears nothing.
  Region& region = state.regions[record.region()];
  region.terms = record.terms();
  region.supplier = record.terms().supplier();
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceRecorded& record) {
  state.registered[absl::StrCat("evidence/", record.evidence_id())] = index;
  Evidence item;
  item.terms = record;
  if (!policies::IsAccountRole(record.stated().role())) {
    item.brought = TakeStatement(state, index, record, record.common(), record.stated(),
                                 {record.stated().role()});
  }
  const std::string role = AcceptingRole(record.kind());
  if (item.brought != nullptr && !role.empty() && item.brought->terms.role() == role &&
      record.accepted_by() == item.brought->terms.user_id()) {
    item.accepted = item.brought;
  }
  state.evidence[record.evidence_id()] = std::move(item);
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceAccepted& record) {
  const auto it = state.evidence.find(record.evidence_id());
  if (it == state.evidence.end()) {
    return Dangling(index, "item of evidence");
  }
  Evidence& item = it->second;
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ledger::EvidenceItemDigest(item.terms));
  std::shared_ptr<const StatementOnRecord> stated = TakeStatement(
      state, index, record, record.common(), record.stated(), {AcceptingRole(item.terms.kind())});
  if (stated != nullptr && item.accepted == nullptr && AsText(digest) == record.item_sha256()) {
    item.accepted = std::move(stated);
    item.accepted_index = index;
  }
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceExpired& record) {
  const auto it = state.evidence.find(record.evidence_id());
  if (it == state.evidence.end()) {
    return Dangling(index, "item of evidence");
  }
  it->second.withdrawn = true;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t, const v1::WorkerInvited& record) {
  state.invitations[HexEncode(AsBytes(record.token_sha256()))] = Invitation{record, ""};
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::WorkerEnrolled& record) {
  const auto invitation = state.invitations.find(HexEncode(AsBytes(record.token_sha256())));
  if (invitation == state.invitations.end()) {
    return Dangling(index, "invitation");
  }
  invitation->second.worker_id = record.worker_id();
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id, crypto::SpiffeId::Parse(record.spiffe_id()));
  // One slot has one worker: a new machine in it replaces the old one, whose lease had ended or was
  // revoked.
  for (auto& [other_id, other] : state.workers) {
    if (other.path == id.Path()) {
      other.revoked = true;
    }
  }
  Worker worker;
  worker.terms = record;
  worker.path = id.Path();
  worker.index = index;
  state.workers[record.worker_id()] = std::move(worker);
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::WorkerRevoked& record) {
  const auto it = state.workers.find(record.worker_id());
  if (it == state.workers.end()) {
    return Dangling(index, "worker");
  }
  it->second.revoked = true;
  ++state.facts_version;
  for (auto& [job_id, job] : state.jobs) {
    if (job.round.has_value() && !job.round->closed.has_value()) {
      for (const v1::RoundMember& member : job.round->opened.members()) {
        if (member.worker_id() == record.worker_id()) {
          job.round->out[record.worker_id()] = "revoked";
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::DatasetRegistered& record) {
  state.registered[absl::StrCat("dataset/", record.dataset())] = index;
  const std::shared_ptr<const StatementOnRecord> stated =
      TakeStatement(state, index, record, record.common(), record.stated(), StewardRoles());
  for (const v1::ShardRegistration& terms : record.shards()) {
    // On record, just so: somebody may stand behind it from now on.
    const auto known = state.shards.find(ShardKey(record.dataset(), terms.shard()));
    if (known != state.shards.end() && IsAsRegistered(known->second, terms)) {
      if (known->second.stated == nullptr) {
        known->second.stated = stated;
      }
      continue;
    }
    Shard shard;
    shard.terms = terms;
    shard.stated = stated;
    shard.sha256 = ToBytes(terms.sha256());
    state.shards[ShardKey(record.dataset(), terms.shard())] = std::move(shard);
  }
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ShardStaged& record) {
  const auto it = state.shards.find(ShardKey(record.dataset(), record.shard()));
  if (it == state.shards.end()) {
    return Dangling(index, "shard");
  }
  Shard& shard = it->second;
  const Worker* worker = state.FindWorker(record.worker_id());
  if (worker == nullptr) {
    return Dangling(index, "worker");
  }
  shard.holders[record.worker_id()] = ToBytes(record.sha256());
  ++shard.claims[record.worker_id()];
  // The first claim where the shard is stored states its digest.
  if (shard.sha256.empty() && worker->terms.region() == shard.terms.stored_in()) {
    shard.sha256 = ToBytes(record.sha256());
  }
  if (const auto staging = state.stagings.find(record.staging_id());
      staging != state.stagings.end()) {
    staging->second.phase = StagingPhase::kStaged;
    staging->second.staged_index = index;
    staging->second.sealed_bytes = record.sealed_bytes();
  }
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::StagingOrdered& record) {
  Staging staging;
  staging.ordered = record;
  staging.ordered_index = index;
  state.stagings[record.staging_id()] = std::move(staging);
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::StagingAbandoned& record) {
  const auto it = state.stagings.find(record.staging_id());
  if (it == state.stagings.end()) {
    return Dangling(index, "staging");
  }
  it->second.phase = StagingPhase::kAbandoned;
  it->second.reason = record.reason();
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t, const v1::KeyCreated& record) {
  state.keys[record.key_id()] = Key{record, KeyPhase::kLive};
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::KeyDestructionOrdered& record) {
  for (const std::string& key_id : record.key_ids()) {
    const auto it = state.keys.find(key_id);
    if (it == state.keys.end()) {
      return Dangling(index, "key");
    }
    it->second.phase = KeyPhase::kDestructionOrdered;
  }
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::KeyDestroyed& record) {
  for (const std::string& key_id : record.key_ids()) {
    const auto it = state.keys.find(key_id);
    if (it == state.keys.end()) {
      return Dangling(index, "key");
    }
    it->second.phase = KeyPhase::kDestroyed;
  }
  return absl::OkStatus();
}

absl::Status Fold(State&, std::uint64_t, const v1::ClockAccepted&) {
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
