#include "worker/core/site_check.h"

#include <algorithm>
#include <iterator>
#include <map>
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
#include "worker/core/site_assessment.h"
#include "worker/core/stated_labels.h"

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

  bool Is(const v1::Flow& flow) const {
    return flow.operation() == operation && flow.artifact() == artifact;
  }
  // This site's end of the flow.
  const std::string& Own(const v1::Flow& flow) const {
    return way == Way::kHome ? flow.from() : flow.to();
  }
};
// What a round, or an evaluation, moves over a site's border.
constexpr Crossing kRound[] = {
    {v1::OPERATION_PLACE, v1::ARTIFACT_KIND_JOB, Way::kToSite},
    {v1::OPERATION_SEND_MODEL, v1::ARTIFACT_KIND_MODEL, Way::kToSite},
    {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_KEY, Way::kToSite},
    {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_MODEL, Way::kToSite},
    {v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA, Way::kInPlace},
    {v1::OPERATION_SEND_METRICS, v1::ARTIFACT_KIND_METRICS, Way::kHome},
    {v1::OPERATION_SEND_DELTA, v1::ARTIFACT_KIND_DELTA, Way::kHome},
};

// No staging is open for longer.
constexpr absl::Duration kStagingMax = absl::Hours(24);

absl::Duration RoundMax(const v1::JobSubmitted& job) {
  return absl::Milliseconds(job.spec().rounds().close().deadline().millis());
}

// An evaluation places no job and sends no delta.
bool IsPartOf(const Crossing& crossing, bool round) {
  return round || (crossing.operation != v1::OPERATION_PLACE &&
                   crossing.operation != v1::OPERATION_SEND_DELTA);
}

// Null: a round, or an evaluation, moves nothing of the kind.
const Crossing* CrossingOf(const v1::Flow& flow, bool round) {
  const auto* const found =
      std::find_if(std::begin(kRound), std::end(kRound),
                   [&](const Crossing& c) { return c.Is(flow) && IsPartOf(c, round); });
  return found == std::end(kRound) ? nullptr : found;
}

std::string Words(const v1::Flow& flow) {
  return absl::StrCat(policies::OperationWord(flow.operation()), " of ",
                      policies::ArtifactWord(flow.artifact()), " from ", flow.from(), " to ",
                      flow.to());
}

class SiteChecker {
 public:
  // leaving: only what leaves this site is judged.
  SiteChecker(const v1::Task& task, const SiteView& view, bool leaving)
      : view_(view), task_(task), leaving_(leaving), index_(task.opened().proof().index()) {}

  absl::Status Check(const CheckedTask& checked);

 private:
  StatementView Statements() const {
    return {task_, view_.head, *view_.identity.keys, view_.chain};
  }
  absl::Status FindPlaces();
  absl::Status FindJob(const std::string& job_id);
  // common: of the record. What it opens ends at `end`, at most `longest` later.
  absl::Status TakeBasis(const v1::DecisionBasis& basis, const v1::Common& common,
                         const google::protobuf::Timestamp& end, absl::Duration longest);
  absl::Status CheckMember(const v1::RoundMember& member, bool round) const;
  bool IsJudged(const Crossing& crossing) const { return !leaving_ || crossing.way == Way::kHome; }
  absl::Status CheckPlaces(const v1::Flow& flow, Way way) const;
  absl::Status CheckMemberFlow(const v1::Authorisation& authorisation,
                               const Crossing& crossing) const;
  absl::Status CheckOwnLabels(const std::string& shard, const Crossing& crossing,
                              const Authorisations& authorisations) const;
  absl::Status CheckOwnLabels(const std::string& shard,
                              const v1::Authorisation& authorisation) const;
  bool CoversStated(const std::string& shard, const v1::Flow& flow) const;
  absl::Status CheckStated(const std::string& shard, const Crossing& crossing,
                           const Authorisations& authorisations) const;
  absl::Status CheckStated(const std::string& shard, const v1::Authorisation& authorisation) const;
  absl::Status CheckExceptions(const v1::Authorisation& authorisation) const;
  absl::Status CheckVerdict(SiteFlow flow) const;
  absl::Status CheckSend(const v1::StagingOrdered& ordered) const;
  absl::Status CheckReceive(const v1::StagingOrdered& ordered) const;
  std::set<std::pair<std::string, std::string>> ExceptionApprovers(
      const policies::ApprovedException& terms) const;
  std::vector<policies::Approval> ApprovalsThatCount() const;
  bool IsAnonymous(ByteView model_sha256) const {
    return ShowsAnonymity(task_, view_.head, view_.chain,
                          {.model_sha256 = model_sha256, .at = at_, .before = index_});
  }

