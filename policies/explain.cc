#include "policies/explain.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/timestamp.h"
#include "policies/dates.h"
#include "policies/fact_setters.h"
#include "policies/jurisdictions.h"
#include "policies/obligations.h"
#include "policies/operations.h"

namespace carnet::policies {
namespace {

std::string Sentence(std::string text) {
  if (!text.empty()) {
    text[0] = absl::ascii_toupper(static_cast<unsigned char>(text[0]));
    const char last = text.back();
    absl::StrAppend(&text, last == '.' || last == '!' || last == '?' ? "" : ".");
  }
  return text;
}

std::string VerdictName(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_ALLOW:
      return "Allowed";
    case v1::VERDICT_HOLD:
      return "On hold";
    default:
      return "Denied";
  }
}

// "model to Saudi Arabia (SA)".
std::string FlowName(const v1::Flow& flow) {
  std::string text = ArtifactName(flow.artifact());
  if (flow.operation() == v1::OPERATION_TRAIN) {
    return absl::StrCat("training in ", JurisdictionNameAndCode(flow.to()), " on ", text);
  }
  if (flow.operation() == v1::OPERATION_AGGREGATE && !flow.to().empty()) {
    return absl::StrCat("combining deltas in ", JurisdictionNameAndCode(flow.to()));
  }
  return flow.to().empty() ? text : absl::StrCat(text, " to ", JurisdictionNameAndCode(flow.to()));
}

// What is wrong, in one or two sentences. That something is forbidden, that nobody can tell yet
// whether it is, that nobody permitted it and that a person is waited for are four things.
std::string Problem(const v1::Failure& failure) {
  std::string text = failure.hold()            ? "waiting for a person: "
                     : HangsOnUnknown(failure) ? "not permitted while a fact is unknown: "
                     : failure.forbidden()     ? "forbidden: "
                                               : "not permitted: ";
  std::vector<std::string> parts;
  if (!failure.because().empty()) {
    parts.push_back(Sentence(failure.because()));
  }
  if (!failure.found().empty()) {
    parts.push_back(Sentence(failure.found()));
  }
  if (parts.empty()) {
    parts.push_back(Sentence(failure.title().empty() ? failure.reason() : failure.title()));
  }
  absl::StrAppend(&text, absl::StrJoin(parts, " "));
  if (!failure.missing_facts().empty()) {
    absl::StrAppend(&text, " Missing: ", absl::StrJoin(failure.missing_facts(), ", "), ".");
  }
  return text;
}

// What the organisation's own policy engine said, in its words, where the rule reads it.
std::string BridgeText(const v1::Decision& decision, const v1::Failure& failure) {
  const bool reads =
      std::any_of(failure.facts_used().begin(), failure.facts_used().end(),
                  [](const std::string& used) { return absl::StartsWith(used, "bridge.opa = "); });
  return reads && !decision.bridge().empty() ? absl::StrCat(" ", Sentence(decision.bridge())) : "";
}

// Nothing permits it: whatever is unknown besides may not be what it lacks.
bool IsNoAllow(const v1::Failure& failure) {
  return absl::EndsWith(failure.reason(), "/no-allow") || failure.reason() == "no-policy-applies";
}

// What the rule says itself; where something unknown would decide it, first how that comes on
// record.
std::string Fix(const v1::Decision& decision, const v1::Failure& failure) {
  const std::string record =
      IsNoAllow(failure) ? "" : HowToRecord(failure, decision.flow().recipient());
  if (failure.fix().empty()) {
    return record.empty() ? "nothing that this flow can change" : record;
  }
  return record.empty() ? failure.fix() : absl::StrCat(record, ". Or: ", failure.fix());
}

std::string FirstLine(const v1::Decision& decision) {
  return absl::StrCat(VerdictName(decision.verdict()), ": ", FlowName(decision.flow()), ".");
}

// "1 of 2 problems: …", "1 problem: …".
std::string Counted(int position, int count) {
  return count == 1 ? "1 problem" : absl::StrCat(position, " of ", count, " problems");
}

std::string HexOf(const std::string& bytes) {
  return HexEncode(AsBytes(bytes));
}

std::string ConditionOf(const v1::Obligation& obligation) {
  const std::string bound = absl::StrReplaceAll(obligation.bound(), {{"_", " "}});
  if (obligation.kind() == kDeltasRetainedFor) {
    return absl::StrCat("the round's deltas are kept for ", absl::StripPrefix(bound, "is "));
  }
  if (obligation.kind() == kDeltasRetainedDays) {
    return absl::StrCat("the round's deltas are kept ", bound, " days");
  }
  return absl::StrCat(obligation.kind(), " stays ", bound);
}

void AppendObligations(const v1::Decision& decision, std::string* out) {
  for (const v1::Obligation& obligation : decision.obligations()) {
    if (obligation.phase() == "post") {
      absl::StrAppend(out, "  and afterwards, ", obligation.bound(), ", ", obligation.of(), ": ",
                      Sentence(obligation.duty()), " (", obligation.rule(), ")\n");
      continue;
    }
    absl::StrAppend(out, "  on condition that ", ConditionOf(obligation), " (", obligation.rule(),
                    ")\n");
  }
}

void AppendOfficerDetails(const v1::Failure& failure, std::string* out) {
  absl::StrAppend(out, "     rule: ", failure.reason());
  if (!failure.title().empty()) {
    absl::StrAppend(out, " of \"", failure.title(), "\"");
  }
  absl::StrAppend(out, "\n");
  if (!failure.cites().empty()) {
    absl::StrAppend(out, "     cites: ", absl::StrJoin(failure.cites(), "; "), "\n");
  }
  if (!failure.facts_used().empty()) {
    absl::StrAppend(out, "     facts: ", absl::StrJoin(failure.facts_used(), "; "), "\n");
  }
  if (failure.approval_need() > 0) {
    absl::StrAppend(out, "     approval: ", failure.approved_by_size(), " of ",
                    failure.approval_need(), " given, by holders of ",
                    absl::StrJoin(failure.approval_from(), ", "));
    if (!failure.approved_by().empty()) {
      absl::StrAppend(out, "; so far ", absl::StrJoin(failure.approved_by(), ", "));
    }
    absl::StrAppend(out, "\n");
  }
  if (!failure.unconfirmed().empty()) {
    absl::StrAppend(out, "     unconfirmed: ", absl::StrJoin(failure.unconfirmed(), "; "), "\n");
  }
  absl::StrAppend(out, "     exception: ",
                  failure.exception_possible()
                      ? "possible, with a ticket, an end of at most 180 days and the approvals of "
                        "the policy"
                      : "not possible",
                  "\n");
}

void AppendProblems(const v1::Decision& decision, Reader reader, std::string* out) {
  int position = 0;
  for (const v1::Failure& failure : decision.failures()) {
    absl::StrAppend(out, "  ", Counted(++position, decision.failures_size()), ": ",
                    Problem(failure), BridgeText(decision, failure),
                    "\n     Fix: ", Fix(decision, failure), "\n");
    if (reader != Reader::kTeam) {
      AppendOfficerDetails(failure, out);
    }
  }
}

// The ML team reads what it may still act upon, and nothing of rules that only watch.
void AppendWarnings(const v1::Decision& decision, Reader reader, std::string* out) {
  for (const v1::Failure& warning : decision.warnings()) {
    if (reader == Reader::kTeam && !IsWarning(warning)) {
      continue;
    }
    absl::StrAppend(out, "  ", warning.mode(), " only, not part of the verdict: ", warning.reason(),
                    ": ", Problem(warning), "\n");
    if (reader == Reader::kTeam) {
      absl::StrAppend(out, "     Fix: ", Fix(decision, warning), "\n");
    }
  }
}

void AppendGrounds(const v1::Decision& decision, std::string* out) {
  if (!decision.rules().empty()) {
    absl::StrAppend(out,
                    decision.verdict() == v1::VERDICT_ALLOW ? "  granted by: "
                                                            : "  permissions that were given: ",
                    absl::StrJoin(decision.rules(), "; "), "\n");
  }
  for (const v1::Reservation& reservation : decision.reservations()) {
    absl::StrAppend(out, "  counted: ", reservation.counter(), ", at most ", reservation.ceiling(),
                    " (", reservation.rule(), ")\n");
  }
  if (!decision.exceptions().empty()) {
    absl::StrAppend(out, "  exceptions used: ", absl::StrJoin(decision.exceptions(), "; "), "\n");
  }
}

void AppendBasis(const v1::Decision& decision, std::string* out) {
  const v1::Flow& flow = decision.flow();
  const std::string at = FormatInstant(ToTime(decision.at()));
  absl::StrAppend(out, "  flow: ", OperationName(flow.operation()), " of ",
                  ArtifactName(flow.artifact()), ", from ",
                  flow.from().empty() ? "unknown" : flow.from(), " to ",
                  flow.to().empty() ? "unknown" : flow.to(), ", recipient ",
                  flow.recipient().empty() ? "unknown" : flow.recipient(), "\n");
  if (!decision.id().empty()) {
    absl::StrAppend(out, "  decision: ", decision.id(), "\n");
  }
  absl::StrAppend(out, "  decided at ", at, ", revision ", decision.revision(), ", evaluator ",
                  decision.evaluator(), ", state size ", decision.state_size(),
                  "\n  facts sha256:  ", HexOf(decision.facts_sha256()),
                  "\n  bundle sha256: ", HexOf(decision.bundle_sha256()), "\n");
  // A decision on record comes with its facts and its bundle out of the log; one that was made
  // by hand has them already.
  const std::string folder = decision.id().empty() ? "" : "again/";
  if (!decision.id().empty()) {
    absl::StrAppend(out, "  to derive it again: carnet audit decision ", decision.id(),
                    " --state DIR --trust trust.policy --out again\n  and by hand:        ");
  } else {
    absl::StrAppend(out, "  to derive it again: ");
  }
  absl::StrAppend(out, "carnet policy decide --bundle ", folder, "bundle.json --facts ", folder,
                  "facts.json --at ", at, "\n");
}

}  // namespace

