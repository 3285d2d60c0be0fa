#include "ledger/log.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/parallel.h"
#include "base/status.h"
#include "ledger/sqlite_store.h"
#include "ledger/stored_record.h"

namespace carnet::ledger {
namespace {

// Records read back at once.
constexpr std::uint64_t kReadBackRecords = 256;

// What a head by an unknown key says of a log of this name; 0: nothing.
std::uint64_t ClaimedSize(absl::string_view note, absl::string_view origin) {
  const std::vector<absl::string_view> lines = absl::StrSplit(note, '\n');
  std::uint64_t size = 0;
  return lines.size() > 3 && lines[0] == origin && absl::SimpleAtoi(lines[1], &size) &&
                 size <= kTreeSizeMax
             ? size
             : 0;
}

// Opens every record and gives it its entry: a signature to verify for each, so on every core.
// Error: of the first that is none.
absl::Status CheckAll(const std::vector<v1::SignedRecord>& records, StoreBatch& batch,
                      std::vector<Digest>& leaves) {
  std::vector<absl::Status> errors(records.size());
  batch.records.resize(records.size());
  leaves.resize(records.size());
  ParallelForEach(records.size(), [&](std::size_t i) {
    absl::StatusOr<CheckedRecord> checked = CheckRecord(records[i]);
    errors[i] = checked.status();
    if (checked.ok()) {
      batch.records[i] = {.record = records[i], .entry = std::move(checked->entry)};
      leaves[i] = checked->record.leaf_hash;
    }
  });
  for (const absl::Status& error : errors) {
    CARNET_RETURN_IF_ERROR(error);
  }
  return absl::OkStatus();
}

// Opens every record, and gives each its entry and its leaf's hash. Errors: as Append's refusals.
absl::StatusOr<StoreBatch> MakeBatch(const std::vector<v1::SignedRecord>& records,
                                     std::uint64_t first_index, std::vector<Digest>& leaves) {
  if (records.empty()) {
    return absl::InvalidArgumentError("log: an empty batch");
  }
  if (records.size() > kBatchRecordsMax || first_index > kTreeSizeMax - records.size()) {
    return absl::ResourceExhaustedError("log: too many records in one batch");
  }
  StoreBatch batch;
  batch.first_index = first_index;
  std::size_t bytes = 0;
  for (const v1::SignedRecord& record : records) {
    bytes += record.statement().size();
  }
  if (bytes > kBatchBytesMax) {
    return absl::ResourceExhaustedError("log: too many bytes in one batch");
  }
  CARNET_RETURN_IF_ERROR(CheckAll(records, batch, leaves));
  return batch;
}

}  // namespace

Log::Log(NoteKey note_key, std::unique_ptr<Store> store, FileLock lock, LogOptions options)
    : LogView(std::move(note_key), std::move(store), {}),
      lock_(std::move(lock)),
      options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Log>> Log::Open(LogOptions options, crypto::Ed25519KeyPair key) {
  std::vector<crypto::Ed25519KeyPair> held;
  held.push_back(std::move(key));
  return Open(std::move(options), std::move(held));
}

absl::StatusOr<std::unique_ptr<Log>> Log::Open(LogOptions options,
                                               std::vector<crypto::Ed25519KeyPair> held) {
  CARNET_RETURN_IF_ERROR(ValidateNoteName(options.origin));
  if (options.head_file.empty()) {
    options.head_file = options.state_dir / kHeadFileName;
  }
  CARNET_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(options.state_dir / kLockFileName));
  if (held.empty()) {
    return absl::InvalidArgumentError("log: no key to sign with");
  }
  NoteKey note_key{.name = options.origin, .public_key = held.front().public_key()};
  if (!options.founding_vkey.empty()) {
    CARNET_ASSIGN_OR_RETURN(note_key, ParseVkey(options.founding_vkey));
  }
  CARNET_ASSIGN_OR_RETURN(
      std::unique_ptr<Store> store,
      OpenSqliteStore(options.state_dir / kStoreFileName, options.origin, note_key.Vkey()));
  std::unique_ptr<Log> log(
      new Log(std::move(note_key), std::move(store), std::move(lock), std::move(options)));
  CARNET_RETURN_IF_ERROR(log->TakeKeys(std::move(held)));
  CARNET_RETURN_IF_ERROR(log->Recover());
  CARNET_ASSIGN_OR_RETURN(Published published, ReadPublished(log->options_.state_dir, log->keys()));
  if (published.head) {
    CARNET_RETURN_IF_ERROR(log->CheckOwnHead(published.head->note));
  }
  log->SetPublished(std::move(published));
  return log;
}

