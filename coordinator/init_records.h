// The records that a federation file amounts to. Internal to init.
#ifndef CARNET_COORDINATOR_INIT_RECORDS_H_
#define CARNET_COORDINATOR_INIT_RECORDS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rng.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/records.pb.h"
#include "coordinator/speakers.h"
#include "crypto/ed25519.h"

namespace carnet::coordinator {

// Fills `common` and signs.
class RecordSigner {
 public:
  RecordSigner(const crypto::Ed25519KeyPair& key, absl::Time at, Rng& rng)
      : key_(key), at_(at), rng_(rng) {}

  template <typename Message>
  absl::Status Add(Message message) {
    v1::Common* common = message.mutable_common();
    FillCommon(common);
    return Sign(message);
  }
  std::vector<v1::SignedRecord> Take() { return std::move(records_); }
  std::size_t count() const { return records_.size(); }
  absl::Time at() const { return at_; }  // of every record
  const v1::SignedRecord& first() const { return records_.front(); }

 private:
  void FillCommon(v1::Common* common);
  absl::Status Sign(const google::protobuf::Message& message);

  const crypto::Ed25519KeyPair& key_;
  const absl::Time at_;
  Rng& rng_;
  std::vector<v1::SignedRecord> records_;
};

// Suppliers, regions and datasets. Shard files given by `path`, relative to `base`, are hashed and
// counted. Each is stated by one of `speakers`, where one holds the role; `unstated` gets the
// others: "supplier lion", "region sg", "dataset digits", and "supplier home" for the organisation
// itself.
absl::Status AddRegistrations(const v1::FederationConfig& federation,
                              const std::filesystem::path& base, const Speakers& speakers,
                              RecordSigner* signer, std::vector<std::string>* unstated);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_INIT_RECORDS_H_
