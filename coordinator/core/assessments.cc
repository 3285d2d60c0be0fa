#include "coordinator/core/assessments.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/fold.h"
#include "policies/facts.h"

namespace carnet::coordinator {
namespace {

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("assessment: ", what));
}

absl::Status CheckWord(const char* field, const std::string& word,
                       const std::vector<std::string>& words) {
  return word.empty() || std::find(words.begin(), words.end(), word) != words.end()
             ? absl::OkStatus()
             : Bad(absl::StrCat(field, ": one of ", absl::StrJoin(words, ", ")));
}

const std::vector<std::string>& WordsOf(policies::FactId fact) {
  return policies::FactTable().at(static_cast<std::size_t>(fact)).words;
}

bool StatesExport(const v1::ModelAssessed& assessment) {
  return !assessment.controlled().empty() || !assessment.export_class().empty();
}

// Null: nothing in force at `at`.
const Assessment* InForce(const State& state, const std::string& model_sha256, absl::Time at) {
  const auto found = state.assessments.find(model_sha256);
  if (found == state.assessments.end()) {
    return nullptr;
  }
  const v1::ModelAssessed& terms = found->second.terms;
  return !terms.withdrawn() && at >= ToTime(terms.valid_from()) && at < ToTime(terms.valid_to())
             ? &found->second
             : nullptr;
}

// Takes what is stated and was not known before.
void TakeExport(const Assessment* assessment, ModelFacts* facts) {
  if (assessment == nullptr) {
    return;
  }
  if (facts->controlled.empty()) {
    facts->controlled = assessment->terms.controlled();
  }
  if (facts->export_class.empty()) {
    facts->export_class = assessment->terms.export_class();
  }
}

// Of this log: one from before it began was signed for another, and came with its people's keys.
bool IsOfThisLog(const State& state, const v1::ModelAssessed& assessment) {
  return ToTime(assessment.common().at()) >= ToTime(state.genesis.common().at());
}

// An old signature does not undo a newer one.
bool IsNewest(const State& state, const v1::ModelAssessed& assessment) {
  const auto before = state.assessments.find(assessment.model_sha256());
  return before == state.assessments.end() ||
         ToTime(assessment.common().at()) > ToTime(before->second.terms.common().at());
}

// Whom a withdrawal concerns is whoever could have stated what it ends.
absl::Status RequireAssessor(const State& state, const v1::ModelAssessed& assessment) {
  const auto before = state.assessments.find(assessment.model_sha256());
  const bool known = before != state.assessments.end() && !before->second.terms.withdrawn();
  if (assessment.withdrawn() && !known) {
    return absl::NotFoundError("assessment: none of this model is on record");
  }
  // The new one replaces the old one, so it ends what that said.
  const bool replaces_export = known && StatesExport(before->second.terms);
  const bool replaces_anonymity = known && !before->second.terms.anonymity().empty();
  if (StatesExport(assessment) || replaces_export) {
    CARNET_RETURN_IF_ERROR(RequireRole(state, assessment.assessor(), ExportAssessors()));
  }
  if (!assessment.anonymity().empty() || replaces_anonymity) {
    CARNET_RETURN_IF_ERROR(RequireRole(state, assessment.assessor(), AnonymityAssessors()));
  }
  return absl::OkStatus();
}

}  // namespace

const std::set<std::string>& ExportAssessors() {
  static const auto& roles = *new std::set<std::string>{"compliance", "export-control", "legal"};
  return roles;
}

const std::set<std::string>& AnonymityAssessors() {
  static const auto& roles = *new std::set<std::string>{"compliance", "dpo", "legal"};
  return roles;
}

absl::Status CheckAssessment(const v1::ModelAssessed& assessment) {
  if (assessment.model_sha256().size() != kDigestBytes) {
    return Bad("the model is no SHA-256");
  }
  CARNET_RETURN_IF_ERROR(CheckWord("controlled", assessment.controlled(), {"yes", "no"}));
  CARNET_RETURN_IF_ERROR(
      CheckWord("export_class", assessment.export_class(), WordsOf(policies::kModelExportClass)));
  CARNET_RETURN_IF_ERROR(
      CheckWord("anonymity", assessment.anonymity(), WordsOf(policies::kArtifactAnonymity)));
  const bool states = StatesExport(assessment) || !assessment.anonymity().empty();
  if (assessment.withdrawn()) {
    return states || !assessment.document_sha256().empty() ? Bad("a withdrawal states nothing")
                                                           : absl::OkStatus();
  }
  if (!states) {
    return Bad("it states nothing: controlled, export class or anonymity");
  }
  if (assessment.document_sha256().size() != kDigestBytes) {
    return Bad("the document's SHA-256 is required");
  }
  return ToTime(assessment.valid_from()) < ToTime(assessment.valid_to())
             ? absl::OkStatus()
             : Bad("valid_to is not after valid_from");
}

