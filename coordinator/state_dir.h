// The coordinator's state folder: what stands where (docs/operating.md).
#ifndef CARNET_COORDINATOR_STATE_DIR_H_
#define CARNET_COORDINATOR_STATE_DIR_H_

#include <filesystem>

namespace carnet::coordinator {

// Ids of the long-lived keys under keys/; round and model keys are k-….
inline constexpr char kLogKeyId[] = "log";
inline constexpr char kStatementKeyId[] = "statement";
inline constexpr char kCaKeyId[] = "ca";
inline constexpr char kServerKeyId[] = "server";

struct StateDir {
  std::filesystem::path root;

  std::filesystem::path keys() const { return root / "keys"; }      // one file a secret, mode 0600
  std::filesystem::path vault() const { return root / "vault"; }    // one file an erasable value
  std::filesystem::path blobs() const { return root / "blobs"; }    // models, deltas
  std::filesystem::path spool() const { return root / "spool"; }    // uploads under way
  std::filesystem::path people() const { return root / "people"; }  // credentials made at init
  std::filesystem::path operator_credentials() const { return root / "operator"; }
  std::filesystem::path ca_certificate() const { return root / "ca.pem"; }
  std::filesystem::path config() const { return root / "coordinator.yaml"; }
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_STATE_DIR_H_
