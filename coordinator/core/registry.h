// What an entry of the registry of facts must be, whoever brings it: `carnet init` from
// federation.yaml, or a person by a command. Pure.
#ifndef CARNET_COORDINATOR_CORE_REGISTRY_H_
#define CARNET_COORDINATOR_CORE_REGISTRY_H_

#include <string>

#include "absl/status/status.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/records.pb.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

inline constexpr std::size_t kSuppliersMax = 4096;
inline constexpr std::size_t kRegionsMax = 4096;
inline constexpr std::size_t kShardsMax = 65536;
// Shards in one record: a statement has at most 1 MiB.
inline constexpr int kShardsOfRecordMax = 1024;
// Owners, certifications, jurisdictions, subjects, categories or counted groups of one entry.
inline constexpr int kRegistryItemsMax = 256;
// Stands alone among the certifications of a supplier that was looked at and has none. An empty
// list says nothing: unknown.
inline constexpr char kNoCertifications[] = "none";

// Each returns INVALID_ARGUMENT "<field>: what was expected". Words are checked against the table
// of facts (policies/facts.h), so that a slip of the keyboard is no fact.

// Codes of places, owners whose shares add up to at most 100 percent, the share of listed parties,
// certifications, the deal.
absl::Status CheckSupplier(const std::string& field, const v1::SupplierConfig& terms);
// The same of the home organisation: genesis says where it is organised, and there is no deal with
// it.
absl::Status CheckHome(const std::string& field, const v1::SupplierConfig& terms);
// At least one jurisdiction. Whether its supplier is registered is the caller's to know.
absl::Status CheckRegion(const std::string& field, const v1::RegionConfig& terms);
// Places, categories (`none` stands alone, about nobody) and counted people.
absl::Status CheckLabels(const std::string& field, const v1::ShardLabels& labels);
// Name, labels, rows of at least 1, a digest of 32 bytes or none.
absl::Status CheckShard(const std::string& field, const v1::ShardRegistration& shard);

// What federation.yaml says of the home organisation besides its place.
v1::SupplierConfig HomeTerms(const v1::HomeConfig& home);
// No field is set: nothing to record.
bool SaysNothing(const v1::SupplierConfig& terms);
// The shard on record as `wanted` would have it: labels, place, rows and digest, if it names one.
bool IsAsRegistered(const Shard& shard, const v1::ShardRegistration& wanted);

// Absent location evidence is a claim, the weakest grade: what is signed and recorded says so.
v1::RegionConfig WithDefaultGrade(v1::RegionConfig terms);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_REGISTRY_H_
