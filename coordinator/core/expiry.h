// What ends soon: the bundle in force, evidence, and assessments of models. Pure.
#ifndef CARNET_COORDINATOR_CORE_EXPIRY_H_
#define CARNET_COORDINATOR_CORE_EXPIRY_H_

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Somebody is warned when so many days are left, and when none is.
inline constexpr std::array<int, 4> kExpiryWarningDays = {30, 14, 7, 1};

// The warning that holds while `left` remains: the least of kExpiryWarningDays that it is within;
// 0: over. Null: it is too early for any.
std::optional<int> ExpiryWarning(absl::Duration left);

struct Ending {
  // Empty: the bundle in force. Of an assessment: sha256:<hex> of its model.
  std::string evidence_id;
  std::string kind;  // of the evidence, e.g. "tia", or "assessment"
  absl::Time ends;
  int warning_days = 0;  // as ExpiryWarning says
};
// The bundle first, then evidence by its id, then assessments by their models; what has ended, or
// was withdrawn, is not among them.
std::vector<Ending> EndingSoon(const State& state, absl::Time now);

// When the bundle, or the first of evidence and assessments, ends; null: there is none that has
// not.
absl::Time BundleEnds(const State& state);
std::optional<absl::Time> EvidenceEnds(const State& state, absl::Time now);

// Says each warning once. What it has said is lost with the process, and said again by the next.
class ExpiryWatch {
 public:
  // The warnings that are new since the last call.
  std::vector<Ending> News(const State& state, absl::Time now);

 private:
  std::map<std::string, int> said_;  // bundle digest or evidence id -> warning_days
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_EXPIRY_H_
