#include "policies/test_runner.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "policies/base_allow.h"
#include "policies/compiled.h"
#include "policies/evaluate.h"
#include "policies/group_tests.h"
#include "policies/loader.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

template <typename Failures>
const v1::Failure* FindReason(const Failures& failures, const std::string& reason) {
  for (const v1::Failure& failure : failures) {
    if (failure.reason() == reason) {
      return &failure;
    }
  }
  return nullptr;
}

std::string VerdictWord(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_ALLOW:
      return "allow";
    case v1::VERDICT_HOLD:
      return "hold";
    default:
      return "deny";
  }
}

std::string ReasonsIn(const v1::Decision& decision) {
  std::string text;
  for (const v1::Failure& failure : decision.failures()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", failure.reason());
  }
  return text.empty() ? "no rule failed" : absl::StrCat("failed: ", text);
}

bool IsNamed(const std::vector<std::string>& reasons, const std::string& reason) {
  return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
}

// A missing fact counts where the expected reasons name it, or anywhere if none is expected.
bool NamesMissing(const TestCase& test, const v1::Decision& decision, const std::string& path) {
  for (const v1::Failure& failure : decision.failures()) {
    const bool meant = test.reasons.empty() || IsNamed(test.reasons, failure.reason());
    const auto& missing = failure.missing_facts();
    if (meant && std::find(missing.begin(), missing.end(), path) != missing.end()) {
      return true;
    }
  }
  return false;
}

using Report = std::function<void(const std::string&)>;

// Rules that tell and do not decide: `warns` are in mode warn, `shadows` in mode shadow.
void CompareWarnings(const TestCase& test, const v1::Decision& decision, const Report& report) {
  const auto expect = [&](const std::vector<std::string>& reasons, const std::string& mode,
                          const std::string& what) {
    for (const std::string& reason : reasons) {
      const v1::Failure* warning = FindReason(decision.warnings(), reason);
      if (warning == nullptr) {
        report(absl::StrCat("expected ", what, " by ", reason));
      } else if (warning->mode() != mode) {
        report(absl::StrCat("expected ", what, " by ", reason, ", which is in mode ",
                            warning->mode()));
      }
    }
  };
  expect(test.warns, "warn", "a warning");
  expect(test.shadows, "shadow", "a note in shadow");
  for (const std::string& reason : test.not_warns) {
    if (FindReason(decision.warnings(), reason) != nullptr) {
      report(absl::StrCat("did not expect a warning by ", reason));
    }
  }
}

bool IsAsExpected(const ExpectedDuty& expected, const v1::Obligation& duty) {
  return duty.rule() == expected.rule && (expected.of.empty() || duty.of() == expected.of) &&
         (expected.text.empty() || duty.duty() == expected.text) &&
         (expected.within == absl::ZeroDuration() ||
          duty.within_seconds() ==
              static_cast<std::uint64_t>(absl::ToInt64Seconds(expected.within)));
}

void CompareDuties(const TestCase& test, const v1::Decision& decision, const Report& report) {
  const auto& duties = decision.obligations();
  for (const ExpectedDuty& expected : test.duties) {
    const auto found = std::find_if(
        duties.begin(), duties.end(),
        [&expected](const v1::Obligation& duty) { return duty.rule() == expected.rule; });
    if (found == duties.end()) {
      report(absl::StrCat("expected a duty by ", expected.rule));
    } else if (std::none_of(duties.begin(), duties.end(), [&expected](const v1::Obligation& duty) {
                 return IsAsExpected(expected, duty);
               })) {
      report(absl::StrCat("expected another duty by ", expected.rule, ", which asks ",
                          found->bound(), ", of ", found->of(), ": ", found->duty()));
    }
  }
}

// Of the reasons that the case names, or of all that failed.
void CompareExceptionPossible(const TestCase& test, const v1::Decision& decision,
                              const Report& report) {
  for (const v1::Failure& failure : decision.failures()) {
    const bool meant = test.reasons.empty() || IsNamed(test.reasons, failure.reason());
    if (test.exception_possible.has_value() && meant &&
        failure.exception_possible() != *test.exception_possible) {
      report(absl::StrCat("expected that ", *test.exception_possible ? "an" : "no",
                          " exception of ", failure.reason(), " is possible"));
    }
  }
}

