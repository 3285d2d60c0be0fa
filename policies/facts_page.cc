// docs/facts.md, made from the table.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/fact_setters.h"
#include "policies/facts.h"

namespace carnet::policies {
namespace {

const char* TypeName(FactType type) {
  switch (type) {
    case FactType::kWord:
      return "word";
    case FactType::kRank:
      return "ordered word";
    case FactType::kYesNo:
      return "yes or no";
    case FactType::kChip:
      return "export class";
    case FactType::kJurisdiction:
      return "jurisdiction";
    case FactType::kJurisdictions:
      return "set of jurisdictions";
    case FactType::kName:
      return "name";
    case FactType::kNumber:
      return "number";
    case FactType::kWords:
      return "set of words";
    case FactType::kOwners:
      return "list of {jurisdiction, percent}";
    case FactType::kApprovals:
      return "list of {rule, person, role}";
    case FactType::kTime:
      return "time";
  }
  return "";
}

const char* SourceName(FactSource source) {
  switch (source) {
    case FactSource::kEngine:
      return "the engine";
    case FactSource::kWorker:
      return "the worker itself: a claim";
    case FactSource::kSteward:
      return "a data steward";
    case FactSource::kCompliance:
      return "compliance";
    case FactSource::kSubmitter:
      return "the job's submitter";
    case FactSource::kBridge:
      return "the organisation's own Open Policy Agent";
  }
  return "";
}

void AppendRow(const FactSpec& row, std::string& page) {
  absl::StrAppend(&page, "## `", row.path, "`\n\n", row.meaning,
                  "\n\n- type: ", TypeName(row.type));
  if (!row.words.empty()) {
    const bool ranked = row.type == FactType::kRank;
    absl::StrAppend(&page, ": `", absl::StrJoin(row.words, ranked ? "` < `" : "`, `"), "`");
  }
  absl::StrAppend(&page, "\n- said by: ", SourceName(row.source), "\n- when unknown: ", row.absence,
                  "\n");
  const FactSetter& setter =
      SetterOf(FindFact(row.path) == kNoFact ? kCounters : FindFact(row.path));
  absl::StrAppend(&page, "- recorded by: ");
  if (*setter.command != '\0') {
    absl::StrAppend(&page, "`", setter.command, "`", *setter.otherwise == '\0' ? "" : "; ");
  }
  absl::StrAppend(&page, setter.otherwise, "\n");
  if (row.runtime) {
    absl::StrAppend(&page, "- a rule may ask for it with `phase: runtime`\n");
  }
  absl::StrAppend(&page, "\n");
}

}  // namespace

std::string FactsPage() {
  std::string page = absl::StrCat(
      "# Facts\n\nEvery fact that a policy can read (table version ", kFactsVersion,
      "). Nothing outside this table exists. This page is made from the table in "
      "`policies/fact_table.cc` by\n`carnet policy facts`.\n\nA fact is a value, `unknown` or "
      "`not_applicable`. What nobody recorded is unknown, and unknown never helps: a rule that "
      "denies on it denies, a\nrule that asks for it is not met. Only the engine's operation table "
      "says that a fact does not apply to an operation.\n\n");
  for (const FactSpec& row : FactTable()) {
    if (absl::string_view(row.path) == "recipient.certifications") {
      AppendRow(CounterSpec(), page);
      absl::StrAppend(&page, "Categories: `", absl::StrJoin(CounterCategories(), "`, `"), "`.\n\n");
    }
    AppendRow(row, page);
  }
  absl::StrAppend(&page,
                  "# Kinds of evidence\n\n| kind | what it is | accepted by |\n|---|---|---|\n");
  for (const EvidenceKind& kind : EvidenceKinds()) {
    absl::StrAppend(&page, "| `", kind.name, "` | ", kind.title, " | ", kind.accepted_by, " |\n");
  }
  return page;
}

}  // namespace carnet::policies
