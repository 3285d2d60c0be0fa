#include "coordinator/core/judge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "policies/operations.h"

namespace carnet::coordinator {
namespace {

constexpr char kFix[] =
    "Nothing crosses until it is mended: have an operator look at the coordinator's log "
    "(policy.decision-in-error).";

Judged InError(const State& state, const FlowContext& flow, absl::Time at, policies::FactSet facts,
               const char* reason, const std::string& because) {
  Judged judged;
  judged.facts = std::move(facts);
  judged.in_error = true;
  v1::Decision& decision = judged.decision;
  *decision.mutable_at() = ToTimestamp(at);
  decision.mutable_flow()->set_operation(flow.operation);
  decision.mutable_flow()->set_artifact(flow.artifact);
  decision.mutable_flow()->set_from(flow.from);
  decision.mutable_flow()->set_to(flow.to);
  decision.mutable_flow()->set_recipient(flow.recipient);
  decision.set_verdict(v1::VERDICT_DENY);
  v1::Failure& failure = *decision.add_failures();
  failure.set_reason(reason);
  failure.set_because(because);
  failure.set_fix(kFix);
  decision.set_facts_sha256(ToString(judged.facts.Sha256()));
  if (state.bundle != nullptr) {
    decision.set_bundle_sha256(ToString(state.bundle->sha256()));
    decision.set_revision(state.bundle->revision());
  }
  decision.set_evaluator(policies::kEvaluatorVersion);
  return judged;
}

// Makes the decision in a form that a record can hold; false: there is none. Which it is does not
// depend on `words`: who only looks ahead must come to the same verdict.
bool EvaluateBounded(const JudgeParts& parts, const policies::Bundle& bundle,
                     const policies::FactSet& facts, absl::Time at, policies::Words words,
                     v1::Decision* decision) {
  *decision = parts.evaluate(bundle, facts, at, words);
  if (decision->ByteSizeLong() <= kDecisionBytesMax) {
    return true;
  }
  if (words == policies::Words::kLeftOut) {
    return false;
  }
  *decision = parts.evaluate(bundle, facts, at, policies::Words::kLeftOut);
  const bool fits = decision->ByteSizeLong() <= kDecisionBytesMax;
  if (!decision->failures().empty()) {
    decision->mutable_failures(0)->set_because(kWordsLeftOut);
  } else if (!decision->warnings().empty()) {
    decision->mutable_warnings(0)->set_because(kWordsLeftOut);
  }
  return fits;
}

}  // namespace

Judged Judge(const State& state, const FlowContext& flow, absl::Time at, policies::Words words) {
  constexpr JudgeParts kParts{
      [](const State& s, const FlowContext& f, absl::Time t) { return Facts(s, f, t); },
      policies::Evaluate};
  return JudgeBy(kParts, state, flow, at, words);
}

Judged JudgeBy(const JudgeParts& parts, const State& state, const FlowContext& flow, absl::Time at,
               policies::Words words) {
  policies::FactSet facts = policies::FactsFor(flow.operation, flow.artifact);
  if (!flow.lacks.empty()) {
    return InError(state, flow, at, std::move(facts), kFactsError,
                   absl::StrCat("The facts of this flow could not be gathered: ", flow.lacks,
                                " is not on record."));
  }
  if (state.bundle == nullptr) {
    return InError(state, flow, at, std::move(facts), kBundleError, "No policies are in force.");
  }
  Judged judged;
  bool gathered = false;
  bool fits = false;
  // Nothing of ours throws; what a library throws ends here, whatever it is, and as a no.
  try {
    judged.facts = parts.gather(state, flow, at);
    gathered = true;
    fits = EvaluateBounded(parts, *state.bundle, judged.facts, at, words, &judged.decision);
  } catch (...) {
    if (!gathered) {
      return InError(state, flow, at, std::move(facts), kFactsError,
                     "The facts of this flow could not be gathered.");
    }
    return InError(state, flow, at, std::move(judged.facts), kBundleError,
                   "The policies could not be evaluated on the facts of this flow.");
  }
  if (!fits) {
    return InError(state, flow, at, std::move(judged.facts), kBundleError,
                   "The decision is larger than a record can hold.");
  }
  return judged;
}

bool IsInError(const v1::Decision& decision) {
  return std::any_of(decision.failures().begin(), decision.failures().end(),
                     [](const v1::Failure& failure) {
                       return failure.reason() == kFactsError || failure.reason() == kBundleError;
                     });
}

}  // namespace carnet::coordinator
