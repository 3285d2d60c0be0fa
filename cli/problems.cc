#include "cli/problems.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "policies/explain.h"
#include "policies/jurisdictions.h"

namespace carnet::cli {
namespace {

// What Explain says of one failure: its first line names the flow, the others are the problem.
struct Explained {
  std::string what;
  std::string text;
};

// A warning reads as the failure that it would be if its rule decided.
Explained ExplainOne(const v1::Decision& decision, const v1::Failure* failure) {
  v1::Decision one;
  const bool warns = decision.verdict() == v1::VERDICT_ALLOW;
  one.set_verdict(warns ? v1::VERDICT_DENY : decision.verdict());
  *one.mutable_flow() = decision.flow();
  one.set_bridge(decision.bridge());
  if (failure != nullptr) {
    *one.add_failures() = *failure;
  }
  const std::string words = policies::Explain(one, policies::Reader::kTeam);
  const std::size_t end = words.find('\n');
  absl::string_view what = absl::string_view(words).substr(0, end);
  if (const std::size_t colon = what.find(": "); colon != absl::string_view::npos) {
    what.remove_prefix(colon + 2);
  }
  absl::ConsumeSuffix(&what, ".");
  absl::string_view text = end == std::string::npos ? "" : absl::string_view(words).substr(end + 1);
  absl::ConsumeSuffix(&text, "\n");
  while (absl::ConsumePrefix(&text, " ")) {
  }
  absl::ConsumePrefix(&text, "1 problem: ");
  return {std::string(what), absl::StrReplaceAll(text, {{"\n     ", "\n"}})};
}

// Where the worker stands: at the end of the crossing that is not home.
std::string SiteOf(const v1::Decision& decision) {
  const v1::Operation operation = decision.flow().operation();
  const bool homeward = operation == v1::OPERATION_SEND_DELTA ||
                        operation == v1::OPERATION_SEND_METRICS ||
                        operation == v1::OPERATION_STORE_CHECKPOINT;
  return policies::JurisdictionNameAndCode(homeward ? decision.flow().from()
                                                    : decision.flow().to());
}

// Adds the problem, or its operation to the same one. `failure`: null where nobody said why.
void AddProblem(const v1::Decision& decision, const v1::Failure* failure,
                std::vector<Problem>* problems) {
  const std::string operation = policies::OperationName(decision.flow().operation());
  const std::string key =
      absl::StrCat(decision.flow().to(), "|", failure == nullptr ? "" : failure->reason());
  const auto known = std::find_if(problems->begin(), problems->end(),
                                  [&key](const Problem& problem) { return problem.key == key; });
  Explained explained = ExplainOne(decision, failure);
  if (known == problems->end()) {
    problems->push_back({key, operation, std::move(explained.what), std::move(explained.text)});
    return;
  }
  if (!absl::StrContains(known->operations, operation)) {
    absl::StrAppend(&known->operations, ", ", operation);
  }
  if (known->what != explained.what) {
    known->what = policies::JurisdictionNameAndCode(decision.flow().to());
  }
}

}  // namespace

std::vector<Problem> ProblemsOf(const google::protobuf::RepeatedPtrField<v1::Decision>& decisions) {
  std::vector<Problem> problems;
  for (const v1::Decision& decision : decisions) {
    if (decision.verdict() == v1::VERDICT_ALLOW) {
      continue;
    }
    for (const v1::Failure& failure : decision.failures()) {
      AddProblem(decision, &failure, &problems);
    }
    if (decision.failures().empty()) {
      AddProblem(decision, nullptr, &problems);
    }
  }
  return problems;
}

std::vector<Problem> WarningsOf(const google::protobuf::RepeatedPtrField<v1::Decision>& decisions) {
  std::vector<Problem> warnings;
  for (const v1::Decision& decision : decisions) {
    for (const v1::Failure& warning : decision.warnings()) {
      if (policies::IsWarning(warning)) {
        AddProblem(decision, &warning, &warnings);
      }
    }
  }
  return warnings;
}

std::string WarningText(const Problem& warning) {
  return absl::StrCat("  warning, decides nothing:", ProblemText(warning).substr(1));
}

std::string WarningText(const v1::Failure& warning) {
  return absl::StrCat(
      "warning, decides nothing: ", warning.because().empty() ? warning.title() : warning.because(),
      " (", warning.reason(), ")",
      warning.fix().empty() ? "" : absl::StrCat("\n  Fix: ", warning.fix()));
}

std::string ProblemText(const Problem& problem) {
  return absl::StrCat("  ", problem.operations, " (", problem.what,
                      "): ", absl::StrReplaceAll(problem.text, {{"\n", "\n    "}}));
}

std::string RefusalText(const std::string& who,
                        const google::protobuf::RepeatedPtrField<v1::Decision>& decisions,
                        std::set<std::string>* shown) {
  const std::vector<Problem> problems = ProblemsOf(decisions);
  std::string text = absl::StrCat("refused", who.empty() ? "" : " ", who);
  // An id tells nobody anything: whoever may not list workers reads where it stands.
  if (absl::StartsWith(who, "w-") && !decisions.empty()) {
    absl::StrAppend(&text, " in ", SiteOf(*decisions.begin()));
  }
  if (problems.size() > 1) {
    absl::StrAppend(&text, ": ", problems.size(), " problems");
  }
  bool any = false;
  for (const Problem& problem : problems) {
    if (shown->insert(absl::StrCat(who, "|", problem.key)).second) {
      absl::StrAppend(&text, "\n", ProblemText(problem));
      any = true;
    }
  }
  if (!any && !problems.empty()) {
    absl::StrAppend(&text, ", ", problems.front().operations, ": as said above");
  }
  if (any && !decisions.empty() && !decisions.begin()->other_regions().empty()) {
    absl::StrAppend(&text, "\n  regions that would pass now: ",
                    absl::StrJoin(decisions.begin()->other_regions(), ", "));
  }
  return text;
}

}  // namespace carnet::cli
