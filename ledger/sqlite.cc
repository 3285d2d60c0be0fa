#include "ledger/sqlite.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace carnet::ledger {
namespace {

// A reader of another process, or a checkpoint, holds the file for moments only.
constexpr int kBusyTimeoutMs = 5'000;

absl::StatusCode CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kAborted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
      return absl::StatusCode::kDataLoss;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_READONLY:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

// What the system said, where that is the whole story: a full disk, a file that may not be written.
// 0: it is SQLite's own to say. errno may be stale after other errors, so only these are believed.
int SystemError(sqlite3* database, int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ENOSPC;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return EACCES;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      break;
    default:
      return 0;
  }
  if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_DATA ||
      code == SQLITE_IOERR_CORRUPTFS || database == nullptr) {
    return 0;
  }
  switch (const int error = sqlite3_system_errno(database); error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EACCES:
    case EPERM:
    case EROFS:
    case EMFILE:
    case ENFILE:
      return error;
    default:
      return 0;
  }
}

}  // namespace

absl::Status SqliteError(sqlite3* database, int code) {
  if (const int error = SystemError(database, code); error != 0) {
    const char* const file = database != nullptr ? sqlite3_db_filename(database, "main") : nullptr;
    return FileError(error, "write the store", file != nullptr ? file : "");
  }
  const absl::Status status(CodeOf(code), "store: SQLite reported an error");
  return WithOperatorDetail(
      status, absl::StrCat("SQLite ", code, ": ",
                           database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code)));
}

SqliteQuery::~SqliteQuery() {
  if (statement_ != nullptr) {
    // The error of a run was already reported by Step.
    static_cast<void>(sqlite3_reset(statement_));
    static_cast<void>(sqlite3_clear_bindings(statement_));
  }
}

SqliteQuery& SqliteQuery::Bind(int parameter, std::uint64_t value) {
  CARNET_CHECK(value <= static_cast<std::uint64_t>(INT64_MAX));
  const int result = sqlite3_bind_int64(statement_, parameter, static_cast<sqlite3_int64>(value));
  bind_result_ = result != SQLITE_OK ? result : bind_result_;
  return *this;
}

SqliteQuery& SqliteQuery::Bind(int parameter, ByteView blob) {
  // A null pointer would bind NULL.
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  const int result = sqlite3_bind_blob64(statement_, parameter, data, blob.size(), nullptr);
  bind_result_ = result != SQLITE_OK ? result : bind_result_;
  return *this;
}

SqliteQuery& SqliteQuery::Bind(int parameter, absl::string_view text) {
  const int result =
      sqlite3_bind_text64(statement_, parameter, text.data(), text.size(), nullptr, SQLITE_UTF8);
  bind_result_ = result != SQLITE_OK ? result : bind_result_;
  return *this;
}

absl::StatusOr<bool> SqliteQuery::Step() {
  if (bind_result_ != SQLITE_OK) {
    return SqliteError(database_, bind_result_);
  }
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) {
    return true;
  }
  if (result == SQLITE_DONE) {
    return false;
  }
  return SqliteError(database_, sqlite3_extended_errcode(database_));
}

absl::Status SqliteQuery::Run() {
  return Step().status();
}

std::uint64_t SqliteQuery::Number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string SqliteQuery::Blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(
    const std::filesystem::path& file, bool writable) {
  sqlite3* raw = nullptr;
  const int flags = (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
  const int result = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  SqlitePtr database(raw);
  if (result != SQLITE_OK) {
    return SqliteError(raw, result);
  }
  static_cast<void>(sqlite3_busy_timeout(raw, kBusyTimeoutMs));
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(std::move(database)));
  CARNET_RETURN_IF_ERROR(
      connection->Execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"));
  if (writable) {
    CARNET_RETURN_IF_ERROR(connection->Execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
  } else {
    CARNET_RETURN_IF_ERROR(connection->Execute("PRAGMA query_only=ON"));
  }
  return connection;
}

absl::StatusOr<SqliteQuery> SqliteConnection::Query(const char* sql) {
  SqliteStatementPtr& statement = statements_[sql];
  if (statement == nullptr) {
    sqlite3_stmt* raw = nullptr;
    const int result =
        sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (result != SQLITE_OK) {
      return SqliteError(database_.get(), result);
    }
    statement.reset(raw);
  }
  return SqliteQuery(database_.get(), statement.get());
}

absl::Status SqliteConnection::Execute(const char* sql) {
  const int result = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK
             ? absl::OkStatus()
             : SqliteError(database_.get(), sqlite3_extended_errcode(database_.get()));
}

}  // namespace carnet::ledger
