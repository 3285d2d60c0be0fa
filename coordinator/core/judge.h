// One flow judged, whatever goes wrong on the way: a denial of its own, never an abort and never a
// yes. Pure.
#ifndef CARNET_COORDINATOR_CORE_JUDGE_H_
#define CARNET_COORDINATOR_CORE_JUDGE_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/flows.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {

// Reason ids of denials that no rule gave. The coordinator alarms when one goes on record.
inline constexpr char kFactsError[] = "facts/error";  // the facts could not be gathered
inline constexpr char kBundleError[] =
    "bundle/error";  // the policies could not be evaluated on them

// A larger decision could make a statement that no ledger takes (1 MiB): its words are left out,
// and if it is still larger it is a bundle/error, with and without words alike.
inline constexpr std::size_t kDecisionBytesMax = std::size_t{512} * 1024;
// What the first failure of such a decision says (without one, the first warning), as `because`.
inline constexpr char kWordsLeftOut[] =
    "The words of this decision are left out: with them it is larger than a record can hold.";

struct Judged {
  policies::FactSet facts;  // those that the decision was taken on; of a facts/error: none but the
                            // operation's own
  v1::Decision decision;    // as policies::Evaluate leaves it
  bool in_error = false;    // denied with one of the reasons above, and nothing else
};

// Facts (flows.h) and policies::Evaluate. In error: the state lacks what the flow names, or a
// library threw while facts were gathered (facts); there is no bundle, a library threw during the
// evaluation, or the decision is larger than kDecisionBytesMax (bundle). Whatever is thrown ends
// here. `words` never changes the verdict or a reason.
Judged Judge(const State& state, const FlowContext& flow, absl::Time at, policies::Words words);

// The two parts of a judgement. Neither is null.
struct JudgeParts {
  policies::FactSet (*gather)(const State& state, const FlowContext& flow, absl::Time at);
  v1::Decision (*evaluate)(const policies::Bundle& bundle, const policies::FactSet& facts,
                           absl::Time at, policies::Words words);
};
// Judge, by these parts.
Judged JudgeBy(const JudgeParts& parts, const State& state, const FlowContext& flow, absl::Time at,
               policies::Words words);

// Whether the decision was denied in error.
bool IsInError(const v1::Decision& decision);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_JUDGE_H_