  const SiteView& view_;
  const v1::Task& task_;
  const bool leaving_;
  const std::uint64_t index_;                 // of the record that opened the task
  std::set<std::string> places_;              // jurisdictions of this site
  std::map<std::string, SiteLabels> stated_;  // labels that stewards signed, by shard
  std::optional<v1::JobSubmitted> job_;
  std::uint64_t job_index_ = 0;
  bool newest_ = true;      // decided on the bundle that is in force now
  absl::Time at_;           // when the flows are judged
  bool anonymous_ = false;  // nobody can be identified from the task's model, as somebody signed
};

// Where somebody whom this site knows has put it on record.
absl::Status SiteChecker::FindPlaces() {
  if (view_.site.region == "home") {
    places_.insert(view_.site.home);
    return absl::OkStatus();
  }
  places_ = StatedPlaces(Statements(), view_.site.region);
  return places_.empty()
             ? Refuse(
                   "the record of this site's region did not come with the task, or nobody who "
                   "may say so signed where it is")
             : absl::OkStatus();
}

// CheckTask verified it, but for whose key it is: that is the person's whom this site followed.
absl::Status SiteChecker::FindJob(const std::string& job_id) {
  for (const v1::ProvenRecord& proven : task_.context()) {
    const auto record = ledger::verifier::VerifyProvenRecord(proven, view_.head);
    const auto* job = record.ok() ? record->As<v1::JobSubmitted>() : nullptr;
    if (job == nullptr || job->job_id() != job_id) {
      continue;
    }
    const auto submitter = view_.chain.people().find(job->submitter());
    if (submitter == view_.chain.people().end() ||
        submitter->second.public_key != record->public_key) {
      return Refuse("the job is not signed by the person who this site knows as its submitter");
    }
    job_ = *job;
    job_index_ = proven.proof().index();
    return absl::OkStatus();
  }
  return Refuse("the job did not come with the task");
}

