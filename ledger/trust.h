// What an auditor must get from elsewhere than the log: its key and its first record.
#ifndef CARNET_LEDGER_TRUST_H_
#define CARNET_LEDGER_TRUST_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "ledger/note.h"

namespace carnet::ledger {

// A C2SP tlog-policy file: the log's vkey, `quorum none`, and the line `# genesis <hex of leaf 0>`
// that our tools require.
std::string TrustPolicyText(const NoteKey& log, const Digest& genesis_leaf_hash);
// The same with every key that signed heads of the log, oldest first: heads from before and after
// each rotation count.
// succeeds: origin of the log before, which lost records; empty: none. The text says how a reader
// accepts that, and does not accept it for him.
std::string TrustPolicyText(const std::vector<NoteKey>& keys, const Digest& genesis_leaf_hash,
                            absl::string_view succeeds = "");

// `policy`, a C2SP tlog-policy text, with the lines of those of `keys` (of the log, oldest first)
// that come after the newest one that it names. Keys before that stay out: whoever left one out, as
// after a theft, meant it. Error INVALID_ARGUMENT: it names none of them.
absl::StatusOr<std::string> WithLaterKeys(absl::string_view policy,
                                          const std::vector<NoteKey>& keys);

// The trusted root of Sigstore clients, as JSON. valid_from: when the log's key began to sign.
std::string TrustedRootJson(const NoteKey& log, absl::Time valid_from);

// A key of the log, and when it signed.
struct LogKeySpan {
  NoteKey key;
  absl::Time from;
  std::optional<absl::Time> until;  // none: it signs still
};
// One `tlogs` entry a key, oldest first.
std::string TrustedRootJson(const std::vector<LogKeySpan>& keys);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_TRUST_H_
