// The embedded store: one SQLite file in WAL mode, synchronous=FULL, STRICT tables, prepared
// statements.
#ifndef CARNET_LEDGER_SQLITE_STORE_H_
#define CARNET_LEDGER_SQLITE_STORE_H_

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/store.h"

namespace carnet::ledger {

// Opens `file` for writing, making it with mode 0600 where it does not exist. What the write-ahead
// log holds is moved into the file and fsynced first, so that the tail that is read is the tail
// that is stored. `origin` and `vkey` name the log: a file of another log is refused. The caller
// holds the state lock. Errors: FAILED_PRECONDITION another log's file, a newer layout, or a
// read-only place; others as in store.h.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file,
                                                       absl::string_view origin,
                                                       absl::string_view vkey);

// Who a store file belongs to.
struct StoreIdentity {
  std::string origin;
  std::string vkey;
};
struct ReadOnlyStore {
  StoreIdentity identity;
  std::unique_ptr<Store> store;  // its writing functions return FAILED_PRECONDITION
};
// Opens for reading beside a process that may be writing. NOT_FOUND: no such file.
absl::StatusOr<ReadOnlyStore> OpenSqliteStoreReadOnly(const std::filesystem::path& file);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_SQLITE_STORE_H_
