#include "ledger/sqlite_store.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/mutex.h"
#include "base/status.h"
#include "ledger/merkle.h"
#include "ledger/sqlite.h"

namespace carnet::ledger {
namespace {

constexpr std::uint64_t kLayout = 1;

constexpr char kSchema[] = R"sql(
  CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, vkey TEXT NOT NULL) STRICT;
  CREATE TABLE records (idx INTEGER PRIMARY KEY CHECK (idx >= 0), statement BLOB NOT NULL, signature BLOB NOT NULL,
    public_key BLOB NOT NULL, entry BLOB NOT NULL) STRICT;
  CREATE TABLE tiles (level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)) STRICT;
  CREATE TABLE heads (size INTEGER PRIMARY KEY CHECK (size >= 0), root BLOB NOT NULL, note TEXT NOT NULL) STRICT;
  PRAGMA user_version = 1;
)sql";

// Made with the first rotation of the log's key.
constexpr char kKeysSchema[] = R"sql(
  CREATE TABLE IF NOT EXISTS log_keys (position INTEGER PRIMARY KEY CHECK (position >= 0), vkey TEXT NOT NULL,
    key_id TEXT NOT NULL, from_idx INTEGER NOT NULL, until_idx INTEGER NOT NULL) STRICT;
)sql";

class SqliteStore final : public Store {
 public:
  // writer: null for a store that is only read.
  SqliteStore(std::filesystem::path file, std::unique_ptr<SqliteConnection> writer)
      : file_(std::move(file)), writer_(std::move(writer)) {}

  absl::StatusOr<std::uint64_t> Size() const override {
    CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
    return SizeOf(*reader.connection);
  }

  absl::Status AppendBatch(const StoreBatch& batch) override;
  absl::Status AppendHead(const SignedHead& head) override;
  absl::StatusOr<std::vector<StoredRecord>> ReadRecords(std::uint64_t first,
                                                        std::uint64_t count) const override;
  absl::StatusOr<Bytes> ReadTile(unsigned level, std::uint64_t index) const override;
  absl::StatusOr<std::optional<SignedHead>> NewestHead() const override;
  absl::StatusOr<std::uint64_t> HeadCount() const override;
  absl::StatusOr<std::vector<LogKey>> ReadLogKeys() const override;

 private:
  // A reading connection, given back when destroyed. There are as many as threads read at once.
  struct Borrowed {
    Borrowed(const SqliteStore* from, std::unique_ptr<SqliteConnection> taken)
        : owner(from), connection(std::move(taken)) {}
    Borrowed(Borrowed&&) = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed() {
      if (connection != nullptr) {
        const MutexLock lock(owner->mutex_);
        owner->idle_.push_back(std::move(connection));
      }
    }
    const SqliteStore* owner;
    std::unique_ptr<SqliteConnection> connection;
  };

  static absl::StatusOr<std::uint64_t> SizeOf(SqliteConnection& connection);
  absl::StatusOr<Borrowed> Borrow() const CARNET_EXCLUDES(mutex_);
  absl::Status InsertBatch(const StoreBatch& batch);
  absl::Status InsertHead(const SignedHead& head);
  absl::Status ReplaceLogKeys(const std::vector<LogKey>& keys);
  // Ends the transaction that `BEGIN` started: COMMIT on success, else ROLLBACK.
  absl::Status EndTransaction(absl::Status status);

  const std::filesystem::path file_;
  const std::unique_ptr<SqliteConnection> writer_;
  mutable Mutex mutex_;
  mutable std::vector<std::unique_ptr<SqliteConnection>> idle_ CARNET_GUARDED_BY(mutex_);
};

absl::StatusOr<SqliteStore::Borrowed> SqliteStore::Borrow() const {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<SqliteConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Borrowed(this, std::move(connection));
    }
  }
  CARNET_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> opened,
                          SqliteConnection::Open(file_, false));
  return Borrowed(this, std::move(opened));
}

