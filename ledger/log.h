// The append-only log. What it promises:
//   P1  An index returned means that the record is durable at that index for ever.
//   P2  A signed head means that every tile and entry that it implies is durable and was read back
//   and re-hashed before
//       signing.
//   P3  Never two entries at one index, never two roots for one size.
//   P4  After any crash, size >= the last signed size, or Open refuses and says why.
// Promised as far as the file systems of the state folder and of the head file keep what they
// fsynced.
#ifndef CARNET_LEDGER_LOG_H_
#define CARNET_LEDGER_LOG_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "carnet/v1/ledger.pb.h"
#include "crypto/ed25519.h"
#include "ledger/errors.h"
#include "ledger/merkle.h"
#include "ledger/tile_builder.h"
#include "ledger/view.h"

namespace carnet::ledger {

// Files in a state folder.
inline constexpr char kStoreFileName[] = "ledger.db";
inline constexpr char kLockFileName[] = "lock";
inline constexpr char kHeadFileName[] = "head";

// Records in one durable transaction, and their statements together.
inline constexpr std::size_t kBatchRecordsMax = 1024;
inline constexpr std::size_t kBatchBytesMax = std::size_t{16} * 1024 * 1024;

struct LogOptions {
  std::filesystem::path state_dir;  // exists
  std::filesystem::path
      head_file;  // a second place for the newest head, best on another device; empty: <state>/head
  std::string origin;              // the log's name, a note name without a scheme
  std::string founding_vkey = {};  // of a log whose key was rotated; empty: its only key's
};

struct AppendResult {
  std::uint64_t first_index = 0;
  SignedHead head;  // covers the whole batch
};

// One thread appends; everything else may be called from any thread.
class Log final : public LogView {
 public:
  // Takes the state lock, moves the store's write-ahead log into its file and fsyncs it, compares
  // what is stored with the head file and with the newest head that this log signed, and signs a
  // head over a tail that a crash left unsigned (its records were never acknowledged, but they are
  // durable and stay). A new folder gets a head of size 0. key: of the log; not kept beyond the
  // object.
  //
  // Errors, none worth a retry:
  //   DATA_LOSS, IsLogMisbehaviour   the store is smaller than a head that was signed, or has
  //   another root at its size: a
  //                                  rolled back or damaged store. Exit 4; nothing was written.
  //   FAILED_PRECONDITION            another process holds the lock; the store belongs to another
  //   log or key; the head
  //                                  file is missing although this log has published heads, or is
  //                                  no head of this log.
  //   others                         the store's and base/files.h's.
  static absl::StatusOr<std::unique_ptr<Log>> Open(LogOptions options, crypto::Ed25519KeyPair key);
  // A log whose key was rotated: `held` are those that sign now (LogKeys::Signing); further ones
  // are passed over. FAILED_PRECONDITION too: one of them is not held.
  static absl::StatusOr<std::unique_ptr<Log>> Open(LogOptions options,
                                                   std::vector<crypto::Ed25519KeyPair> held);

  // Appends the records in their order as one durable transaction, reads them back, re-hashes,
  // signs the new head and makes it durable in the store and in the head file. Every record is
  // opened first (record.h), so that no record enters that a later start would refuse.
  //
  // Errors: INVALID_ARGUMENT or UNAUTHENTICATED a record is not a valid one; empty batch.
  // RESOURCE_EXHAUSTED over the bounds above. In these cases nothing was written and the log stays
  // open. Any other error closes the log: every later call fails with FAILED_PRECONDITION, whether
  // the batch is durable is unknown, and the process starts again, so that Open finds out.
  absl::StatusOr<AppendResult> Append(const std::vector<v1::SignedRecord>& records);

  // Holds a head that somebody brings against this log. OK: it is a prefix of this log.
  // INVALID_ARGUMENT or UNAUTHENTICATED: no head with this log's signature, so it proves nothing.
  // DATA_LOSS, IsLogMisbehaviour: this log signed it and does not extend it, so the state was
  // rolled back or forked; the log is closed from here on.
  absl::Status CheckOwnHead(absl::string_view note);
  // For what the log cannot tell by its own keys: closes it, and returns `misbehaviour`. Any
  // thread.
  absl::Status CloseAs(absl::Status misbehaviour);
  // Whether `seen` (a worker's word, signed or not) is a prefix of this log. FAILED_PRECONDITION:
  // it is not. The log stays open: only its own signature proves anything against it.
  absl::Status CheckSeen(const v1::Seen& seen) const;

  // Whether heads need cosignatures before they are published, from now on and after a restart.
  // Turned on, nothing is published before Publish. Errors of base/files.h. The publishing thread
  // calls this and Publish.
  absl::Status SetWitnessed(bool witnessed);
  // Publishes a head of this log that met the witness policy, with its cosignatures; durable on
  // return. One of the size published already replaces it (fresh cosignatures). Errors:
  // FAILED_PRECONDITION smaller than the published one, or the log has no witnesses. Those of
  // CheckOwnHead and base/files.h.
  absl::Status Publish(absl::string_view note);

  // The published head no longer meets the policy, which changed: none is published until Publish.
  absl::Status WithdrawPublished();

  // The key that a key-rotated record, appended later, hands over to. From the head that covers
  // that record on, it signs beside the one before; that one signs no head that covers the order of
  // its own destruction, and is then forgotten here. Any thread.
  void OfferKey(crypto::Ed25519KeyPair pair) CARNET_EXCLUDES(keys_mutex_);
  // What was offered and came on no record. Fine if it is not held; a key that signs stays.
  void WithdrawKey(const crypto::Ed25519PublicKey& public_key) CARNET_EXCLUDES(keys_mutex_);
  // The newest key's signature over the handover to another key (docs/formats.md), whose text is
  // never a head's.
  absl::StatusOr<std::string> SignHandover(absl::string_view text) const
      CARNET_EXCLUDES(keys_mutex_);

  bool closed() const { return closed_.load(); }

 private:
  // What the appending thread knows of the tree's right edge.
  struct Edge {
    CompactRange range;
    TileBuilder tiles;
  };

  Log(NoteKey note_key, std::unique_ptr<Store> store, FileLock lock, LogOptions options);
  // The parts of Open, in their order.
  absl::Status TakeKeys(std::vector<crypto::Ed25519KeyPair> held);
  absl::Status Recover();
  absl::StatusOr<CompactRange> CheckNewestHead(std::uint64_t size) const;
  absl::Status CheckHeadFile(std::uint64_t size) const;

  // The log's keys after these records. FAILED_PRECONDITION: one that would sign is not held.
  absl::StatusOr<LogKeys> KeysAfter(const StoreBatch& batch) const;
  absl::StatusOr<AppendResult> AppendBatch(const StoreBatch& batch, Edge edge, LogKeys keys);
  // Makes these the log's keys; forgets those that sign no more.
  void UseKeys(LogKeys keys);
  // Reads records `range.size()` to `end` back from the store, re-hashes them, and adds their
  // leaves to `range`.
  absl::Status ReadBack(std::uint64_t end, CompactRange& range) const;
  absl::Status SignAndKeep(const CompactRange& range);
  absl::Status KeepPublished(Published published);

  const FileLock lock_;
  const LogOptions options_;
  mutable Mutex keys_mutex_;
  // By public key: those that sign, and those that are offered.
  std::map<std::string, crypto::Ed25519KeyPair> held_ CARNET_GUARDED_BY(keys_mutex_);
  std::atomic<bool> closed_ = false;
  Edge edge_;  // of the appending thread
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_LOG_H_