std::string ArtifactName(v1::ArtifactKind kind) {
  const absl::string_view word = ArtifactWord(kind);
  return word.empty() ? "something unknown" : absl::StrReplaceAll(word, {{"_", " "}});
}

std::string OperationName(v1::Operation operation) {
  const absl::string_view word = OperationWord(operation);
  return word.empty() ? "unknown operation" : absl::StrReplaceAll(word, {{"_", " "}});
}

bool IsWarning(const v1::Failure& failure) {
  return failure.mode() == "warn";
}

std::string Explain(const v1::Decision& decision, Reader reader) {
  std::string text = FirstLine(decision) + "\n";
  AppendProblems(decision, reader, &text);
  AppendObligations(decision, &text);
  if (!decision.other_regions().empty() && reader == Reader::kTeam) {
    absl::StrAppend(&text, "  regions that would pass now: ",
                    absl::StrJoin(decision.other_regions(), ", "), "\n");
  }
  if (reader == Reader::kTeam) {
    AppendWarnings(decision, reader, &text);
    return text;
  }
  AppendGrounds(decision, &text);
  AppendWarnings(decision, reader, &text);
  if (reader == Reader::kAuditor) {
    AppendBasis(decision, &text);
  }
  return text;
}

std::string ExplainLine(const v1::Decision& decision) {
  std::string text = FirstLine(decision);
  if (decision.failures_size() > 0) {
    absl::StrAppend(&text, " ", Counted(1, decision.failures_size()), ": ",
                    Problem(decision.failures(0)), BridgeText(decision, decision.failures(0)),
                    " Fix: ", Sentence(Fix(decision, decision.failures(0))));
  }
  return text;
}

}  // namespace carnet::policies