absl::Status SiteChecker::TakeBasis(const v1::DecisionBasis& basis, const v1::Common& common,
                                    const google::protobuf::Timestamp& end,
                                    absl::Duration longest) {
  CARNET_RETURN_IF_ERROR(view_.chain.CheckBasis(basis, index_));
  const absl::Time at = ToTime(basis.at());
  if (at != ToTime(common.at())) {
    return Refuse("decided at another time than its record says");
  }
  if (at > view_.now + kSiteClockSkewMax) {
    return Refuse("decided later than now, by this site's clock");
  }
  if (ToTime(end) - at > longest) {
    return Refuse("open for longer than its submitter signed, or a staging may be");
  }
  const PolicyChain::InForce& in_force = view_.chain.in_force();
  if (view_.now >= in_force.valid_to + kSiteClockSkewMax) {
    return Refuse("the policies in force have expired, by this site's clock");
  }
  newest_ = basis.revision() == in_force.revision;
  // What has ended since decides nothing any more, whatever time the record says: the coordinator
  // judges at the first byte too.
  at_ = std::max({at, in_force.since, view_.now - kSiteClockSkewMax});
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

// For each of this site's places a decision names at least the labels that it knows of its shard.
absl::Status SiteChecker::CheckOwnLabels(const std::string& shard, const Crossing& crossing,
                                         const Authorisations& authorisations) const {
  const auto own = view_.site.labels.find(shard);
  if (own == view_.site.labels.end()) {
    return absl::OkStatus();
  }
  std::set<std::string> covered;
  for (const v1::Authorisation& authorisation : authorisations) {
    const v1::Flow& flow = authorisation.flow();
    const std::optional<SiteLabels> labels = ParseLabelClass(flow.label_class());
    if (crossing.Is(flow) && labels.has_value() && Covers(*labels, own->second)) {
      covered.insert(crossing.Own(flow));
    }
  }
  return std::includes(covered.begin(), covered.end(), places_.begin(), places_.end())
             ? absl::OkStatus()
             : Refuse(absl::StrCat("decided without the labels that this site knows of ", shard,
                                   ": ", policies::OperationWord(crossing.operation)));
}

// The same of what moves this shard and nothing else.
absl::Status SiteChecker::CheckOwnLabels(const std::string& shard,
                                         const v1::Authorisation& authorisation) const {
  const auto own = view_.site.labels.find(shard);
  const std::optional<SiteLabels> labels = ParseLabelClass(authorisation.flow().label_class());
  return own == view_.site.labels.end() || (labels.has_value() && Covers(*labels, own->second))
             ? absl::OkStatus()
             : Refuse(absl::StrCat("decided without the labels that this site knows of ", shard,
                                   ": ", Words(authorisation.flow())));
}

// A decision names at least what a steward signed of the shard; where none did, it says that nobody
// knows.
bool SiteChecker::CoversStated(const std::string& shard, const v1::Flow& flow) const {
  if (flow.label_class() == kUnknownClass) {
    return true;
  }
  const auto stated = stated_.find(shard);
  const std::optional<SiteLabels> labels = ParseLabelClass(flow.label_class());
  return stated != stated_.end() && labels.has_value() && Covers(*labels, stated->second);
}

absl::Status SiteChecker::CheckStated(const std::string& shard, const Crossing& crossing,
                                      const Authorisations& authorisations) const {
  std::set<std::string> covered;
  for (const v1::Authorisation& authorisation : authorisations) {
    if (crossing.Is(authorisation.flow()) && CoversStated(shard, authorisation.flow())) {
      covered.insert(crossing.Own(authorisation.flow()));
    }
  }
  return std::includes(covered.begin(), covered.end(), places_.begin(), places_.end())
             ? absl::OkStatus()
             : Refuse(absl::StrCat("decided on labels of ", shard, " that no data steward signed: ",
                                   policies::OperationWord(crossing.operation)));
}

absl::Status SiteChecker::CheckStated(const std::string& shard,
                                      const v1::Authorisation& authorisation) const {
  return CoversStated(shard, authorisation.flow())
             ? absl::OkStatus()
             : Refuse(absl::StrCat("decided on labels of ", shard,
                                   " that no data steward signed: ", Words(authorisation.flow())));
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
      for (const auto& [person, role] : ExceptionApprovers(terms)) {
        persons.insert(person);
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

// In roles that the exception asks for; never its own author.
std::set<std::pair<std::string, std::string>> SiteChecker::ExceptionApprovers(
    const policies::ApprovedException& terms) const {
  const std::string author = view_.chain.ExceptionAuthor(terms.subject);
  auto approvers = view_.chain.Approvers({.kind = "exception",
                                          .subject_sha256 = terms.subject,
                                          .at = at_,
                                          .after = 0,
                                          .before = index_,
                                          .except = author});
  std::erase_if(approvers, [&](const auto& approver) {
    return std::find(terms.from.begin(), terms.from.end(), approver.second) == terms.from.end();
  });
  return approvers;
}

// Those that some rule asks for. A yes to a job is to what is on record, and not its submitter's.
std::vector<policies::Approval> SiteChecker::ApprovalsThatCount() const {
  std::vector<policies::Approval> counts;
  if (job_.has_value()) {
    const std::set<std::string> roles = policies::RolesOfRequirements(view_.chain.bundle());
    const PolicyChain::Asked asked{.kind = "job",
                                   .subject_sha256 = AsBytes(job_->spec_sha256()),
                                   .at = at_,
                                   .after = job_index_,
                                   .before = index_,
                                   .except = job_->submitter()};
    for (const auto& [person, role] : view_.chain.Approvers(asked)) {
      if (roles.count(role) != 0) {
        counts.push_back({policies::kApprovalOfWholeJob, person, role});
      }
    }
  }
  for (const policies::ApprovedException& terms : policies::ExceptionsOf(view_.chain.bundle())) {
    for (const auto& [person, role] : ExceptionApprovers(terms)) {
      counts.push_back({terms.name, person, role});
    }
  }
  return counts;
}

absl::Status SiteChecker::CheckVerdict(SiteFlow flow) const {
  flow.counts = ApprovalsThatCount();
  flow.job = job_.has_value() ? &*job_ : nullptr;
  const absl::StatusOr<policies::FactSet> facts = SiteFacts(flow, view_.site);
  if (!facts.ok()) {
    return WithOperatorDetail(
        Refuse(absl::StrCat("decided on labels, places or a recipient that no policy can read: ",
                            policies::OperationWord(flow.flow.operation()))),
        facts.status().message());
  }
  if (flow.flow.label_class() == kUnknownClass &&
      !policies::MayDeclassify(view_.chain.bundle(), *facts, at_)) {
    return Refuse(
        absl::StrCat("decided although nobody said whose data it is: ", Words(flow.flow)));
  }
  const std::vector<std::string> failures =
      policies::CertainFailures(view_.chain.bundle(), *facts, at_);
  return failures.empty()
             ? absl::OkStatus()
             : Refuse(absl::StrCat("forbidden by what this site knows: ", Words(flow.flow), ": ",
                                   failures.front()));
}

absl::Status SiteChecker::CheckMemberFlow(const v1::Authorisation& authorisation,
                                          const Crossing& crossing) const {
  CARNET_RETURN_IF_ERROR(CheckPlaces(authorisation.flow(), crossing.way));
  CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
  return CheckVerdict({.flow = authorisation.flow(),
                       .worker_is_ours = true,
                       .end_to_end = false,
                       .job = nullptr,
                       .counts = {},
                       .anonymous = anonymous_});
}

absl::Status SiteChecker::CheckMember(const v1::RoundMember& member, bool round) const {
  std::map<const Crossing*, std::set<std::string>> decided;
  for (const v1::Authorisation& authorisation : member.authorisations()) {
    const v1::Flow& flow = authorisation.flow();
    // What nobody judges here could stand for what was not decided.
    const Crossing* const crossing = CrossingOf(flow, round);
    if (crossing == nullptr) {
      return Refuse(absl::StrCat("decided for what this task does not move: ", Words(flow)));
    }
    if (!IsJudged(*crossing)) {
      continue;
    }
    CARNET_RETURN_IF_ERROR(CheckMemberFlow(authorisation, *crossing));
    decided[crossing].insert(crossing->Own(flow));
  }
  for (const Crossing& crossing : kRound) {
    if (!IsPartOf(crossing, round) || !IsJudged(crossing)) {
      continue;
    }
    if (decided[&crossing] != places_) {
      return Refuse(absl::StrCat("nothing was decided, or not for each of this site's places: ",
                                 policies::OperationWord(crossing.operation), " of ",
                                 policies::ArtifactWord(crossing.artifact)));
    }
    if (crossing.operation != v1::OPERATION_TRAIN &&
        crossing.operation != v1::OPERATION_SEND_DELTA) {
      continue;
    }
    for (const std::string& shard : member.shards()) {
      CARNET_RETURN_IF_ERROR(CheckOwnLabels(shard, crossing, member.authorisations()));
      CARNET_RETURN_IF_ERROR(CheckStated(shard, crossing, member.authorisations()));
    }
  }
  return absl::OkStatus();
}

// The sealed shard goes home and on to the other worker.
absl::Status SiteChecker::CheckSend(const v1::StagingOrdered& ordered) const {
  const std::string shard = absl::StrCat(ordered.dataset(), "/", ordered.shard());
  std::set<std::string> decided;
  for (const v1::Authorisation& authorisation : ordered.authorisations()) {
    const v1::Flow& flow = authorisation.flow();
    if (flow.operation() != v1::OPERATION_STAGE_DATA ||
        flow.artifact() != v1::ARTIFACT_KIND_RAW_DATA || places_.count(flow.from()) == 0) {
      return Refuse(absl::StrCat("decided for another place than this site's: ", Words(flow)));
    }
    CARNET_RETURN_IF_ERROR(CheckOwnLabels(shard, authorisation));
    CARNET_RETURN_IF_ERROR(CheckStated(shard, authorisation));
    CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
    // Home is the hop that cannot open it, or where the other worker is.
    CARNET_RETURN_IF_ERROR(
        CheckVerdict({.flow = flow,
                      .worker_is_ours = false,
                      .end_to_end = flow.to() == view_.site.home ? std::optional<bool>()
                                                                 : std::optional<bool>(false),
                      .job = nullptr,
                      .counts = {},
                      .anonymous = false}));
    if (flow.to() == view_.site.home && flow.recipient() == view_.site.organisation) {
      decided.insert(flow.from());
    }
  }
  if (decided != places_) {
    return Refuse("nothing was decided, or not for each of this site's places: stage_data");
  }
  return absl::OkStatus();
}

absl::Status SiteChecker::CheckReceive(const v1::StagingOrdered& ordered) const {
  const bool at_home = places_.count(view_.site.home) != 0;
  const std::string shard = absl::StrCat(ordered.dataset(), "/", ordered.shard());
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
    CARNET_RETURN_IF_ERROR(CheckStated(shard, authorisation));
    CARNET_RETURN_IF_ERROR(CheckExceptions(authorisation));
    CARNET_RETURN_IF_ERROR(
        CheckVerdict({.flow = flow,
                      .worker_is_ours = !at_home,
                      .end_to_end = at_home ? std::optional<bool>() : std::optional<bool>(false),
                      .job = nullptr,
                      .counts = {},
                      .anonymous = false}));
    decided.insert(flow.to());
  }
  return decided == places_
             ? absl::OkStatus()
             : Refuse("nothing was decided, or not for each of this site's places: stage_data");
}

absl::Status SiteChecker::Check(const CheckedTask& checked) {
  CARNET_RETURN_IF_ERROR(FindPlaces());
  stated_ = StatedLabels(Statements(), ShardDigests(checked));
  if (const auto* train = std::get_if<TrainTask>(&checked.work); train != nullptr) {
    const v1::RoundOpened& opened = train->opened;
    CARNET_RETURN_IF_ERROR(FindJob(opened.job_id()));
    CARNET_RETURN_IF_ERROR(
        TakeBasis(opened.basis(), opened.common(), opened.deadline(), RoundMax(*job_)));
    anonymous_ = IsAnonymous(AsBytes(opened.model_sha256()));
    return CheckMember(train->member, true);
  }
  if (const auto* evaluate = std::get_if<EvaluateTask>(&checked.work); evaluate != nullptr) {
    const v1::EvaluationOpened& opened = evaluate->opened;
    CARNET_RETURN_IF_ERROR(FindJob(opened.job_id()));
    CARNET_RETURN_IF_ERROR(
        TakeBasis(opened.basis(), opened.common(), opened.deadline(), RoundMax(*job_)));
    anonymous_ = IsAnonymous(AsBytes(opened.model_sha256()));
    return CheckMember(opened.member(), false);
  }
  const auto* send = std::get_if<SendShardTask>(&checked.work);
  const v1::StagingOrdered& ordered =
      send != nullptr ? send->ordered : std::get<ReceiveShardTask>(checked.work).ordered;
  CARNET_RETURN_IF_ERROR(
      TakeBasis(ordered.basis(), ordered.common(), ordered.expires(), kStagingMax));
  return send != nullptr ? CheckSend(ordered) : CheckReceive(ordered);
}

}  // namespace

absl::Status CheckSite(const v1::Task& task, const CheckedTask& checked, const SiteView& view) {
  return SiteChecker(task, view, false).Check(checked);
}

absl::Status CheckLeaving(const v1::Task& task, const CheckedTask& checked, const SiteView& view) {
  return SiteChecker(task, view, true).Check(checked);
}

}  // namespace carnet::worker
