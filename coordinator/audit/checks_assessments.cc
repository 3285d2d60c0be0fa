// What persons found out about models. Replay checks the signature: the assessor's own key.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "policies/facts.h"

namespace carnet::coordinator::audit {
namespace {

bool IsWordOf(policies::FactId fact, const std::string& word) {
  const auto& words = policies::FactTable().at(static_cast<std::size_t>(fact)).words;
  return word.empty() || std::find(words.begin(), words.end(), word) != words.end();
}

bool StatesExport(const v1::ModelAssessed& record) {
  return !record.controlled().empty() || !record.export_class().empty();
}

void CheckTerms(const Step& step, const v1::ModelAssessed& record) {
  const bool states = StatesExport(record) || !record.anonymity().empty();
  if (record.withdrawn()) {
    step.Expect(!states && record.document_sha256().empty(), "assessment",
                "a withdrawal that states nothing", "one that states something");
    return;
  }
  step.Expect(states, "assessment", "something that it states", "nothing");
  step.Expect(record.document_sha256().size() == kDigestBytes, "assessment",
              "the SHA-256 of a document", Hex(record.document_sha256()));
  step.Expect(ToTime(record.valid_from()) < ToTime(record.valid_to()), "assessment",
              "valid_to after valid_from", "not so");
}

}  // namespace

void Check(const Step& step, const v1::ModelAssessed& record) {
  const State& state = step.state();
  step.Expect(
      (record.controlled().empty() || record.controlled() == "yes" ||
       record.controlled() == "no") &&
          IsWordOf(policies::kModelExportClass, record.export_class()) &&
          IsWordOf(policies::kArtifactAnonymity, record.anonymity()),
      "assessment", "words of docs/facts.md",
      absl::StrCat(record.controlled(), " ", record.export_class(), " ", record.anonymity()));
  CheckTerms(step, record);
  step.memory().assessed = std::max(step.memory().assessed, ToTime(record.common().at()));
  step.Expect(ToTime(record.common().at()) >= ToTime(state.genesis.common().at()), "assessment",
              "one that was signed for this log", "one from before it began");
  const auto before = state.assessments.find(record.model_sha256());
  const bool known = before != state.assessments.end() && !before->second.terms.withdrawn();
  step.Expect(known || !record.withdrawn(), "assessment", "an assessment that is withdrawn",
              "none before");
  step.Expect(before == state.assessments.end() ||
                  ToTime(before->second.terms.common().at()) < ToTime(record.common().at()),
              "assessment", "a later signature than the one that it replaces", "an older one");
  // It ends what the one before it said, so that is the assessor's to say too.
  if (StatesExport(record) || (known && StatesExport(before->second.terms))) {
    ExpectRole(step, record.assessor(), {"compliance", "export-control", "legal"});
  }
  if (!record.anonymity().empty() || (known && !before->second.terms.anonymity().empty())) {
    ExpectRole(step, record.assessor(), {"compliance", "dpo", "legal"});
  }
}

}  // namespace carnet::coordinator::audit
