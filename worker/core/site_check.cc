#include "worker/core/site_check.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "ledger/verifier/record.h"
#include "policies/certain.h"
#include "policies/exceptions.h"
#include "policies/operations.h"

namespace carnet::worker {
namespace {

using Authorisations = google::protobuf::RepeatedPtrField<v1::Authorisation>;

absl::Status Refuse(absl::string_view what) {
  return absl::PermissionDeniedError(absl::StrCat("site: ", what));
}

enum class Way { kInPlace, kToSite, kHome };
struct Crossing {
  v1::Operation operation;
  v1::ArtifactKind artifact;
  Way way;
};
// What a round, or an evaluation, moves over a site's border.
constexpr Crossing kRound[] = {
    {v1::OPERATION_SEND_MODEL, v1::ARTIFACT_KIND_MODEL, Way::kToSite},
    {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_KEY, Way::kToSite},
    {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_MODEL, Way::kToSite},
    {v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA, Way::kInPlace},
    {v1::OPERATION_SEND_METRICS, v1::ARTIFACT_KIND_METRICS, Way::kHome},
    {v1::OPERATION_SEND_DELTA, v1::ARTIFACT_KIND_DELTA, Way::kHome},
};

std::string Words(const v1::Flow& flow) {
  return absl::StrCat(policies::OperationWord(flow.operation()), " of ",
                      policies::ArtifactWord(flow.artifact()), " from ", flow.from(), " to ",
                      flow.to());
}

class SiteChecker {
 public:
  SiteChecker(const v1::Task& task, const SiteView& view)
      : view_(view), task_(task), index_(task.opened().proof().index()) {}

  absl::Status Check(const CheckedTask& checked);

 private:
  absl::Status FindPlaces();
  absl::Status FindJob();
  absl::Status TakeBasis(const v1::DecisionBasis& basis);
  absl::Status CheckMember(const v1::RoundMember& member, bool sends_delta) const;
  absl::Status CheckPlaces(const v1::Flow& flow, Way way) const;
  absl::Status CheckOwnLabels(const std::string& shard, v1::Operation operation,
                              const Authorisations& authorisations) const;
  absl::Status CheckExceptions(const v1::Authorisation& authorisation) const;
  absl::Status CheckVerdict(SiteFlow flow) const;
  absl::Status CheckSend(const v1::StagingOrdered& ordered) const;
  absl::Status CheckReceive(const v1::StagingOrdered& ordered) const;
  std::vector<policies::Approval> ApprovalsThatCount() const;

