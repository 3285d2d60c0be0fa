#include "coordinator/init_records.h"

#include <map>
#include <set>
#include <utility>

#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"
#include "coordinator/registration.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Maps of a proto have no order; records do.
template <typename Map>
auto Sorted(const Map& map) {
  return std::map<std::string, typename Map::mapped_type>(map.begin(), map.end());
}

}  // namespace

void RecordSigner::FillCommon(v1::Common* common) {
  common->set_nonce(ToString(RandomBytes(rng_, 32)));
  *common->mutable_at() = ToTimestamp(at_);
}

absl::Status RecordSigner::Sign(const google::protobuf::Message& message) {
  CARNET_ASSIGN_OR_RETURN(std::string statement, ledger::MakeStatement(message));
  records_.push_back(ledger::SignRecord(std::move(statement), key_));
  return absl::OkStatus();
}

absl::Status AddRegistrations(const v1::FederationConfig& federation,
                              const std::filesystem::path& base, const Speakers& speakers,
                              RecordSigner* signer, std::vector<std::string>* unstated) {
  const auto add = [&](auto record, const std::set<std::string>& roles,
                       const std::string& entry) -> absl::Status {
    CARNET_RETURN_IF_ERROR(speakers.Sign(roles, signer->at(), &record));
    if (record.stated().signature().empty()) {
      unstated->push_back(entry);
    }
    return signer->Add(std::move(record));
  };
  if (v1::SupplierConfig home = HomeTerms(federation.home()); !SaysNothing(home)) {
    v1::SupplierRegistered record;
    record.set_supplier(federation.home().organisation());
    *record.mutable_terms() = std::move(home);
    CARNET_RETURN_IF_ERROR(add(std::move(record), RegistrarRoles(), "supplier home"));
  }
  for (const auto& [name, terms] : Sorted(federation.suppliers())) {
    v1::SupplierRegistered record;
    record.set_supplier(name);
    *record.mutable_terms() = terms;
    CARNET_RETURN_IF_ERROR(add(std::move(record), RegistrarRoles(), "supplier " + name));
  }
  for (const auto& [name, terms] : Sorted(federation.regions())) {
    v1::RegionRegistered record;
    record.set_region(name);
    *record.mutable_terms() = WithDefaultGrade(terms);
    CARNET_RETURN_IF_ERROR(add(std::move(record), RegistrarRoles(), "region " + name));
  }
  for (const auto& [name, dataset] : Sorted(federation.datasets())) {
    v1::DatasetRegistered record;
    record.set_dataset(name);
    for (const auto& [shard_name, shard] : Sorted(dataset.shards())) {
      CARNET_ASSIGN_OR_RETURN(*record.add_shards(),
                              ToRegistration(shard_name, dataset, shard, base));
    }
    CARNET_RETURN_IF_ERROR(add(std::move(record), StewardRoles(), "dataset " + name));
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
