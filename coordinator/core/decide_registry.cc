// Entries of the registry of facts: suppliers, regions, datasets. Each record moves facts_version,
// so everything that waits for a decision is decided anew.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/location.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"

namespace carnet::coordinator {
namespace {

using google::protobuf::util::MessageDifferencer;

// What was asked for is what is on record: its record is the answer.
absl::StatusOr<Decided> AsItStands(Drafts drafts, const std::string& entry) {
  const std::uint64_t index = drafts.state().registered.at(entry);
  return std::move(drafts).Answer(index);
}

// Machines do not change hands: whoever is enrolled or invited there is of the supplier of then.
absl::Status CheckSupplierStays(const Drafts& drafts, const std::string& region) {
  const State& state = drafts.state();
  const bool occupied =
      std::any_of(state.workers.begin(), state.workers.end(), [&](const auto& worker) {
        return !worker.second.revoked && worker.second.terms.region() == region;
      });
  const bool invited =
      std::any_of(state.invitations.begin(), state.invitations.end(), [&](const auto& invitation) {
        return invitation.second.worker_id.empty() && invitation.second.terms.region() == region &&
               ToTime(invitation.second.terms.expires()) > drafts.now();
      });
  return occupied || invited
             ? absl::FailedPreconditionError(
                   "region: its workers are of the supplier on record: register a new region, or "
                   "revoke them first (carnet worker revoke)")
             : absl::OkStatus();
}

// Bytes that are registered have their labels there: another name gives them no others.
absl::Status CheckDigestIsNew(const State& state, const v1::ShardRegistration& wanted) {
  for (const auto& [key, shard] : state.shards) {
    if (!wanted.sha256().empty() && AsText(shard.sha256) == wanted.sha256() &&
        !shard.withdrawn.has_value() &&
        !MessageDifferencer::Equals(shard.terms.labels(), wanted.labels())) {
      return absl::FailedPreconditionError(
          absl::StrCat("dataset: the same data is registered as ", key,
                       " with other labels: withdraw that shard first (carnet data withdraw)"));
    }
  }
  return absl::OkStatus();
}

// The same within one command, of what it adds: what is on record may have got its bytes by claims.
absl::Status CheckDigestsAgree(const State& state, const v1::DatasetRegistered& record) {
  std::map<std::string, const v1::ShardRegistration*> by_digest;
  for (const v1::ShardRegistration& shard : record.shards()) {
    if (shard.sha256().empty() ||
        state.shards.count(ShardKey(record.dataset(), shard.shard())) != 0) {
      continue;
    }
    const auto [first, added] = by_digest.emplace(shard.sha256(), &shard);
    if (!added && !MessageDifferencer::Equals(first->second->labels(), shard.labels())) {
      return absl::FailedPreconditionError(
          absl::StrCat("dataset: ", shard.shard(), " is the same data as ", first->second->shard(),
                       ", with other labels"));
    }
  }
  return absl::OkStatus();
}

// True: the shard is new. False: it is on record, just so; somebody may stand behind it or not.
absl::StatusOr<bool> IsNewShard(const State& state, const std::string& dataset,
                                const v1::ShardRegistration& wanted) {
  const std::string key = ShardKey(dataset, wanted.shard());
  CARNET_RETURN_IF_ERROR(CheckShard(key, wanted));
  if (state.regions.count(wanted.stored_in()) == 0) {
    return absl::NotFoundError(absl::StrCat(key, ".stored_in: no such region"));
  }
  const auto known = state.shards.find(key);
  if (known == state.shards.end()) {
    CARNET_RETURN_IF_ERROR(CheckDigestIsNew(state, wanted));
    return true;
  }
  if (known->second.withdrawn.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat(key, ": this shard was withdrawn: register the data under a new name"));
  }
  if (!IsAsRegistered(known->second, wanted)) {
    return absl::FailedPreconditionError(
        absl::StrCat(key,
                     ": a registered shard never changes, for models carry its labels: "
                     "withdraw it (carnet data withdraw) and register a new one under another "
                     "name"));
  }
  return false;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterSupplier& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, RegistrarRoles()));
  CARNET_RETURN_IF_ERROR(ValidateSupplierName(command.supplier));
  const std::string entry = absl::StrCat("supplier/", command.supplier);
  CARNET_RETURN_IF_ERROR(command.supplier == state.genesis.organisation()
                             ? CheckHome(entry, command.terms)
                             : CheckSupplier(entry, command.terms));
  const auto known = state.suppliers.find(command.supplier);
  if (known == state.suppliers.end() && state.suppliers.size() >= kSuppliersMax) {
    return absl::ResourceExhaustedError("4096 suppliers are registered, which is the limit");
  }
  if (known != state.suppliers.end() && IsVouchedFor(state, entry) &&
      MessageDifferencer::Equals(known->second, command.terms)) {
    return AsItStands(std::move(drafts), entry);
  }
  v1::SupplierRegistered record;
  record.set_supplier(command.supplier);
  *record.mutable_terms() = command.terms;
  *record.mutable_stated() = command.stated;
  CARNET_RETURN_IF_ERROR(CheckStatement(state, record, command.stated, command.user_id,
                                        RegistrarRoles(), drafts.now()));
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterRegion& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, RegistrarRoles()));
  CARNET_RETURN_IF_ERROR(ValidateRegionName(command.region));
  const std::string entry = absl::StrCat("region/", command.region);
  const v1::RegionConfig terms = WithDefaultGrade(command.terms);
  CARNET_RETURN_IF_ERROR(CheckRegion(entry, terms));
  if (command.region == "home") {
    return absl::InvalidArgumentError("region: home is as genesis says it");
  }
  if (!terms.supplier().empty() && state.suppliers.count(terms.supplier()) == 0) {
    return absl::NotFoundError("region: no such supplier is registered (carnet supplier add)");
  }
  const auto known = state.regions.find(command.region);
  if (known == state.regions.end()) {
    if (state.regions.size() >= kRegionsMax) {
      return absl::ResourceExhaustedError("4096 regions are registered, which is the limit");
    }
  } else if (IsVouchedFor(state, entry) && MessageDifferencer::Equals(known->second.terms, terms)) {
    return AsItStands(std::move(drafts), entry);
  } else if (known->second.supplier != terms.supplier()) {
    CARNET_RETURN_IF_ERROR(CheckSupplierStays(drafts, command.region));
  }
  CARNET_RETURN_IF_ERROR(CheckGrade(state, terms, drafts.now()));
  v1::RegionRegistered record;
  record.set_region(command.region);
  *record.mutable_terms() = terms;
  *record.mutable_stated() = command.stated;
  CARNET_RETURN_IF_ERROR(CheckStatement(state, record, command.stated, command.user_id,
                                        RegistrarRoles(), drafts.now()));
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterDataset& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, StewardRoles()));
  CARNET_RETURN_IF_ERROR(ValidateDatasetName(command.dataset));
  if (command.shards.empty() || command.shards.size() > kShardsOfRecordMax) {
    return absl::InvalidArgumentError("dataset: name 1 to 1024 shards");
  }
  // All of it, as it was signed; what is on record stays as it is there.
  v1::DatasetRegistered record;
  record.set_dataset(command.dataset);
  std::set<std::string> names;
  std::size_t added = 0;
  bool unvouched = false;
  for (const v1::ShardRegistration& shard : command.shards) {
    if (!names.insert(shard.shard()).second) {
      return absl::InvalidArgumentError("dataset: the same shard twice");
    }
    CARNET_ASSIGN_OR_RETURN(const bool is_new, IsNewShard(state, command.dataset, shard));
    added += is_new ? 1 : 0;
    unvouched =
        unvouched ||
        (!is_new && state.shards.at(ShardKey(command.dataset, shard.shard())).stated == nullptr);
    *record.add_shards() = shard;
  }
  if (added == 0 && !unvouched) {
    return AsItStands(std::move(drafts), absl::StrCat("dataset/", command.dataset));
  }
  CARNET_RETURN_IF_ERROR(CheckDigestsAgree(state, record));
  if (state.shards.size() + added > kShardsMax) {
    return absl::ResourceExhaustedError("65536 shards are registered, which is the limit");
  }
  *record.mutable_stated() = command.stated;
  CARNET_RETURN_IF_ERROR(
      CheckStatement(state, record, command.stated, command.user_id, StewardRoles(), drafts.now()));
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