absl::StatusOr<std::uint64_t> SqliteStore::SizeOf(SqliteConnection& connection) {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          connection.Query("SELECT COALESCE(MAX(idx) + 1, 0) FROM records"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  CARNET_CHECK(row);
  return query.Number(0);
}

absl::Status SqliteStore::EndTransaction(absl::Status status) {
  if (status.ok()) {
    // A crash before COMMIT returns leaves the batch whole or absent: a frame without its commit
    // mark does not count. synchronous=FULL: COMMIT returns after the write-ahead log is fsynced.
    status = writer_->Execute("COMMIT");
  }
  if (!status.ok()) {
    // Fails where SQLite already rolled back by itself.
    writer_->Execute("ROLLBACK").IgnoreError();
  }
  return status;
}

absl::Status SqliteStore::AppendBatch(const StoreBatch& batch) {
  if (writer_ == nullptr) {
    return absl::FailedPreconditionError("store: opened for reading");
  }
  CARNET_CHECK(!batch.records.empty());
  CARNET_RETURN_IF_ERROR(writer_->Execute("BEGIN IMMEDIATE"));
  return EndTransaction(InsertBatch(batch));
}

absl::Status SqliteStore::InsertBatch(const StoreBatch& batch) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(*writer_));
  if (size != batch.first_index) {
    return absl::AbortedError("store: the batch does not start where the log ends");
  }
  std::uint64_t index = batch.first_index;
  for (const StoredRecord& stored : batch.records) {
    CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                            writer_->Query("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)"));
    CARNET_RETURN_IF_ERROR(query.Bind(1, index)
                               .Bind(2, AsBytes(stored.record.statement()))
                               .Bind(3, AsBytes(stored.record.signature()))
                               .Bind(4, AsBytes(stored.record.public_key()))
                               .Bind(5, AsBytes(stored.entry))
                               .Run());
    ++index;
  }
  for (const StoredTile& tile : batch.tiles) {
    CARNET_ASSIGN_OR_RETURN(
        SqliteQuery query,
        writer_->Query("INSERT INTO tiles VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes"));
    CARNET_RETURN_IF_ERROR(query.Bind(1, std::uint64_t{tile.level})
                               .Bind(2, tile.index)
                               .Bind(3, ByteView(tile.hashes))
                               .Run());
  }
  return batch.log_keys.empty() ? absl::OkStatus() : ReplaceLogKeys(batch.log_keys);
}

absl::Status SqliteStore::ReplaceLogKeys(const std::vector<LogKey>& keys) {
  CARNET_RETURN_IF_ERROR(writer_->Execute(kKeysSchema));
  std::uint64_t position = 0;
  for (const LogKey& key : keys) {
    CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                            writer_->Query("INSERT INTO log_keys VALUES (?1, ?2, ?3, ?4, ?5)"
                                           " ON CONFLICT (position) DO UPDATE SET until_idx = "
                                           "excluded.until_idx"));
    const std::string vkey = key.note.Vkey();
    CARNET_RETURN_IF_ERROR(query.Bind(1, position)
                               .Bind(2, absl::string_view(vkey))
                               .Bind(3, absl::string_view(key.key_id))
                               .Bind(4, key.from)
                               .Bind(5, key.until)
                               .Run());
    ++position;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LogKey>> SqliteStore::ReadLogKeys() const {
  CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
  std::vector<LogKey> keys;
  {
    CARNET_ASSIGN_OR_RETURN(
        SqliteQuery table,
        reader.connection->Query(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'log_keys'"));
    CARNET_ASSIGN_OR_RETURN(const bool exists, table.Step());
    if (!exists) {
      return keys;
    }
  }
  CARNET_ASSIGN_OR_RETURN(
      SqliteQuery query,
      reader.connection->Query(
          "SELECT vkey, key_id, from_idx, until_idx FROM log_keys ORDER BY position"));
  while (true) {
    CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) {
      return keys;
    }
    absl::StatusOr<NoteKey> note = ParseVkey(query.Blob(0));
    if (!note.ok() || keys.size() >= kLogKeysMax) {
      return absl::DataLossError("store: its keys of the log are damaged");
    }
    keys.push_back({.note = *std::move(note),
                    .key_id = query.Blob(1),
                    .from = query.Number(2),
                    .until = query.Number(3)});
  }
}

absl::Status SqliteStore::AppendHead(const SignedHead& head) {
  if (writer_ == nullptr) {
    return absl::FailedPreconditionError("store: opened for reading");
  }
  CARNET_RETURN_IF_ERROR(writer_->Execute("BEGIN IMMEDIATE"));
  return EndTransaction(InsertHead(head));
}

absl::Status SqliteStore::InsertHead(const SignedHead& head) {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery newer,
                          writer_->Query("SELECT 1 FROM heads WHERE size >= ?1 LIMIT 1"));
  CARNET_ASSIGN_OR_RETURN(const bool exists, newer.Bind(1, head.head.size).Step());
  if (exists) {
    return absl::AbortedError("store: a head of this size or a larger one is stored");
  }
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          writer_->Query("INSERT INTO heads VALUES (?1, ?2, ?3)"));
  return query.Bind(1, head.head.size)
      .Bind(2, ByteView(head.head.root))
      .Bind(3, absl::string_view(head.note))
      .Run();
}