absl::Status Log::TakeKeys(std::vector<crypto::Ed25519KeyPair> held) {
  CARNET_ASSIGN_OR_RETURN(std::vector<LogKey> stored, store().ReadLogKeys());
  CARNET_ASSIGN_OR_RETURN(LogKeys keys, LogKeys::Create(key(), std::move(stored)));
  {
    const MutexLock lock(keys_mutex_);
    for (crypto::Ed25519KeyPair& pair : held) {
      std::string public_key = ToString(pair.public_key());
      held_.emplace(std::move(public_key), std::move(pair));
    }
    for (const NoteKey& signing : keys.Signing()) {
      if (held_.count(ToString(signing.public_key)) == 0) {
        return absl::FailedPreconditionError("log: a key that signs its heads is not held");
      }
    }
  }
  UseKeys(std::move(keys));
  return absl::OkStatus();
}

void Log::UseKeys(LogKeys keys) {
  {
    const MutexLock lock(keys_mutex_);
    for (const LogKey& known : keys.all()) {
      if (known.until != 0) {
        held_.erase(ToString(known.note.public_key));
      }
    }
  }
  SetKeys(std::move(keys));
}

void Log::OfferKey(crypto::Ed25519KeyPair pair) {
  std::string public_key = ToString(pair.public_key());
  const MutexLock lock(keys_mutex_);
  held_.emplace(std::move(public_key), std::move(pair));
}

void Log::WithdrawKey(const crypto::Ed25519PublicKey& public_key) {
  const LogKeys known_keys = keys();
  for (const LogKey& known : known_keys.all()) {
    if (known.note.public_key == public_key) {
      return;
    }
  }
  const MutexLock lock(keys_mutex_);
  held_.erase(ToString(public_key));
}

absl::StatusOr<std::string> Log::SignHandover(absl::string_view text) const {
  const std::string newest = ToString(keys().newest().public_key);
  const MutexLock lock(keys_mutex_);
  const auto pair = held_.find(newest);
  if (pair == held_.end()) {
    return absl::InternalError("log: its newest key is not held");
  }
  return ToString(pair->second.Sign(AsBytes(text)));
}

absl::StatusOr<LogKeys> Log::KeysAfter(const StoreBatch& batch) const {
  LogKeys after = keys();
  std::uint64_t index = batch.first_index;
  for (const StoredRecord& stored : batch.records) {
    CARNET_RETURN_IF_ERROR(after.Follow(index, stored.record).status());
    ++index;
  }
  const MutexLock lock(keys_mutex_);
  for (const NoteKey& signing : after.Signing()) {
    if (held_.count(ToString(signing.public_key)) == 0) {
      return absl::FailedPreconditionError("log: a key that would sign its heads is not held");
    }
  }
  return after;
}

// The same steps after a clean stop, a crash and on a new folder. A crash inside of Recover is
// found by the next one.
absl::Status Log::Recover() {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t size, store().Size());
  CARNET_ASSIGN_OR_RETURN(CompactRange range, CheckNewestHead(size));
  const std::uint64_t signed_size = range.size();
  // Records after the newest head: a crash came between their commit and the head's. Nobody was
  // told of them, but they are durable; they are held to what a batch is held to, and the next head
  // covers them.
  CARNET_RETURN_IF_ERROR(ReadBack(size, range));
  CARNET_ASSIGN_OR_RETURN(const Digest stored_root, RootOfSize(size, TreeReader()));
  if (range.Root() != stored_root) {
    return LogMisbehaviourError("log: the records after the newest head are not those of the tree");
  }
  CARNET_RETURN_IF_ERROR(CheckHeadFile(size));
  edge_.range = range;
  CARNET_ASSIGN_OR_RETURN(edge_.tiles,
                          TileBuilder::Load(size, [this](unsigned level, std::uint64_t index) {
                            return store().ReadTile(level, index);
                          }));
  CARNET_ASSIGN_OR_RETURN(const std::optional<SignedHead> newest, store().NewestHead());
  if (!newest || signed_size < size) {
    return SignAndKeep(range);
  }
  SignedHead head{.head = {.origin = options_.origin, .size = size, .root = range.Root()},
                  .note = newest->note};
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(options_.head_file, AsBytes(head.note)));
  SetHead(std::move(head));
  return absl::OkStatus();
}

// The tree's edge at the newest head in the store, which is what the store now holds there.
absl::StatusOr<CompactRange> Log::CheckNewestHead(std::uint64_t size) const {
  CARNET_ASSIGN_OR_RETURN(const std::optional<SignedHead> newest, store().NewestHead());
  if (!newest) {
    return CompactRange();
  }
  const absl::StatusOr<ledger::Head> head = ParseHead(newest->note, keys());
  if (!head.ok() || head->size != newest->head.size || head->root != newest->head.root) {
    return LogMisbehaviourError(
        "log: the newest head in the store is not one that this log signed");
  }
  if (head->size > size) {
    return LogMisbehaviourError(
        absl::StrCat("log: it signed a head of ", head->size, " records and holds ", size));
  }
  CARNET_ASSIGN_OR_RETURN(CompactRange range, RangeOfSize(head->size, TreeReader()));
  if (range.Root() != head->root) {
    return LogMisbehaviourError(
        absl::StrCat("log: its tiles do not give the root that it signed at ", head->size));
  }
  return range;
}