std::vector<std::string> Compare(const TestCase& test, const v1::Decision& decision) {
  std::vector<std::string> problems;
  const auto report = [&problems](const std::string& text) { problems.push_back(text); };
  if (VerdictWord(decision.verdict()) != test.expect) {
    report(absl::StrCat("expected ", test.expect, ", got ", VerdictWord(decision.verdict()), " (",
                        ReasonsIn(decision), ")"));
  }
  for (const std::string& reason : test.reasons) {
    if (FindReason(decision.failures(), reason) == nullptr) {
      report(absl::StrCat("expected the reason ", reason, " (", ReasonsIn(decision), ")"));
    }
  }
  for (const std::string& reason : test.not_reasons) {
    if (FindReason(decision.failures(), reason) != nullptr) {
      report(absl::StrCat("did not expect the reason ", reason));
    }
  }
  for (const std::string& path : test.missing) {
    if (!NamesMissing(test, decision, path)) {
      report(absl::StrCat("expected the missing fact ", path));
    }
  }
  CompareWarnings(test, decision, report);
  CompareDuties(test, decision, report);
  CompareExceptionPossible(test, decision, report);
  for (const std::string& id : test.exceptions) {
    const auto& used = decision.exceptions();
    if (std::find(used.begin(), used.end(), id) == used.end()) {
      report(absl::StrCat("expected the exception ", id, " to be used"));
    }
  }
  return problems;
}

// An exception that a case expects has the approvals that it asks for, unless the case itself says
// who approved what.
FactSet FactsOf(const TestCase& test, const CompiledBundle& bundle) {
  FactSet facts = test.facts;
  if (test.exceptions.empty() || !facts.Get(kApprovals).is_unknown()) {
    return facts;
  }
  std::vector<Approval> approvals;
  for (const Policy& policy : bundle.policies) {
    for (const Exception& exception : policy.exceptions) {
      const bool expected = std::find(test.exceptions.begin(), test.exceptions.end(),
                                      exception.id) != test.exceptions.end();
      const Approvers& approvers = exception.approvers;
      for (std::uint32_t i = 0; expected && i < approvers.need && !approvers.roles.empty(); ++i) {
        approvals.push_back({absl::StrCat(policy.name, "/", exception.id),
                             absl::StrCat("person-", i + 1), approvers.roles.front()});
      }
    }
  }
  // Of more than a fact can hold none counts, and the case says that the exception was not used.
  if (approvals.empty() || !facts.Set(kApprovals, Value::Approvals(std::move(approvals))).ok()) {
    return test.facts;
  }
  return facts;
}

absl::StatusOr<std::shared_ptr<const Bundle>> BundleFor(const Bundle& bundle,
                                                        const TestSuite& suite) {
  const std::vector<std::string> names =
      suite.policies.empty() ? bundle.PolicyNames() : suite.policies;
  absl::StatusOr<std::shared_ptr<const Bundle>> under_test = SubsetOf(bundle, names);
  if (!under_test.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(suite.place, ": the tests '", suite.name,
                                                   "' need a policy that is not here; ",
                                                   under_test.status().message()));
  }
  return suite.base_allow ? WithBaseAllow(**under_test) : *under_test;
}

}  // namespace

absl::StatusOr<TestReport> RunTests(const Bundle& bundle) {
  TestReport report;
  for (const TestSuite& suite : bundle.compiled().suites) {
    for (const GroupTest& test : suite.groups) {
      for (TestOutcome& outcome : RunGroupTest(bundle.compiled(), suite, test)) {
        ++(outcome.passed ? report.passed : report.failed);
        report.outcomes.push_back(std::move(outcome));
      }
    }
    if (suite.cases.empty()) {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const Bundle> under_test,
                            BundleFor(bundle, suite));
    for (const TestCase& test : suite.cases) {
      TestOutcome outcome{suite.name, test.name, test.place, false, {}, {}};
      outcome.decision = Evaluate(*under_test, FactsOf(test, under_test->compiled()), test.at);
      outcome.problems = Compare(test, outcome.decision);
      outcome.passed = outcome.problems.empty();
      ++(outcome.passed ? report.passed : report.failed);
      report.outcomes.push_back(std::move(outcome));
    }
  }
  return report;
}

}  // namespace carnet::policies
