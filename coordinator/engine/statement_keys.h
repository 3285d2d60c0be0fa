// The keys that sign what the coordinator says. Several are held while one gives way to another;
// the state says which one counts.
#ifndef CARNET_COORDINATOR_ENGINE_STATEMENT_KEYS_H_
#define CARNET_COORDINATOR_ENGINE_STATEMENT_KEYS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "carnet/v1/ledger.pb.h"
#include "crypto/ed25519.h"

namespace carnet::coordinator {

// Thread-safe.
class StatementKeys {
 public:
  void Add(crypto::Ed25519KeyPair pair) CARNET_EXCLUDES(mutex_);
  // What was destroyed on disk goes from memory as well. Fine if it is not held.
  void Forget(const std::string& public_key) CARNET_EXCLUDES(mutex_);

  // `statement` signed by the key with this public half. Error INTERNAL: no such key is held.
  absl::StatusOr<v1::SignedRecord> Sign(std::string statement, const std::string& public_key) const
      CARNET_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const crypto::Ed25519KeyPair>> pairs_
      CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_ENGINE_STATEMENT_KEYS_H_
