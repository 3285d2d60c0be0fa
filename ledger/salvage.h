// What is left of a log that lost records: for the log that succeeds it. Reads the store alone, and
// believes nothing of it but what the log signed.
#ifndef CARNET_LEDGER_SALVAGE_H_
#define CARNET_LEDGER_SALVAGE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/head.h"
#include "ledger/log_keys.h"
#include "ledger/store.h"

namespace carnet::ledger {

// Thread-compatible.
class HeldLog {
 public:
  // The caller holds the state lock. Reads every record once. Errors: NOT_FOUND no log there; those
  // of the store.
  static absl::StatusOr<HeldLog> Open(const std::filesystem::path& state_dir);

  const LogKeys& keys() const { return keys_; }
  // The newest signed head whose records are all there and give its root. Records after it were
  // never acknowledged. None: not even the first record is held under a head.
  const std::optional<SignedHead>& last_held() const { return last_held_; }

  // Whether the held records extend `head`. Errors of the store.
  absl::StatusOr<bool> Extends(const Head& head) const;
  // The records that last_held() covers, in order. An error of `visit` ends it and is returned.
  absl::Status ForEachRecord(
      const std::function<absl::Status(std::uint64_t, const v1::SignedRecord&)>& visit) const;

 private:
  HeldLog(LogKeys keys, std::unique_ptr<Store> store)
      : keys_(std::move(keys)), store_(std::move(store)) {}
  // The leaf of a record that fits its entry; nothing: it is missing or damaged.
  std::optional<Digest> LeafAt(std::uint64_t index) const;

  LogKeys keys_;
  std::unique_ptr<Store> store_;
  std::optional<SignedHead> last_held_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_SALVAGE_H_