absl::StatusOr<std::vector<StoredRecord>> SqliteStore::ReadRecords(std::uint64_t first,
                                                                   std::uint64_t count) const {
  CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
  CARNET_ASSIGN_OR_RETURN(
      SqliteQuery query,
      reader.connection->Query("SELECT idx, statement, signature, public_key, entry FROM records"
                               " WHERE idx >= ?1 AND idx < ?2 ORDER BY idx"));
  query.Bind(1, first).Bind(2, first + count);
  std::vector<StoredRecord> records;
  while (true) {
    CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) {
      break;
    }
    if (query.Number(0) != first + records.size()) {
      return absl::NotFoundError("store: a record is missing");
    }
    StoredRecord stored;
    stored.record.set_statement(query.Blob(1));
    stored.record.set_signature(query.Blob(2));
    stored.record.set_public_key(query.Blob(3));
    stored.entry = query.Blob(4);
    records.push_back(std::move(stored));
  }
  if (records.size() != count) {
    return absl::NotFoundError("store: a record is missing");
  }
  return records;
}

absl::StatusOr<Bytes> SqliteStore::ReadTile(unsigned level, std::uint64_t index) const {
  CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
  CARNET_ASSIGN_OR_RETURN(
      SqliteQuery query,
      reader.connection->Query("SELECT hashes FROM tiles WHERE level = ?1 AND idx = ?2"));
  CARNET_ASSIGN_OR_RETURN(const bool row,
                          query.Bind(1, std::uint64_t{level}).Bind(2, index).Step());
  if (!row) {
    return absl::NotFoundError("store: a tile is missing");
  }
  return ToBytes(query.Blob(0));
}

