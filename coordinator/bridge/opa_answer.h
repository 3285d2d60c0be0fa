// What Open Policy Agent answers over its data API (openpolicyagent.org/docs/rest-api, "Get a
// Document (with Input)"), read strictly: whatever is not plainly a verdict is none. Pure.
#ifndef CARNET_COORDINATOR_BRIDGE_OPA_ANSWER_H_
#define CARNET_COORDINATOR_BRIDGE_OPA_ANSWER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::coordinator {

inline constexpr std::size_t kOpaAnswerBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kOpaReasonsMax = 16;
inline constexpr std::size_t kOpaReasonBytesMax = 256;
inline constexpr std::size_t kOpaDecisionIdBytesMax = 128;

struct OpaAnswer {
  bool allow = false;
  std::vector<std::string> reasons;  // in its own words, without characters that deceive a reader
  std::string decision_id;           // of its decision log; empty: it keeps none
};

// {"result": true} or {"result": {"allow": true, "reasons": ["…"]}}, and besides `result` only
// `decision_id`, `metrics` and `provenance`. Errors: NOT_FOUND there is no result: the rule is
// undefined for this input. INVALID_ARGUMENT anything else, larger than kOpaAnswerBytesMax
// included. Neither says anything of the answer's own words.
absl::StatusOr<OpaAnswer> ParseOpaAnswer(absl::string_view body);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_BRIDGE_OPA_ANSWER_H_
