#include "coordinator/engine/statement_keys.h"

#include <utility>

#include "base/bytes.h"
#include "ledger/record.h"

namespace carnet::coordinator {

void StatementKeys::Add(crypto::Ed25519KeyPair pair) {
  auto shared = std::make_shared<const crypto::Ed25519KeyPair>(std::move(pair));
  std::string public_key = ToString(shared->public_key());
  const MutexLock lock(mutex_);
  pairs_[std::move(public_key)] = std::move(shared);
}

void StatementKeys::Forget(const std::string& public_key) {
  const MutexLock lock(mutex_);
  pairs_.erase(public_key);
}

absl::StatusOr<v1::SignedRecord> StatementKeys::Sign(std::string statement,
                                                     const std::string& public_key) const {
  std::shared_ptr<const crypto::Ed25519KeyPair> pair;
  {
    const MutexLock lock(mutex_);
    const auto found = pairs_.find(public_key);
    if (found == pairs_.end()) {
      return absl::InternalError("keys: the statement key in force is not held");
    }
    pair = found->second;
  }
  return ledger::SignRecord(std::move(statement), *pair);
}

}  // namespace carnet::coordinator
