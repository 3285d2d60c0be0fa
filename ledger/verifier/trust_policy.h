// trust.policy: a C2SP tlog-policy file with the line `# genesis <hex>` that says which log is
// meant. Pure.
#ifndef CARNET_LEDGER_VERIFIER_TRUST_POLICY_H_
#define CARNET_LEDGER_VERIFIER_TRUST_POLICY_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "ledger/verifier/heads.h"

namespace carnet::v1 {
class Genesis;
}  // namespace carnet::v1

namespace carnet::ledger::verifier {

inline constexpr std::size_t kTrustPolicyBytesMax = std::size_t{64} * 1024;
inline constexpr std::size_t kTrustPolicyNamesMax = 128;  // logs, witnesses and groups together

struct TrustPolicy {
  struct Witness {
    std::string name;
    VerifierKey key;
    std::string url;  // as written; may be empty
  };
  struct Group {
    std::string name;
    std::size_t needed = 0;
    std::vector<std::string> members;  // witnesses and groups named before
  };
  // At least one. A log whose key was rotated has a line for each key: the first one here, the
  // others as its successors.
  std::vector<VerifierKey> logs;
  std::vector<Witness> witnesses;
  std::vector<Group> groups;
  std::string quorum;  // a name, or "none"
  Digest genesis{};    // leaf hash of record 0
  // From lines `# succeeds <origin>`: earlier logs, whose loss of records the reader accepts. A log
  // whose genesis names another one is not believed.
  std::vector<std::string> succeeds;

  const VerifierKey* FindLog(absl::string_view origin) const;
};

// Whether the policy accepts what the log's genesis says of a log before it. Error UNAUTHENTICATED:
// it succeeds one that lost records, and no line `# succeeds` accepts that.
absl::Status CheckSuccession(const v1::Genesis& genesis, const TrustPolicy& policy);

// Error INVALID_ARGUMENT, naming the line.
absl::StatusOr<TrustPolicy> ParseTrustPolicy(absl::string_view text);

struct TrustedHead {
  VerifiedHead head;
  // Witnesses whose cosignature verified, with its time.
  std::vector<std::pair<std::string, absl::Time>> cosigned;
  bool operator_only = false;  // quorum none: nothing protects against a split view
};

// Errors: UNAUTHENTICATED no log of the policy signed it, or a known witness's line does not
// verify. NOT_FOUND the quorum is not met.
absl::StatusOr<TrustedHead> VerifyTrustedHead(absl::string_view note, const TrustPolicy& policy);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_TRUST_POLICY_H_
