// C2SP tlog-proof files: that a record is in a log, as one file that is checked offline. Pure.
#ifndef CARNET_LEDGER_VERIFIER_TLOG_PROOF_H_
#define CARNET_LEDGER_VERIFIER_TLOG_PROOF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::ledger::verifier {

// Lines before the head, of at most 64 KiB in all (`extra` is the longest), and the head.
inline constexpr std::size_t kTlogProofBytesMax = std::size_t{80} * 1024;

struct TlogProofFile {
  std::uint64_t index = 0;
  std::vector<Digest> path;  // leaf sibling first; at most 64
  std::string head;          // the note, cosignatures included; not verified
};

// The line `extra` is a hint of its writer that nothing signs: it must be base64, and is left out.
// Error UNAUTHENTICATED: malformed.
absl::StatusOr<TlogProofFile> ParseTlogProof(absl::string_view text);

// That the leaf is at the file's index under a head that the policy accepts. Errors as
// VerifyTrustedHead; UNAUTHENTICATED also where the proof does not hold.
absl::StatusOr<TrustedHead> VerifyTlogProof(const TlogProofFile& proof, const Digest& leaf_hash,
                                            const TrustPolicy& policy);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_TLOG_PROOF_H_