  const SiteView& view_;
  const v1::Task& task_;
  const std::uint64_t index_;     // of the record that opened the task
  std::set<std::string> places_;  // jurisdictions of this site
  std::optional<v1::JobSubmitted> job_;
  bool newest_ = true;  // decided on the bundle that is in force now
  absl::Time at_;       // when the flows are judged
};

// Where the coordinator has put this site on record.
absl::Status SiteChecker::FindPlaces() {
  if (view_.site.region == "home") {
    places_.insert(view_.site.home);
    return absl::OkStatus();
  }
  for (const v1::ProvenRecord& proven : task_.context()) {
    const auto record = ledger::verifier::VerifyProvenRecord(proven, view_.head);
    const auto* region = record.ok() ? record->As<v1::RegionRegistered>() : nullptr;
    if (region != nullptr && region->region() == view_.site.region &&
        record->public_key == view_.identity.keys->StatementKeyAt(proven.proof().index())) {
      places_ = {region->terms().jurisdictions().begin(), region->terms().jurisdictions().end()};
    }
  }
  return places_.empty() ? Refuse("the record of this site's region did not come with the task")
                         : absl::OkStatus();
}

// CheckTask verified it.
absl::Status SiteChecker::FindJob() {
  for (const v1::ProvenRecord& proven : task_.context()) {
    const auto record = ledger::verifier::VerifyProvenRecord(proven, view_.head);
    const auto* job = record.ok() ? record->As<v1::JobSubmitted>() : nullptr;
    if (job != nullptr) {
      job_ = *job;
      return absl::OkStatus();
    }
  }
  return Refuse("the job did not come with the task");
}

absl::Status SiteChecker::TakeBasis(const v1::DecisionBasis& basis) {
  CARNET_RETURN_IF_ERROR(view_.chain.CheckBasis(basis, index_));
  const PolicyChain::InForce& in_force = view_.chain.in_force();
  if (view_.now >= in_force.valid_to + kSiteClockSkewMax) {
    return Refuse("the policies in force have expired, by this site's clock");
  }
  newest_ = basis.revision() == in_force.revision;
  at_ = newest_ ? ToTime(basis.at()) : std::max(ToTime(basis.at()), in_force.since);
  return absl::OkStatus();
}

absl::Status SiteChecker::CheckPlaces(const v1::Flow& flow, Way way) const {
  const SiteKnowledge& site = view_.site;
  const std::string& own = way == Way::kHome ? flow.from() : flow.to();
  const std::string& other = way == Way::kHome ? flow.to() : flow.from();
  const std::string& recipient = way == Way::kHome ? site.organisation : site.site_operator;
  if (places_.count(own) == 0 || other != (way == Way::kInPlace ? own : site.home) ||
      flow.recipient() != recipient) {
    return Refuse(absl::StrCat("decided for another place or recipient than this site's: ",
                               Words(flow), " for ", flow.recipient()));
  }
  return absl::OkStatus();
}

// The decision names at least the labels that this site itself knows of its shard.
absl::Status SiteChecker::CheckOwnLabels(const std::string& shard, v1::Operation operation,
                                         const Authorisations& authorisations) const {
  const auto own = view_.site.labels.find(shard);
  if (own == view_.site.labels.end()) {
    return absl::OkStatus();
  }
  const bool covered =
      std::any_of(authorisations.begin(), authorisations.end(), [&](const v1::Authorisation& a) {
        const std::optional<SiteLabels> labels = ParseLabelClass(a.flow().label_class());
        return a.flow().operation() == operation && labels.has_value() &&
               Covers(*labels, own->second);
      });
  return covered ? absl::OkStatus()
                 : Refuse(absl::StrCat("decided without the labels that this site knows of ", shard,
                                       ": ", policies::OperationWord(operation)));
}

// An exception that lifted a rule is in the bundle, alive, and approved on record.
absl::Status SiteChecker::CheckExceptions(const v1::Authorisation& authorisation) const {
  if (!newest_) {
    return absl::OkStatus();  // Its bundle was replaced: CheckVerdict asks the one in force.
  }
  for (const std::string& id : authorisation.exceptions()) {
    bool alive = false;
    bool approved = false;
    for (const policies::ApprovedException& terms : policies::ExceptionsOf(view_.chain.bundle())) {
      if (!absl::EndsWith(terms.name, absl::StrCat("/", id)) || at_ < terms.valid_from ||
          at_ >= terms.valid_to) {
        continue;
      }
      alive = true;
      std::set<std::string> persons;
      for (const auto& [person, role] :
           view_.chain.Approvers("exception", terms.subject, at_, index_)) {
        if (std::find(terms.from.begin(), terms.from.end(), role) != terms.from.end()) {
          persons.insert(person);
        }
      }
      approved = approved || persons.size() >= terms.need;
    }
    if (!approved) {
      return Refuse(absl::StrCat(alive ? "an exception that lacks signed approvals on record: "
                                       : "an exception that the bundle in force does not have: ",
                                 id, ", for ", Words(authorisation.flow())));
    }
  }
  return absl::OkStatus();
}

std::vector<policies::Approval> SiteChecker::ApprovalsThatCount() const {
  std::vector<policies::Approval> counts;
  if (job_.has_value()) {
    for (const auto& [person, role] :
         view_.chain.Approvers("job", AsBytes(job_->spec_sha256()), at_, index_)) {
      counts.push_back({policies::kApprovalOfWholeJob, person, role});
    }
  }
  for (const policies::ApprovedException& terms : policies::ExceptionsOf(view_.chain.bundle())) {
    for (const auto& [person, role] :
         view_.chain.Approvers("exception", terms.subject, at_, index_)) {
      counts.push_back({terms.name, person, role});
    }
  }
  return counts;
}

absl::Status SiteChecker::CheckVerdict(SiteFlow flow) const {
  flow.counts = ApprovalsThatCount();
  flow.job = job_.has_value() ? &*job_ : nullptr;
  const std::vector<std::string> failures =
      policies::CertainFailures(view_.chain.bundle(), SiteFacts(flow, view_.site), at_);
  return failures.empty()
             ? absl::OkStatus()
             : Refuse(absl::StrCat("forbidden by what this site knows: ", Words(flow.flow), ": ",
                                   failures.front()));
}

absl::Status SiteChecker::CheckMember(const v1::RoundMember& member, bool sends_delta) const {
  for (const Crossing& crossing : kRound) {
    if (crossing.operation == v1::OPERATION_SEND_DELTA && !sends_delta) {
      continue;
    }
    std::set<std::string> decided;
    for (const v1::Authorisation& authorisation : member.authorisations()) {
      const v1::Flow& flow = authorisation.flow();
      if (flow.operation() != crossing.operation || flow.artifact() != crossing.artifact) {
        continue;
      }
      CARNET_RETURN_IF_ERROR(CheckPlaces(flow, crossing.way));
      CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
      CARNET_RETURN_IF_ERROR(CheckVerdict({.flow = flow,
                                           .worker_is_ours = true,
                                           .end_to_end = false,
                                           .job = nullptr,
                                           .counts = {}}));
      decided.insert(crossing.way == Way::kHome ? flow.from() : flow.to());
    }
    if (decided != places_) {
      return Refuse(absl::StrCat("nothing was decided, or not for each of this site's places: ",
                                 policies::OperationWord(crossing.operation), " of ",
                                 policies::ArtifactWord(crossing.artifact)));
    }
  }
  for (const std::string& shard : member.shards()) {
    CARNET_RETURN_IF_ERROR(CheckOwnLabels(shard, v1::OPERATION_TRAIN, member.authorisations()));
    if (sends_delta) {
      CARNET_RETURN_IF_ERROR(
          CheckOwnLabels(shard, v1::OPERATION_SEND_DELTA, member.authorisations()));
    }
  }
  return absl::OkStatus();
}

// The sealed shard goes home and on to the other worker.
absl::Status SiteChecker::CheckSend(const v1::StagingOrdered& ordered) const {
  std::set<std::string> decided;
  for (const v1::Authorisation& authorisation : ordered.authorisations()) {
    const v1::Flow& flow = authorisation.flow();
    if (flow.operation() != v1::OPERATION_STAGE_DATA ||
        flow.artifact() != v1::ARTIFACT_KIND_RAW_DATA || places_.count(flow.from()) == 0) {
      return Refuse(absl::StrCat("decided for another place than this site's: ", Words(flow)));
    }
    CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
    // Home is the hop that cannot open it, or where the other worker is.
    CARNET_RETURN_IF_ERROR(
        CheckVerdict({.flow = flow,
                      .worker_is_ours = false,
                      .end_to_end = flow.to() == view_.site.home ? std::optional<bool>()
                                                                 : std::optional<bool>(false),
                      .job = nullptr,
                      .counts = {}}));
    if (flow.to() == view_.site.home && flow.recipient() == view_.site.organisation) {
      decided.insert(flow.from());
    }
  }
  if (decided != places_) {
    return Refuse("nothing was decided, or not for each of this site's places: stage_data");
  }
  return CheckOwnLabels(absl::StrCat(ordered.dataset(), "/", ordered.shard()),
                        v1::OPERATION_STAGE_DATA, ordered.authorisations());
}

absl::Status SiteChecker::CheckReceive(const v1::StagingOrdered& ordered) const {
  const bool at_home = places_.count(view_.site.home) != 0;
  std::set<std::string> decided;
  for (const v1::Authorisation& authorisation : ordered.authorisations()) {
    const v1::Flow& flow = authorisation.flow();
    if (flow.to() == view_.site.home && !at_home) {
      continue;  // the hop
    }
    if (flow.operation() != v1::OPERATION_STAGE_DATA ||
        flow.artifact() != v1::ARTIFACT_KIND_RAW_DATA || places_.count(flow.to()) == 0 ||
        flow.recipient() != view_.site.site_operator) {
      return Refuse(absl::StrCat("decided for another place than this site's: ", Words(flow)));
    }
    CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
    CARNET_RETURN_IF_ERROR(
        CheckVerdict({.flow = flow,
                      .worker_is_ours = !at_home,
                      .end_to_end = at_home ? std::optional<bool>() : std::optional<bool>(false),
                      .job = nullptr,
                      .counts = {}}));
    decided.insert(flow.to());
  }
  return decided == places_
             ? absl::OkStatus()
             : Refuse("nothing was decided, or not for each of this site's places: stage_data");
}

absl::Status SiteChecker::Check(const CheckedTask& checked) {
  CARNET_RETURN_IF_ERROR(FindPlaces());
  if (const auto* train = std::get_if<TrainTask>(&checked.work); train != nullptr) {
    CARNET_RETURN_IF_ERROR(FindJob());
    CARNET_RETURN_IF_ERROR(TakeBasis(train->opened.basis()));
    return CheckMember(train->member, true);
  }
  if (const auto* evaluate = std::get_if<EvaluateTask>(&checked.work); evaluate != nullptr) {
    CARNET_RETURN_IF_ERROR(FindJob());
    CARNET_RETURN_IF_ERROR(TakeBasis(evaluate->opened.basis()));
    return CheckMember(evaluate->opened.member(), false);
  }
  if (const auto* send = std::get_if<SendShardTask>(&checked.work); send != nullptr) {
    CARNET_RETURN_IF_ERROR(TakeBasis(send->ordered.basis()));
    return CheckSend(send->ordered);
  }
  const auto& receive = std::get<ReceiveShardTask>(checked.work);
  CARNET_RETURN_IF_ERROR(TakeBasis(receive.ordered.basis()));
  return CheckReceive(receive.ordered);
}

}  // namespace

absl::Status CheckSite(const v1::Task& task, const CheckedTask& checked, const SiteView& view) {
  return SiteChecker(task, view).Check(checked);
}

}  // namespace carnet::worker
