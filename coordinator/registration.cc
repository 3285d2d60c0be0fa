#include "coordinator/registration.h"

#include "absl/strings/match.h"
#include "base/bytes.h"
#include "base/status.h"
#include "exchange/data_digest.h"

namespace carnet::coordinator {

v1::ShardLabels LabelsOf(const v1::DatasetConfig& dataset, const v1::ShardConfig& shard) {
  v1::ShardLabels labels;
  *labels.mutable_subjects_in() = shard.subjects_in();
  *labels.mutable_categories() =
      shard.categories().empty() ? dataset.labels().categories() : shard.categories();
  *labels.mutable_people() = shard.people();
  return labels;
}

absl::StatusOr<v1::ShardRegistration> ToRegistration(const std::string& name,
                                                     const v1::DatasetConfig& dataset,
                                                     const v1::ShardConfig& shard,
                                                     const std::filesystem::path& base) {
  v1::ShardRegistration registration;
  registration.set_shard(name);
  *registration.mutable_labels() = LabelsOf(dataset, shard);
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

}  // namespace carnet::coordinator
