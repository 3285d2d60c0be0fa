#include "coordinator/init_records.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "exchange/data_digest.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Maps of a proto have no order; records do.
template <typename Map>
auto Sorted(const Map& map) {
  return std::map<std::string, typename Map::mapped_type>(map.begin(), map.end());
}

absl::StatusOr<v1::ShardRegistration> Registration(const std::string& name,
                                                   const v1::DatasetConfig& dataset,
                                                   const v1::ShardConfig& shard,
                                                   const std::filesystem::path& base) {
  v1::ShardRegistration registration;
  registration.set_shard(name);
  *registration.mutable_labels()->mutable_subjects_in() = shard.subjects_in();
  *registration.mutable_labels()->mutable_categories() =
      shard.categories().empty() ? dataset.labels().categories() : shard.categories();
  *registration.mutable_labels()->mutable_people() = shard.people();
  registration.set_stored_in(shard.stored_in().empty() ? "home" : shard.stored_in());
  registration.set_rows(shard.rows());
  if (!shard.sha256().empty()) {
    const absl::string_view hex = absl::StartsWith(shard.sha256(), "sha256:")
                                      ? absl::string_view(shard.sha256()).substr(7)
                                      : shard.sha256();
    CARNET_ASSIGN_OR_RETURN(const Digest digest, DigestFromHex(hex));
    registration.set_sha256(ToString(digest));
  } else if (!shard.path().empty()) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::PathDigest(base / shard.path()));
    registration.set_sha256(ToString(digest));
  }
  if (registration.rows() == 0 && !shard.path().empty()) {
    CARNET_ASSIGN_OR_RETURN(const std::uint64_t rows, exchange::CountRows(base / shard.path()));
    registration.set_rows(rows);
  }
  return registration;
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
                              const std::filesystem::path& base, RecordSigner* signer) {
  for (const auto& [name, terms] : Sorted(federation.suppliers())) {
    v1::SupplierRegistered record;
    record.set_supplier(name);
    *record.mutable_terms() = terms;
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  for (const auto& [name, terms] : Sorted(federation.regions())) {
    v1::RegionRegistered record;
    record.set_region(name);
    *record.mutable_terms() = terms;
    if (terms.location_evidence() == v1::LOCATION_GRADE_UNSPECIFIED) {
      record.mutable_terms()->set_location_evidence(v1::LOCATION_GRADE_CLAIMED);
    }
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  for (const auto& [name, dataset] : Sorted(federation.datasets())) {
    v1::DatasetRegistered record;
    record.set_dataset(name);
    for (const auto& [shard_name, shard] : Sorted(dataset.shards())) {
      CARNET_ASSIGN_OR_RETURN(*record.add_shards(), Registration(shard_name, dataset, shard, base));
    }
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