absl::StatusOr<std::optional<SignedHead>> SqliteStore::NewestHead() const {
  CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
  CARNET_ASSIGN_OR_RETURN(
      SqliteQuery query,
      reader.connection->Query("SELECT size, root, note FROM heads ORDER BY size DESC LIMIT 1"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) {
    return std::optional<SignedHead>();
  }
  SignedHead head;
  head.head.size = query.Number(0);
  const absl::StatusOr<Digest> root = ToDigest(AsBytes(query.Blob(1)));
  if (!root.ok()) {
    return absl::DataLossError("store: a head's root is not 32 bytes");
  }
  head.head.root = *root;
  head.note = query.Blob(2);
  return std::optional<SignedHead>(std::move(head));
}

absl::StatusOr<std::uint64_t> SqliteStore::HeadCount() const {
  CARNET_ASSIGN_OR_RETURN(const Borrowed reader, Borrow());
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          reader.connection->Query("SELECT COUNT(*) FROM heads"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  CARNET_CHECK(row);
  return query.Number(0);
}

absl::StatusOr<std::uint64_t> LayoutOf(SqliteConnection& connection) {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query, connection.Query("PRAGMA user_version"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  CARNET_CHECK(row);
  return query.Number(0);
}

absl::StatusOr<StoreIdentity> IdentityOf(SqliteConnection& connection) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t layout, LayoutOf(connection));
  if (layout != kLayout) {
    return absl::FailedPreconditionError("store: its layout is not that of this version of Carnet");
  }
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          connection.Query("SELECT origin, vkey FROM log WHERE id = 1"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) {
    return absl::DataLossError("store: it does not say which log it holds");
  }
  return StoreIdentity{.origin = query.Blob(0), .vkey = query.Blob(1)};
}

// Lays out an empty file. A crash leaves it empty (the next start begins again) or laid out.
absl::Status CreateSchema(SqliteConnection& connection, absl::string_view origin,
                          absl::string_view vkey) {
  CARNET_RETURN_IF_ERROR(connection.Execute("BEGIN IMMEDIATE"));
  CARNET_RETURN_IF_ERROR(connection.Execute(kSchema));
  {
    CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                            connection.Query("INSERT INTO log VALUES (1, ?1, ?2)"));
    CARNET_RETURN_IF_ERROR(query.Bind(1, origin).Bind(2, vkey).Run());
  }
  return connection.Execute("COMMIT");
}

// What a crash of the process left in the write-ahead log was written but maybe not fsynced: reads
// would see it, and a power cut after that would take it away. So it is made durable before anybody
// builds on it.
absl::Status Settle(const std::filesystem::path& file, SqliteConnection& connection) {
  std::filesystem::path wal = file;
  wal += "-wal";
  if (const absl::Status synced = SyncFile(wal); !synced.ok() && !absl::IsNotFound(synced)) {
    return synced;
  }
  // A reader may keep the log from being emptied; it is durable all the same.
  const absl::Status moved = connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!moved.ok() && !absl::IsUnavailable(moved)) {
    return moved;
  }
  CARNET_RETURN_IF_ERROR(SyncFile(file));
  return SyncDirectory(file.parent_path());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file,
                                                       absl::string_view origin,
                                                       absl::string_view vkey) {
  // Made by us, so that its mode is private; SQLite gives its side files the same.
  if (const absl::Status created = CreateFileAtomic(file, {});
      !created.ok() && !absl::IsAlreadyExists(created)) {
    return created;
  }
  absl::StatusOr<std::unique_ptr<SqliteConnection>> opened = SqliteConnection::Open(file, true);
  if (!opened.ok()) {
    return WithOperatorDetail(opened.status(),
                              absl::StrCat(file.string(), ": ", OperatorDetail(opened.status())));
  }
  std::unique_ptr<SqliteConnection> connection = *std::move(opened);
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t layout, LayoutOf(*connection));
  if (layout == 0) {
    CARNET_RETURN_IF_ERROR(CreateSchema(*connection, origin, vkey));
  }
  CARNET_ASSIGN_OR_RETURN(const StoreIdentity identity, IdentityOf(*connection));
  if (identity.origin != origin || identity.vkey != vkey) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("store: it belongs to a log of another name or key"),
        absl::StrCat(file.string(), " holds ", identity.vkey));
  }
  CARNET_RETURN_IF_ERROR(Settle(file, *connection));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(file, std::move(connection)));
}

absl::StatusOr<ReadOnlyStore> OpenSqliteStoreReadOnly(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return WithOperatorDetail(absl::NotFoundError("store: no log here"), file.string());
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> connection,
                          SqliteConnection::Open(file, false));
  ReadOnlyStore opened;
  CARNET_ASSIGN_OR_RETURN(opened.identity, IdentityOf(*connection));
  opened.store = std::make_unique<SqliteStore>(file, nullptr);
  return opened;
}

}  // namespace carnet::ledger
