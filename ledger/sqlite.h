// SQLite behind Status: one connection and its prepared statements. Internal to this room.
#ifndef CARNET_LEDGER_SQLITE_H_
#define CARNET_LEDGER_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "crypto/openssl_ptr.h"

namespace carnet::ledger {

using SqlitePtr = std::unique_ptr<sqlite3, crypto::CDeleter<sqlite3_close_v2>>;
using SqliteStatementPtr = std::unique_ptr<sqlite3_stmt, crypto::CDeleter<sqlite3_finalize>>;

// One run of a prepared statement; resets it when destroyed. Columns are 0-based, parameters
// 1-based.
class SqliteQuery {
 public:
  SqliteQuery(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  SqliteQuery(SqliteQuery&& other) noexcept
      : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}
  SqliteQuery& operator=(SqliteQuery&&) = delete;
  ~SqliteQuery();

  // value: at most 2^63 - 1.
  SqliteQuery& Bind(int parameter, std::uint64_t value);
  // The bytes live until the query has run.
  SqliteQuery& Bind(int parameter, ByteView blob);
  SqliteQuery& Bind(int parameter, absl::string_view text);

  // True: a row is there. False: no more.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  // DATA_LOSS by Step's caller where a number is negative: stored indexes never are.
  std::uint64_t Number(int column) const;
  std::string Blob(int column) const;  // text too

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
  int bind_result_ = SQLITE_OK;
};

// For one thread at a time.
class SqliteConnection {
 public:
  // Sets what every connection of this room has: WAL with synchronous=FULL, a busy timeout, no
  // trust in the schema.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::filesystem::path& file,
                                                                bool writable);

  // sql: a literal; prepared on first use and kept.
  absl::StatusOr<SqliteQuery> Query(const char* sql);
  // One or more statements without rows that matter.
  absl::Status Execute(const char* sql);

 private:
  explicit SqliteConnection(SqlitePtr database) : database_(std::move(database)) {}

  SqlitePtr database_;
  std::map<const char*, SqliteStatementPtr>
      statements_;  // before the database, as members are destroyed in reverse
};

// The Status for the last error of `database`. By code, never by message text.
absl::Status SqliteError(sqlite3* database, int code);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_SQLITE_H_
