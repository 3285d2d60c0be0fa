// Entries of federation.yaml as the records that register them.
#ifndef CARNET_COORDINATOR_REGISTRATION_H_
#define CARNET_COORDINATOR_REGISTRATION_H_

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/records.pb.h"

namespace carnet::coordinator {

// The labels of a shard: its own categories, else its dataset's. Pure.
v1::ShardLabels LabelsOf(const v1::DatasetConfig& dataset, const v1::ShardConfig& shard);

// A file or folder given by `path`, relative to `base`, is hashed, and its rows are counted if none
// are given. Errors: INVALID_ARGUMENT the digest is no SHA-256; those of exchange/data_digest.h.
absl::StatusOr<v1::ShardRegistration> ToRegistration(const std::string& name,
                                                     const v1::DatasetConfig& dataset,
                                                     const v1::ShardConfig& shard,
                                                     const std::filesystem::path& base);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_REGISTRATION_H_
