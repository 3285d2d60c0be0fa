// What workers signed and the coordinator took, decided again at its place in the log.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/audit/checks.h"
#include "policies/operations.h"

namespace carnet::coordinator::audit {
namespace {

// "send_metrics from SG: house/no-metrics" of every flow that is not allowed at that time; empty:
// all are.
std::string Denied(const Step& step, const std::vector<FlowContext>& flows, absl::Time at) {
  std::uint64_t counter = 0;
  std::vector<std::string> denied;
  for (const v1::Decision& decision :
       DecideFlows(step.state(), flows, at, {}, &counter).decisions) {
    if (decision.verdict() != v1::VERDICT_ALLOW) {
      denied.push_back(absl::StrCat(policies::OperationWord(decision.flow().operation()), " from ",
                                    decision.flow().from(), ": ",
                                    absl::StrJoin(decision.failures(), ", ",
                                                  [](std::string* out, const v1::Failure& failure) {
                                                    absl::StrAppend(out, failure.reason());
                                                  })));
    }
  }
  return absl::StrJoin(denied, "; ");
}

}  // namespace

void ExpectMayCome(const Step& step, const std::vector<FlowContext>& flows, absl::Time signed_at,
                   absl::Time deadline) {
  const absl::Time earliest = step.state().last;
  const std::string denied = Denied(step, flows, earliest);
  if (denied.empty()) {
    return;
  }
  // What begins with time may have begun since.
  const absl::Time latest = std::clamp(signed_at, earliest, std::max(earliest, deadline));
  if (latest > earliest && Denied(step, flows, latest).empty()) {
    return;
  }
  step.Add(Severity::kBadEvidence, "accepted",
           "what the policies and facts before it let come home", denied);
}

}  // namespace carnet::coordinator::audit