absl::Status Log::CheckHeadFile(std::uint64_t size) const {
  const absl::StatusOr<Bytes> bytes = ReadFile(options_.head_file, kNoteBytesMax);
  if (absl::IsNotFound(bytes.status())) {
    // The first head of a new log is in the store before it is in the file. After that the file is
    // always there.
    CARNET_ASSIGN_OR_RETURN(const std::uint64_t heads, store().HeadCount());
    return heads <= 1
               ? absl::OkStatus()
               : WithRemedy(WithOperatorDetail(
                                absl::FailedPreconditionError("log: the head file is missing"),
                                options_.head_file.string()),
                            "put it back; if it is lost, write there the newest head of this log "
                            "that anybody "
                            "else holds, so that a rolled back state is noticed");
  }
  CARNET_RETURN_IF_ERROR(bytes);
  const absl::StatusOr<ledger::Head> head = ParseHead(AsText(*bytes), keys());
  if (!head.ok()) {
    const std::uint64_t claimed = ClaimedSize(AsText(*bytes), options_.origin);
    if (claimed > size) {
      // Nobody else writes there: it is signed by a key whose rotation was lost with the records.
      return LogMisbehaviourError(
          absl::StrCat("log: the head file says that it had ", claimed,
                       " records, under a key that is not on record; it holds ", size,
                       ": the state was rolled back"));
    }
    return WithOperatorDetail(
        absl::FailedPreconditionError("log: the head file holds no head of this log"),
        options_.head_file.string());
  }
  if (head->size > size) {
    return LogMisbehaviourError(absl::StrCat("log: the head file says that it had ", head->size,
                                             " records; it holds ", size,
                                             ": the state was rolled back"));
  }
  CARNET_ASSIGN_OR_RETURN(const Digest root, RootOfSize(head->size, TreeReader()));
  if (root != head->root) {
    return LogMisbehaviourError(absl::StrCat("log: the head file has another root at ", head->size,
                                             " records: two histories"));
  }
  return absl::OkStatus();
}

absl::StatusOr<AppendResult> Log::Append(const std::vector<v1::SignedRecord>& records) {
  if (closed()) {
    return absl::FailedPreconditionError("log: closed by an earlier failure; start again");
  }
  std::vector<Digest> leaves;
  CARNET_ASSIGN_OR_RETURN(StoreBatch batch, MakeBatch(records, edge_.range.size(), leaves));
  Edge edge = edge_;
  for (const Digest& leaf : leaves) {
    edge.range.Append(leaf);
    edge.tiles.Append(leaf);
  }
  batch.tiles = edge.tiles.TakeChanged();
  CARNET_ASSIGN_OR_RETURN(LogKeys after, KeysAfter(batch));
  if (after.all().size() != keys().all().size() ||
      after.Signing().size() != keys().Signing().size()) {
    batch.log_keys = after.all();
  }
  absl::StatusOr<AppendResult> result = AppendBatch(batch, std::move(edge), std::move(after));
  if (!result.ok()) {
    closed_ = true;
  }
  return result;
}

absl::StatusOr<AppendResult> Log::AppendBatch(const StoreBatch& batch, Edge edge, LogKeys keys) {
  // Commit point 1. A crash before it: the batch never was. After it: the batch is durable, nobody
  // was told, no head covers it; the next Open signs one.
  CARNET_RETURN_IF_ERROR(store().AppendBatch(batch));
  CompactRange read_back = edge_.range;
  CARNET_RETURN_IF_ERROR(ReadBack(edge.range.size(), read_back));
  if (read_back.Root() != edge.range.Root()) {
    return LogMisbehaviourError("log: what was read back is not what was written");
  }
  for (const StoredTile& tile : batch.tiles) {
    CARNET_ASSIGN_OR_RETURN(const Bytes stored, store().ReadTile(tile.level, tile.index));
    if (stored != tile.hashes) {
      return LogMisbehaviourError("log: a tile that was read back is not the one that was written");
    }
  }
  if (!batch.log_keys.empty()) {
    UseKeys(std::move(keys));  // They are on record, and in the store with the records.
  }
  CARNET_RETURN_IF_ERROR(SignAndKeep(edge.range));
  edge_ = std::move(edge);
  return AppendResult{.first_index = batch.first_index, .head = Head()};
}

