// Reading signed heads (C2SP signed-note, tlog-checkpoint, tlog-cosignature). Pure.
#ifndef CARNET_LEDGER_VERIFIER_HEADS_H_
#define CARNET_LEDGER_VERIFIER_HEADS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"

namespace carnet::ledger::verifier {

inline constexpr std::size_t kHeadBytesMax = std::size_t{16} * 1024;
inline constexpr std::size_t kSignatureLinesMax = 64;

// A key as a vkey names it: type 1 signs notes, type 4 cosigns them with a time.
struct VerifierKey {
  std::string name;
  std::uint8_t type = 1;
  crypto::Ed25519PublicKey public_key{};
  std::uint32_t id = 0;
  // Of a log: the keys that it was handed over to, oldest first (key_history.h). A head counts when
  // any of them signed it.
  std::vector<VerifierKey> successors = {};
};
// Error INVALID_ARGUMENT.
absl::StatusOr<VerifierKey> ParseVerifierKey(absl::string_view vkey);

struct TreeHead {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  bool operator==(const TreeHead&) const = default;
};

// What an unverified note says of itself: for looking around before there is a key. Error
// UNAUTHENTICATED: malformed.
absl::StatusOr<TreeHead> ReadUnverifiedHead(absl::string_view note);

// A head whose log signature verified.
struct VerifiedHead {
  TreeHead tree;
  std::string note;  // as it came
};

// Error UNAUTHENTICATED: malformed, another origin than the key's name, no valid signature of
// `log` or its successors, one that does not verify, or two of one key.
absl::StatusOr<VerifiedHead> VerifyHead(absl::string_view note, const VerifierKey& log);

// The time at which `witness` (type 4) cosigned the head. Errors: NOT_FOUND it did not;
// UNAUTHENTICATED its line does not verify.
absl::StatusOr<absl::Time> VerifyCosignature(const VerifiedHead& head, const VerifierKey& witness);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_HEADS_H_
