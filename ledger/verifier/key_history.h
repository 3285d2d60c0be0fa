// Which keys count, and from which record on: genesis names the first ones, each key-rotated hands
// one over. Pure; shares no code with the writer.
#ifndef CARNET_LEDGER_VERIFIER_KEY_HISTORY_H_
#define CARNET_LEDGER_VERIFIER_KEY_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::verifier {

// Rotations of one log that a reader follows.
inline constexpr std::size_t kRotationsMax = 1024;

class KeyHistory {
 public:
  // A certificate authority of the federation.
  struct Authority {
    std::string certificate_pem;
    Digest spki_sha256{};
    absl::Time until = absl::InfiniteFuture();  // end of its overlap; the newest has none
  };

  // genesis: record 0, verified. Error UNAUTHENTICATED: it is another record, or names no log key.
  static absl::StatusOr<KeyHistory> Create(const VerifiedRecord& genesis);

  // The next key-rotated, verified, at `index`. Errors: UNAUTHENTICATED it is another record, not
  // later than the one before, not signed by the statement key in force, names another old key than
  // the one in force, or a signature inside of it does not verify; nothing changes.
  // RESOURCE_EXHAUSTED: over kRotationsMax.
  absl::Status Add(std::uint64_t index, const VerifiedRecord& rotated);

  // Who signs the coordinator's record at `index`.
  const Bytes& StatementKeyAt(std::uint64_t index) const;
  // The log's first key, with those that it was handed over to.
  const VerifierKey& log() const { return log_; }
  // Oldest first; empty in a log that names none.
  const std::vector<Authority>& authorities() const { return authorities_; }
  // Those that count at `now`, one PEM after the other.
  std::string AuthoritiesPem(absl::Time now) const;
  std::size_t rotations() const { return rotations_; }
  std::uint64_t last_index() const { return last_index_; }  // of the newest one; 0: none

 private:
  struct StatementKey {
    std::uint64_t after = 0;  // signs records at larger indexes; the first one signs record 0 too
    Bytes key;
  };

  KeyHistory() = default;

  std::vector<StatementKey> statement_keys_;
  VerifierKey log_;
  std::vector<Authority> authorities_;
  std::size_t rotations_ = 0;
  std::uint64_t last_index_ = 0;
};

// For whoever holds nothing but a log's key: `trusted` with the key that `rotated` hands the log
// over to, as the old key itself signed it. Whether the record is in the log is for the caller to
// check afterwards, under a head of the new key. Error UNAUTHENTICATED: it is no handover from
// `trusted`, or one from another key.
absl::StatusOr<VerifierKey> FollowLogKey(const VerifierKey& trusted, const VerifiedRecord& rotated);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_KEY_HISTORY_H_
