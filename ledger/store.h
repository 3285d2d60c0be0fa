// Where the log keeps its bytes. SQLite today (ledger/sqlite_store.h); an implementation for a
// server database shares this contract and its tests, not SQL text.
#ifndef CARNET_LEDGER_STORE_H_
#define CARNET_LEDGER_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/head.h"
#include "ledger/log_keys.h"

namespace carnet::ledger {

struct StoredRecord {
  v1::SignedRecord record;
  std::string entry;  // the leaf's bytes, as first written
};

// All hashes that a tile has so far; a wider one replaces it.
struct StoredTile {
  unsigned level = 0;
  std::uint64_t index = 0;
  Bytes hashes;  // 32 to 8192 bytes
};

struct StoreBatch {
  std::uint64_t first_index = 0;
  std::vector<StoredRecord> records;  // at least one
  std::vector<StoredTile> tiles;
  std::vector<LogKey> log_keys;  // all of them, where these records change them; else empty
};

// One thread writes (AppendBatch, AppendHead); any thread reads. Reads see what is committed and
// share no cache with the writer, so that reading back what was written reads what is stored.
//
// Errors of all functions: DATA_LOSS the stored bytes are damaged, or a device failed;
// RESOURCE_EXHAUSTED disk full; UNAVAILABLE another process holds the store; PERMISSION_DENIED;
// INTERNAL. After a failed write nothing may be assumed but that the batch is there whole or not at
// all: the writer stops and opens the store again.
class Store {
 public:
  virtual ~Store() = default;

  // Records stored: their indexes are 0 to Size() - 1.
  virtual absl::StatusOr<std::uint64_t> Size() const = 0;
  // One durable transaction. ABORTED: `first_index` is not Size().
  virtual absl::Status AppendBatch(const StoreBatch& batch) = 0;
  // Durable. ABORTED: a head of this size or a larger one is stored (never two roots for one size).
  virtual absl::Status AppendHead(const SignedHead& head) = 0;

  // Records first .. first + count - 1. NOT_FOUND: not all of them are stored.
  virtual absl::StatusOr<std::vector<StoredRecord>> ReadRecords(std::uint64_t first,
                                                                std::uint64_t count) const = 0;
  // A tile's hashes so far. NOT_FOUND.
  virtual absl::StatusOr<Bytes> ReadTile(unsigned level, std::uint64_t index) const = 0;
  // The head of the largest size; the number of heads.
  virtual absl::StatusOr<std::optional<SignedHead>> NewestHead() const = 0;
  virtual absl::StatusOr<std::uint64_t> HeadCount() const = 0;
  // The log's keys as the last batch that changed them left them; empty: none did.
  virtual absl::StatusOr<std::vector<LogKey>> ReadLogKeys() const = 0;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_STORE_H_
