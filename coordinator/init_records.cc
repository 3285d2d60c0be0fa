#include "coordinator/init_records.h"

#include <map>

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
                              RecordSigner* signer) {
  for (const auto& [name, terms] : Sorted(federation.suppliers())) {
    v1::SupplierRegistered record;
    record.set_supplier(name);
    *record.mutable_terms() = terms;
    CARNET_RETURN_IF_ERROR(speakers.Sign(RegistrarRoles(), signer->at(), &record));
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  for (const auto& [name, terms] : Sorted(federation.regions())) {
    v1::RegionRegistered record;
    record.set_region(name);
    *record.mutable_terms() = WithDefaultGrade(terms);
    CARNET_RETURN_IF_ERROR(speakers.Sign(RegistrarRoles(), signer->at(), &record));
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  for (const auto& [name, dataset] : Sorted(federation.datasets())) {
    v1::DatasetRegistered record;
    record.set_dataset(name);
    for (const auto& [shard_name, shard] : Sorted(dataset.shards())) {
      CARNET_ASSIGN_OR_RETURN(*record.add_shards(),
                              ToRegistration(shard_name, dataset, shard, base));
    }
    CARNET_RETURN_IF_ERROR(speakers.Sign(StewardRoles(), signer->at(), &record));
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
