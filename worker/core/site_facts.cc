#include "worker/core/site_facts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "policies/operations.h"

namespace carnet::worker {
namespace {

using policies::FactId;
using policies::FactSet;
using policies::Value;

// What a record says and a decision may hang on.
absl::Status SetStrictly(FactSet* facts, FactId id, Value value) {
  return facts->Get(id).is_not_applicable() ? absl::OkStatus() : facts->Set(id, std::move(value));
}
absl::Status SetStrictly(FactSet* facts, FactId id, const std::string& text) {
  return text.empty() ? absl::OkStatus() : SetStrictly(facts, id, Value::Text(text));
}

// Another text that the table refuses stays unknown, and so does an empty one.
void Set(FactSet* facts, FactId id, Value value) {
  if (!facts->Get(id).is_not_applicable()) {
    facts->Set(id, std::move(value)).IgnoreError();
  }
}
void SetText(FactSet* facts, FactId id, const std::string& text) {
  if (!text.empty()) {
    Set(facts, id, Value::Text(text));
  }
}

std::vector<std::string> ToVector(const std::set<std::string>& items) {
  return {items.begin(), items.end()};
}

absl::Status SetLabels(const v1::Flow& flow, FactSet* facts) {
  if (flow.label_class() == kUnknownClass) {
    return absl::OkStatus();
  }
  const std::optional<SiteLabels> labels = ParseLabelClass(flow.label_class());
  if (!labels.has_value()) {
    return absl::InvalidArgumentError("labels: no class of labels");
  }
  const bool personal =
      !flow.label_class().empty() && labels->categories != std::set<std::string>{"none"};
  Set(facts, policies::kDataPersonal, Value::YesNo(personal));
  // People without a place are not the same as no people.
  if (!personal || !labels->subjects_in.empty()) {
    CARNET_RETURN_IF_ERROR(SetStrictly(
        facts, policies::kDataSubjectsIn,
        Value::List(personal ? ToVector(labels->subjects_in) : std::vector<std::string>())));
  }
  std::set<std::string> named = labels->categories;
  named.erase("none");
  named.erase("personal");
  CARNET_RETURN_IF_ERROR(
      SetStrictly(facts, policies::kDataCategories, Value::List(ToVector(named))));
  SetText(facts, policies::kDataLabel,
          flow.label_class().empty() ? policies::kNoDataLabel : flow.label_class());
  return absl::OkStatus();
}

void SetJob(const v1::JobSubmitted& job, FactSet* facts) {
  SetText(facts, policies::kJobId, job.job_id());
  SetText(facts, policies::kJobPurpose, job.spec().purpose());
  Set(facts, policies::kRoundRepeating, Value::YesNo(job.spec().rounds().count() > 1));
  Set(facts, policies::kSecaggK, Value::Number(1));  // home sees each delta
  for (const FactId id : {policies::kDpEpsilon, policies::kDpDelta, policies::kDpUnit}) {
    facts->Set(id, Value::NotApplicable()).IgnoreError();
  }
}

}  // namespace

std::optional<SiteLabels> ParseLabelClass(absl::string_view text) {
  if (text.empty()) {
    return SiteLabels();
  }
  const std::vector<std::string> halves = absl::StrSplit(text, '|');
  if (halves.size() != 2) {
    return std::nullopt;
  }
  SiteLabels labels;
  labels.subjects_in = absl::StrSplit(halves[0], ',', absl::SkipEmpty());
  labels.categories = absl::StrSplit(halves[1], ',', absl::SkipEmpty());
  return labels;
}

bool Covers(const SiteLabels& claimed, const SiteLabels& own) {
  if (own.categories == std::set<std::string>{"none"}) {
    return true;
  }
  return std::includes(claimed.subjects_in.begin(), claimed.subjects_in.end(),
                       own.subjects_in.begin(), own.subjects_in.end()) &&
         std::includes(claimed.categories.begin(), claimed.categories.end(), own.categories.begin(),
                       own.categories.end());
}

absl::StatusOr<FactSet> SiteFacts(const SiteFlow& site_flow, const SiteKnowledge& site) {
  const v1::Flow& flow = site_flow.flow;
  FactSet facts = policies::FactsFor(flow.operation(), flow.artifact());
  CARNET_RETURN_IF_ERROR(SetStrictly(&facts, policies::kFromJurisdiction, flow.from()));
  CARNET_RETURN_IF_ERROR(SetStrictly(&facts, policies::kToJurisdiction, flow.to()));
  const bool anonymous = site_flow.anonymous && flow.artifact() == v1::ARTIFACT_KIND_MODEL;
  Set(&facts, policies::kArtifactAnonymity, Value::Text(anonymous ? "approved" : "none"));
  if (site_flow.end_to_end.has_value()) {
    Set(&facts, policies::kArtifactEndToEndEncrypted, Value::YesNo(*site_flow.end_to_end));
  }
  CARNET_RETURN_IF_ERROR(SetLabels(flow, &facts));
  if (site_flow.job != nullptr) {
    SetJob(*site_flow.job, &facts);
  }
  const bool home = flow.recipient() == site.organisation;
  Set(&facts, policies::kKeyHeldIn, Value::Text("home"));
  CARNET_RETURN_IF_ERROR(SetStrictly(&facts, policies::kRecipientOrg, flow.recipient()));
  if (home) {
    SetText(&facts, policies::kDealKind, "internal");
    SetText(&facts, policies::kRecipientOrganisedIn, site.home);
  }
  if (site_flow.worker_is_ours) {
    Set(&facts, policies::kWorkerTrainerIsolated, Value::YesNo(site.trainer_isolated));
    SetText(&facts, policies::kWorkerChipEccn, site.chip_eccn);
    // Nothing here attests to anything.
    Set(&facts, policies::kWorkerAttested, Value::YesNo(false));
    Set(&facts, policies::kWorkerMemoryProtected, Value::YesNo(false));
  }
  // Unknown approvals might be anybody's.
  if (!SetStrictly(&facts, policies::kApprovals, Value::Approvals(site_flow.counts)).ok()) {
    Set(&facts, policies::kApprovals, Value::Approvals({}));
  }
  return facts;
}

}  // namespace carnet::worker
