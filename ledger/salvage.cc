#include "ledger/salvage.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "ledger/log.h"
#include "ledger/merkle.h"
#include "ledger/record.h"
#include "ledger/sqlite.h"
#include "ledger/sqlite_store.h"

namespace carnet::ledger {
namespace {

// The note that the store keeps for a size; none: it keeps no head of this size.
absl::StatusOr<std::optional<std::string>> NoteOfSize(SqliteConnection& connection,
                                                      std::uint64_t size) {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          connection.Query("SELECT note FROM heads WHERE size = ?1"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Bind(1, size).Step());
  return row ? std::optional<std::string>(query.Blob(0)) : std::nullopt;
}

}  // namespace

absl::StatusOr<HeldLog> HeldLog::Open(const std::filesystem::path& state_dir) {
  const std::filesystem::path file = state_dir / kStoreFileName;
  CARNET_ASSIGN_OR_RETURN(ReadOnlyStore opened, OpenSqliteStoreReadOnly(file));
  CARNET_ASSIGN_OR_RETURN(NoteKey founding, ParseVkey(opened.identity.vkey));
  CARNET_ASSIGN_OR_RETURN(std::vector<LogKey> stored, opened.store->ReadLogKeys());
  CARNET_ASSIGN_OR_RETURN(LogKeys keys, LogKeys::Create(std::move(founding), std::move(stored)));
  HeldLog held(std::move(keys), std::move(opened.store));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> connection,
                          SqliteConnection::Open(file, false));
  CompactRange range;
  while (true) {
    CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> note,
                            NoteOfSize(*connection, range.size()));
    if (note.has_value()) {
      absl::StatusOr<Head> head = ParseHead(*note, held.keys_);
      if (head.ok() && head->size == range.size() && head->root == range.Root()) {
        held.last_held_ = SignedHead{.head = *std::move(head), .note = *note};
      }
    }
    const std::optional<Digest> leaf = held.LeafAt(range.size());
    if (!leaf.has_value()) {
      return held;
    }
    range.Append(*leaf);
  }
}

std::optional<Digest> HeldLog::LeafAt(std::uint64_t index) const {
  const absl::StatusOr<std::vector<StoredRecord>> records = store_->ReadRecords(index, 1);
  if (!records.ok()) {
    return std::nullopt;
  }
  const absl::StatusOr<std::string> entry = LeafEntry(records->front().record);
  if (!entry.ok() || *entry != records->front().entry) {
    return std::nullopt;
  }
  return LeafHash(AsBytes(*entry));
}

absl::StatusOr<bool> HeldLog::Extends(const Head& head) const {
  if (!last_held_.has_value() || head.size > last_held_->head.size) {
    return false;
  }
  CompactRange range;
  while (range.size() < head.size) {
    const std::optional<Digest> leaf = LeafAt(range.size());
    if (!leaf.has_value()) {
      return absl::DataLossError("store: a record that was there before cannot be read");
    }
    range.Append(*leaf);
  }
  return range.Root() == head.root;
}

absl::Status HeldLog::ForEachRecord(
    const std::function<absl::Status(std::uint64_t, const v1::SignedRecord&)>& visit) const {
  const std::uint64_t size = last_held_.has_value() ? last_held_->head.size : 0;
  for (std::uint64_t index = 0; index < size; ++index) {
    CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records, store_->ReadRecords(index, 1));
    CARNET_RETURN_IF_ERROR(visit(index, records.front().record));
  }
  return absl::OkStatus();
}

}  // namespace carnet::ledger