absl::Status Log::ReadBack(std::uint64_t end, CompactRange& range) const {
  while (range.size() < end) {
    const std::uint64_t count = std::min(kReadBackRecords, end - range.size());
    CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                            store().ReadRecords(range.size(), count));
    for (const StoredRecord& stored : records) {
      const absl::StatusOr<std::string> entry = LeafEntry(stored.record);
      if (!entry.ok() || *entry != stored.entry) {
        return LogMisbehaviourError(
            absl::StrCat("log: record ", range.size(), " is not the one of its entry"));
      }
      range.Append(LeafHash(AsBytes(stored.entry)));
    }
  }
  return absl::OkStatus();
}

absl::Status Log::SignAndKeep(const CompactRange& range) {
  const ledger::Head head{.origin = options_.origin, .size = range.size(), .root = range.Root()};
  SignedHead signed_head;
  {
    const std::vector<NoteKey> signing = keys().Signing();
    std::vector<const crypto::Ed25519KeyPair*> pairs;
    const MutexLock lock(keys_mutex_);
    for (const NoteKey& note_key : signing) {
      const auto pair = held_.find(ToString(note_key.public_key));
      CARNET_CHECK(pair != held_.end());  // TakeKeys and KeysAfter saw it, and none is withdrawn.
      pairs.push_back(&pair->second);
    }
    CARNET_ASSIGN_OR_RETURN(signed_head, SignHead(head, pairs));
  }
  // Commit points 2 and 3, the store and the second place, side by side: each waits for its disk.
  // A crash before both: the head was signed and never left; signing again gives the same bytes.
  // After one of them: the next Open finds the head in one place, over records that are durable,
  // and brings it to the other. After both the head may leave the process.
  absl::Status kept;
  std::thread second_place(
      [&] { kept = WriteFileAtomic(options_.head_file, AsBytes(signed_head.note)); });
  const absl::Status stored = store().AppendHead(signed_head);
  second_place.join();
  CARNET_RETURN_IF_ERROR(stored);
  CARNET_RETURN_IF_ERROR(kept);
  SetHead(std::move(signed_head));
  return absl::OkStatus();
}

absl::Status Log::CheckOwnHead(absl::string_view note) {
  CARNET_ASSIGN_OR_RETURN(const ledger::Head head, ParseHead(note, keys()));
  if (head.size > Size()) {
    closed_ = true;
    return LogMisbehaviourError(absl::StrCat("log: somebody holds a head of ", head.size,
                                             " records that this log signed; it holds ", Size(),
                                             ": the state was rolled back"));
  }
  CARNET_ASSIGN_OR_RETURN(const Digest root, Root(head.size));
  if (root != head.root) {
    closed_ = true;
    return LogMisbehaviourError(
        absl::StrCat("log: somebody holds a head of ", head.size,
                     " records that this log signed, with another root: two histories"));
  }
  return absl::OkStatus();
}

absl::Status Log::CloseAs(absl::Status misbehaviour) {
  closed_ = true;
  return misbehaviour;
}

absl::Status Log::SetWitnessed(bool witnessed) {
  if (witnessed == this->witnessed()) {
    return absl::OkStatus();
  }
  return KeepPublished({.witnessed = witnessed, .head = std::nullopt});
}

absl::Status Log::WithdrawPublished() {
  return KeepPublished({.witnessed = true, .head = std::nullopt});
}

// Commit point. A crash before it: what was published before stays so, and the witnesses are asked
// again. After it: this is.
absl::Status Log::KeepPublished(Published published) {
  CARNET_RETURN_IF_ERROR(WritePublished(options_.state_dir, published));
  SetPublished(std::move(published));
  return absl::OkStatus();
}

absl::Status Log::Publish(absl::string_view note) {
  CARNET_RETURN_IF_ERROR(CheckOwnHead(note));
  CARNET_ASSIGN_OR_RETURN(ledger::Head head, ParseHead(note, keys()));
  const absl::StatusOr<SignedHead> before = PublishedHead();
  if (!witnessed() || (before.ok() && before->head.size > head.size)) {
    return absl::FailedPreconditionError("log: a head as large is published already");
  }
  return KeepPublished(
      {.witnessed = true, .head = SignedHead{.head = std::move(head), .note = std::string(note)}});
}

absl::Status Log::CheckSeen(const v1::Seen& seen) const {
  const absl::Status not_seen =
      absl::FailedPreconditionError("log: `seen` is not a prefix of this log");
  if (seen.origin() != options_.origin || seen.size() > Size()) {
    return not_seen;
  }
  CARNET_ASSIGN_OR_RETURN(const Digest root, Root(seen.size()));
  return AsText(root) == seen.root() ? absl::OkStatus() : not_seen;
}

}  // namespace carnet::ledger