ModelFacts ModelFactsOf(const State& state, const Job* job, const std::string& model_sha256,
                        absl::Time at) {
  ModelFacts facts;
  if (state.assessments.empty()) {
    return facts;
  }
  if (const Assessment* const own = InForce(state, model_sha256, at); own != nullptr) {
    facts.anonymity = own->terms.anonymity();
    TakeExport(own, &facts);
  }
  if (job == nullptr) {
    return facts;
  }
  // The model itself, if it came of this job, or all of them: it is still to be made.
  auto result = job->results.rbegin();
  if (!model_sha256.empty()) {
    result = std::find_if(job->results.rbegin(), job->results.rend(), [&](const RoundResult& it) {
      return AsText(it.model_sha256) == model_sha256;
    });
  }
  const auto open = [&] { return facts.controlled.empty() || facts.export_class.empty(); };
  for (; open() && result != job->results.rend(); ++result) {
    TakeExport(InForce(state, ToString(result->model_sha256), at), &facts);
  }
  if (open()) {
    TakeExport(InForce(state, job->submitted.model_sha256(), at), &facts);
  }
  return facts;
}

std::optional<std::uint64_t> AnonymityApproval(const State& state, const std::string& model_sha256,
                                               absl::Time at, std::uint64_t before) {
  const Assessment* const own = InForce(state, model_sha256, at);
  if (own == nullptr) {
    return std::nullopt;
  }
  const auto found = std::find_if(
      own->anonymity.rbegin(), own->anonymity.rend(), [&](const Assessment::Approval& approval) {
        return approval.index < before && at >= approval.valid_from && at < approval.valid_to;
      });
  return found == own->anonymity.rend() ? std::nullopt : std::optional<std::uint64_t>(found->index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AssessModel& command) {
  const State& state = drafts.state();
  const v1::ModelAssessed& assessment = command.assessment;
  const auto user = state.users.find(command.user_id);
  if (user == state.users.end() || user->second.revoked ||
      assessment.assessor() != command.user_id ||
      AsText(user->second.public_key) != command.record.public_key()) {
    return absl::PermissionDeniedError("an assessment is signed with the assessor's own key");
  }
  CARNET_RETURN_IF_ERROR(CheckAssessment(assessment));
  CARNET_RETURN_IF_ERROR(RequireAssessor(state, assessment));
  if (ToTime(assessment.common().at()) > drafts.now() + kAssessmentSkewMax) {
    return Bad("it was signed later than now");
  }
  if (!IsOfThisLog(state, assessment)) {
    return Bad("it was signed before this log began: sign it again");
  }
  if (!IsNewest(state, assessment)) {
    return absl::AlreadyExistsError(
        "assessment: one of this model that was signed later is on record");
  }
  if (state.assessments.count(assessment.model_sha256()) == 0 &&
      state.assessments.size() >= kAssessmentsMax) {
    return absl::ResourceExhaustedError("10000 models are assessed, which is the limit");
  }
  const std::uint64_t index = drafts.AddSigned(assessment, command.record);
  return std::move(drafts).Answer(index);
}

// What nobody may say, and what is older than what is on record, states nothing, whatever a log
// holds.
absl::Status Fold(State& state, std::uint64_t index, const v1::ModelAssessed& record) {
  if (!CheckAssessment(record).ok() || !RequireAssessor(state, record).ok() ||
      !IsOfThisLog(state, record) || !IsNewest(state, record)) {
    return absl::OkStatus();
  }
  Assessment& kept = state.assessments[record.model_sha256()];
  kept.terms = record;
  kept.index = index;
  if (record.anonymity() != kAnonymityApproved) {
    kept.anonymity.clear();
  } else {
    kept.anonymity.push_back({index, ToTime(record.valid_from()), ToTime(record.valid_to())});
    if (kept.anonymity.size() > kApprovalsKept) {
      kept.anonymity.erase(kept.anonymity.begin());
    }
  }
  ++state.facts_version;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
