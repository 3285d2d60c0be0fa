// The keys of one log: who signs its heads, now and before. A key-rotated record of kind `log` adds
// one; the record that orders the destruction of the one before ends what that one signs. So which
// keys sign a head follows from the records below its size, and from nothing else. Pure.
#ifndef CARNET_LEDGER_LOG_KEYS_H_
#define CARNET_LEDGER_LOG_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/ledger.pb.h"
#include "crypto/ed25519.h"
#include "ledger/head.h"
#include "ledger/note.h"

namespace carnet::ledger {

// The id of the founding key's file.
inline constexpr char kFoundingLogKeyId[] = "log";
// Rotations of one log; readers follow no more.
inline constexpr std::size_t kLogKeysMax = 1025;

struct LogKey {
  NoteKey note;
  std::string key_id;       // of its file
  std::uint64_t from = 0;   // index of its key-rotated; it signs heads of larger sizes
  std::uint64_t until = 0;  // index of the order to destroy it, whose head it signs no more; 0:
                            // none, it signs
};

class LogKeys {
 public:
  explicit LogKeys(NoteKey founding);
  // What a store holds, oldest first; of a log that was never rotated, nothing. Error DATA_LOSS:
  // it does not begin with the founding key, or names another log.
  static absl::StatusOr<LogKeys> Create(NoteKey founding, std::vector<LogKey> stored);

  const NoteKey& founding() const { return keys_.front().note; }
  const NoteKey& newest() const { return keys_.back().note; }
  const std::vector<LogKey>& all() const { return keys_; }  // oldest first, never empty
  // Vkeys, oldest first.
  std::vector<std::string> Vkeys() const;
  std::vector<NoteKey> NoteKeys() const;
  // Those that sign the next head: one, or two during an overlap.
  std::vector<NoteKey> Signing() const;

  // Takes the record that the log holds, or is about to hold, at `index`. True: it changed the
  // keys. Other records change nothing. Errors: INVALID_ARGUMENT a key-rotated of the log that does
  // not follow from the key in force, or while two keys sign.
  absl::StatusOr<bool> Follow(std::uint64_t index, const v1::SignedRecord& record);

 private:
  absl::Status Add(std::uint64_t index, const v1::SignedRecord& record, bool* changed);
  absl::Status Retire(std::uint64_t index, const v1::SignedRecord& record, bool* changed);

  std::vector<LogKey> keys_;
};

// As ParseHead of head.h, by any of the log's keys. Errors: the newest key's.
absl::StatusOr<Head> ParseHead(absl::string_view note, const LogKeys& keys);

// The newest of the log's keys that signed the head. Error UNAUTHENTICATED: none did.
absl::StatusOr<NoteKey> SignerOf(absl::string_view note, const LogKeys& keys);

// As SignHead of head.h, with one line for each pair in their order. At least one.
absl::StatusOr<SignedHead> SignHead(const Head& head,
                                    const std::vector<const crypto::Ed25519KeyPair*>& pairs);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_LOG_KEYS_H_
