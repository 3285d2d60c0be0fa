#include "ledger/verifier/lineage.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/verifier/policy_history.h"

namespace carnet::ledger::verifier {
namespace {

using MaybeFinding = std::optional<Finding>;

std::string Hex(const std::string& bytes) {
  return bytes.empty() ? "nothing" : HexEncode(AsBytes(bytes));
}

Finding Wrong(std::uint64_t index, std::string expected, std::string actual) {
  return {.expected = std::move(expected), .actual = std::move(actual), .index = index};
}
Finding Missing(std::string expected, std::uint64_t index) {
  return {.expected = std::move(expected),
          .actual = "not in the manifest",
          .index = index,
          .missing = true};
}

const char* ModeWord(v1::PrivacyMode mode) {
  switch (mode) {
    case v1::PRIVACY_MODE_TRUSTED:
      return "trusted";
    case v1::PRIVACY_MODE_SECAGG:
      return "secagg";
    case v1::PRIVACY_MODE_SECAGG_HELPER:
      return "secagg_helper";
    default:
      return "not stated";
  }
}

// Walks the records of one job in their order.
class Walk {
 public:
  Walk(const LineageRecords& records, const v1::Genesis& genesis, const Members& members,
       ManifestReport& report)
      : records_(records.records),
        leaves_(records.leaves),
        genesis_(genesis),
        policies_(genesis),
        members_(members),
        report_(report) {}

  MaybeFinding Run(const std::string& job_id, const std::string& model);

 private:
  // A round that is open, or closed and not yet combined.
  struct Open {
    std::uint64_t index = 0;
    const v1::RoundOpened* opened = nullptr;
    const v1::RoundClosed* closed = nullptr;
    std::set<std::string> lost;  // workers whose accepted contribution was rejected afterwards
  };

  template <typename T>
  bool OfRound(const T& record) const {
    return open_ && record.round() == open_->opened->round() &&
           record.attempt() == open_->opened->attempt();
  }
  MaybeFinding Job(std::uint64_t index, const v1::JobSubmitted& job);
  MaybeFinding Opened(std::uint64_t index, const v1::RoundOpened& opened);
  MaybeFinding Closed(std::uint64_t index, const v1::RoundClosed& closed);
  void Rejected(std::uint64_t index, const v1::ContributionRejected& rejected);
  MaybeFinding Combined(std::uint64_t index, const v1::Aggregate& aggregate);
  MaybeFinding Included(std::uint64_t index, std::uint64_t contribution_index,
                        std::uint64_t weight);
  MaybeFinding IncludedLeaf(std::uint64_t index, std::uint64_t contribution_index,
                            std::uint64_t weight);
  MaybeFinding CheckContribution(std::uint64_t index, const v1::Contribution& contribution,
                                 std::uint64_t weight);
  MaybeFinding CheckMember(std::uint64_t index, const std::string& worker_id,
                           std::uint64_t weight) const;
  const v1::RoundMember* FindMember(const std::string& worker_id) const;
  // Counts a contribution for its worker; the participant's part of the report.
  Participant& Credit(const std::string& worker_id, const std::string& region,
                      const std::string& supplier);
  MaybeFinding Evaluated(std::uint64_t index, const v1::Evaluation& evaluation) const;
  void NotePolicy(const v1::DecisionBasis& basis, std::uint32_t round);
  void NoteWithdrawals();
  MaybeFinding Step(std::uint64_t index, const VerifiedRecord& record);
  // As the region was last registered.
  std::vector<std::string> JurisdictionsOf(const std::string& region) const;

  const RecordMap& records_;
  const std::map<std::uint64_t, Digest>& leaves_;
  const v1::Genesis& genesis_;
  PolicyHistory policies_;
  const Members& members_;
  ManifestReport& report_;
  const v1::JobSubmitted* job_ = nullptr;
  std::string current_;  // digest of the newest model
  std::uint32_t rounds_ = 0;
  std::uint32_t attempts_ = 0;  // of the round under way
  std::optional<Open> open_;
  std::map<std::string, Participant> participants_;
};

MaybeFinding Walk::Job(std::uint64_t index, const v1::JobSubmitted& job) {
  if (job_ != nullptr) {
    return Wrong(index, "one submission of the job", "a second one");
  }
  const auto text = MessageToJson(job.spec());
  const auto json = text.ok() ? ParseJson(*text) : absl::StatusOr<nlohmann::json>(text.status());
  const auto canonical =
      json.ok() ? CanonicalJson(*json) : absl::StatusOr<std::string>(json.status());
  const std::string spec =
      canonical.ok() ? ToString(crypto::Sha256(AsBytes(*canonical))) : std::string();
  if (spec != job.spec_sha256()) {
    return Wrong(index, absl::StrCat("job spec ", Hex(job.spec_sha256())),
                 absl::StrCat("job spec ", Hex(spec)));
  }
  const absl::StatusOr<Digest> base = ToDigest(AsBytes(job.model_sha256()));
  if (!base.ok()) {
    return Wrong(index, "the digest of the base model", "something else");
  }
  job_ = &job;
  current_ = job.model_sha256();
  report_.base_model_sha256 = *base;
  report_.submitter = job.submitter();
  report_.job_name = job.spec().job();
  report_.privacy_loss = job.spec().privacy().has_differential_privacy()
                             ? "asked for in the job, not accounted for in these records"
                             : "none promised: no differential privacy";
  report_.last_index = index;
  return std::nullopt;
}

void Walk::NotePolicy(const v1::DecisionBasis& basis, std::uint32_t round) {
  const Digest bundle = ToDigest(AsBytes(basis.bundle_sha256())).value_or(Digest{});
  for (PolicyUse& use : report_.policies) {
    if (use.bundle_sha256 == bundle && use.revision == basis.revision()) {
      use.last_round = round;
      return;
    }
  }
  report_.policies.push_back({.bundle_sha256 = bundle,
                              .revision = basis.revision(),
                              .first_round = round,
                              .last_round = round});
}

MaybeFinding Walk::Opened(std::uint64_t index, const v1::RoundOpened& opened) {
  if (open_) {
    return Wrong(index, "the end of the round before it", "another round opened");
  }
  if (opened.round() != rounds_ + 1 || opened.attempt() <= attempts_) {
    return Wrong(index, absl::StrCat("round ", rounds_ + 1, ", an attempt after ", attempts_),
                 absl::StrCat("round ", opened.round(), ", attempt ", opened.attempt()));
  }
  if (opened.model_sha256() != current_) {
    return Wrong(index, absl::StrCat("model ", Hex(current_)),
                 absl::StrCat("model ", Hex(opened.model_sha256())));
  }
  attempts_ = opened.attempt();
  open_ = Open{.index = index, .opened = &opened, .closed = nullptr, .lost = {}};
  if (MaybeFinding finding = policies_.Check(index, opened.basis()); finding) {
    return finding;
  }
  NotePolicy(opened.basis(), opened.round());
  report_.privacy_mode = ModeWord(opened.mode());
  return std::nullopt;
}

MaybeFinding Walk::Closed(std::uint64_t index, const v1::RoundClosed& closed) {
  if (!OfRound(closed) || open_->closed != nullptr) {
    return Wrong(index, "the end of an open round", "a round that was not open");
  }
  open_->closed = &closed;
  return policies_.Check(index, closed.basis());
}

void Walk::Rejected(std::uint64_t index, const v1::ContributionRejected& rejected) {
  if (!OfRound(rejected) || open_->closed == nullptr) {
    return;  // Before the round closed, a rejection keeps out what came; what is on record as a
             // contribution stays.
  }
  for (const v1::Included& included : open_->closed->included()) {
    if (included.worker_id() == rejected.worker_id() && included.index() < index) {
      open_->lost.insert(rejected.worker_id());
    }
  }
}

const v1::RoundMember* Walk::FindMember(const std::string& worker_id) const {
  const auto& members = open_->opened->members();
  const auto member =
      std::find_if(members.begin(), members.end(), [&worker_id](const v1::RoundMember& candidate) {
        return candidate.worker_id() == worker_id;
      });
  return member == members.end() ? nullptr : &*member;
}

MaybeFinding Walk::CheckMember(std::uint64_t index, const std::string& worker_id,
                               std::uint64_t weight) const {
  const v1::RoundMember* member = FindMember(worker_id);
  if (member == nullptr) {
    return Wrong(index, "a worker of the round's cohort", worker_id);
  }
  if (weight != member->weight()) {
    return Wrong(index, absl::StrCat("weight ", member->weight()), absl::StrCat("weight ", weight));
  }
  if (member->shards_size() != member->shard_sha256_size()) {
    return Wrong(open_->index, "a digest for each shard", "more or fewer");
  }
  return std::nullopt;
}

MaybeFinding Walk::CheckContribution(std::uint64_t index, const v1::Contribution& contribution,
                                     std::uint64_t weight) {
  const v1::RoundOpened& opened = *open_->opened;
  if (contribution.round_opened_index() != open_->index || !OfRound(contribution) ||
      contribution.job_id() != opened.job_id()) {
    return Wrong(index, absl::StrCat("a contribution to the round opened at ", open_->index),
                 absl::StrCat("one to the round opened at ", contribution.round_opened_index()));
  }
  if (contribution.base_model_sha256() != current_) {
    return Wrong(index, absl::StrCat("base model ", Hex(current_)),
                 absl::StrCat("base model ", Hex(contribution.base_model_sha256())));
  }
  if (MaybeFinding finding = CheckMember(index, contribution.worker_id(), weight); finding) {
    return finding;
  }
  const v1::RoundMember* member = FindMember(contribution.worker_id());
  if (!std::equal(contribution.shard_sha256().begin(), contribution.shard_sha256().end(),
                  member->shard_sha256().begin(), member->shard_sha256().end())) {
    return Wrong(index, "the shards that the round gave to the worker", "other shards");
  }
  const std::string& trainer = job_->spec().trainer().digest();
  const std::string used =
      absl::StrCat("sha256:", HexEncode(AsBytes(contribution.trainer_digest())));
  if (!trainer.empty() && trainer != used) {
    return Wrong(index, absl::StrCat("trainer ", trainer), absl::StrCat("trainer ", used));
  }
  const auto enrolled = members_.workers.find(contribution.worker_id());
  if (enrolled == members_.workers.end()) {
    return Wrong(index, "a contribution of a worker that is enrolled", contribution.worker_id());
  }
  const Enrolled& worker = enrolled->second;
  if (contribution.region() != worker.region || contribution.supplier() != worker.supplier) {
    return Wrong(
        index, absl::StrCat("region ", worker.region, ", supplier ", worker.supplier),
        absl::StrCat("region ", contribution.region(), ", supplier ", contribution.supplier()));
  }
  return std::nullopt;
}

std::vector<std::string> Walk::JurisdictionsOf(const std::string& region) const {
  std::vector<std::string> jurisdictions;
  if (region == "home") {
    return {genesis_.home_jurisdiction()};  // no record moves it
  }
  for (const auto& [index, record] : records_) {
    const auto* registered = record.As<v1::RegionRegistered>();
    if (registered != nullptr && registered->region() == region) {
      jurisdictions.assign(registered->terms().jurisdictions().begin(),
                           registered->terms().jurisdictions().end());
    }
  }
  return jurisdictions;
}

Participant& Walk::Credit(const std::string& worker_id, const std::string& region,
                          const std::string& supplier) {
  Participant& participant = participants_[worker_id];
  if (participant.worker_id.empty()) {
    participant.worker_id = worker_id;
    participant.region = region;
    participant.supplier = supplier;
    participant.jurisdictions = JurisdictionsOf(region);
  }
  ++participant.contributions;
  const v1::RoundMember* member = FindMember(worker_id);
  for (int i = 0; i < member->shards_size(); ++i) {
    participant.shards[member->shards(i)] =
        ToDigest(AsBytes(member->shard_sha256(i))).value_or(Digest{});
  }
  return participant;
}

// Of a contribution of the compact form: what the round and the enrolment say of it.
MaybeFinding Walk::IncludedLeaf(std::uint64_t index, std::uint64_t contribution_index,
                                std::uint64_t weight) {
  const auto& all = open_->closed->included();
  const auto entry = std::find_if(all.begin(), all.end(), [=](const v1::Included& included) {
    return included.index() == contribution_index;
  });
  if (entry == all.end() || contribution_index <= open_->index || contribution_index >= index) {
    return Wrong(index, "a contribution between the round's opening and its aggregate",
                 absl::StrCat("record ", contribution_index));
  }
  const auto worker = members_.workers.find(entry->worker_id());
  if (worker == members_.workers.end() || worker->second.index >= contribution_index) {
    return Missing(absl::StrCat("the enrolment of ", entry->worker_id()), contribution_index);
  }
  if (worker->second.revoked && *worker->second.revoked < contribution_index) {
    return Wrong(contribution_index,
                 absl::StrCat("nothing of ", entry->worker_id(), " after its revocation at ",
                              *worker->second.revoked),
                 "a contribution");
  }
  if (MaybeFinding finding = CheckMember(contribution_index, entry->worker_id(), weight); finding) {
    return finding;
  }
  Credit(entry->worker_id(), worker->second.region, worker->second.supplier);
  return std::nullopt;
}

MaybeFinding Walk::Included(std::uint64_t index, std::uint64_t contribution_index,
                            std::uint64_t weight) {
  const auto record = records_.find(contribution_index);
  if (record == records_.end()) {
    return leaves_.count(contribution_index) != 0
               ? IncludedLeaf(index, contribution_index, weight)
               : Missing(absl::StrCat("the contribution at ", contribution_index), index);
  }
  const auto* contribution = record->second.As<v1::Contribution>();
  if (contribution == nullptr || contribution_index <= open_->index ||
      contribution_index >= index) {
    return Wrong(index, absl::StrCat("a contribution at ", contribution_index),
                 record->second.type);
  }
  if (MaybeFinding finding = CheckContribution(contribution_index, *contribution, weight);
      finding) {
    return finding;
  }
  Credit(contribution->worker_id(), contribution->region(), contribution->supplier()).examples +=
      contribution->examples();
  return std::nullopt;
}

MaybeFinding Walk::Combined(std::uint64_t index, const v1::Aggregate& aggregate) {
  if (!OfRound(aggregate) || open_->closed == nullptr) {
    return Wrong(index, "an aggregate of a closed round", "one of a round that was not closed");
  }
  if (aggregate.base_model_sha256() != current_) {
    return Wrong(index, absl::StrCat("base model ", Hex(current_)),
                 absl::StrCat("base model ", Hex(aggregate.base_model_sha256())));
  }
  std::vector<std::uint64_t> due;
  for (const v1::Included& included : open_->closed->included()) {
    if (open_->lost.count(included.worker_id()) == 0) {
      due.push_back(included.index());
    }
  }
  if (due.empty() || std::set<std::uint64_t>(due.begin(), due.end()).size() != due.size() ||
      !std::equal(due.begin(), due.end(), aggregate.included().begin(),
                  aggregate.included().end()) ||
      aggregate.weights_size() != aggregate.included_size()) {
    return Wrong(
        index,
        absl::StrCat("the ", due.size(), " contributions that the round closed with, each weighed"),
        absl::StrCat(aggregate.included_size(), " contributions, or others"));
  }
  for (int i = 0; i < aggregate.included_size(); ++i) {
    if (MaybeFinding finding = Included(index, aggregate.included(i), aggregate.weights(i));
        finding) {
      return finding;
    }
  }
  current_ = aggregate.model_sha256();
  rounds_ = aggregate.round();
  attempts_ = 0;
  open_.reset();
  report_.last_index = index;
  return std::nullopt;
}

MaybeFinding Walk::Evaluated(std::uint64_t index, const v1::Evaluation& evaluation) const {
  const auto record = records_.find(evaluation.evaluation_opened_index());
  const auto* opened =
      record == records_.end() ? nullptr : record->second.As<v1::EvaluationOpened>();
  if (opened == nullptr) {
    return Missing(absl::StrCat("evaluation-opened at ", evaluation.evaluation_opened_index()),
                   index);
  }
  if (opened->job_id() != evaluation.job_id() ||
      opened->model_sha256() != evaluation.model_sha256() ||
      opened->member().worker_id() != evaluation.worker_id()) {
    return Wrong(index,
                 "an evaluation of the model that its order names, by the worker that it names",
                 "another");
  }
  return std::nullopt;
}

MaybeFinding Walk::Step(std::uint64_t index, const VerifiedRecord& record) {
  if (const auto* opened = record.As<v1::RoundOpened>(); opened != nullptr) {
    return Opened(index, *opened);
  }
  if (const auto* closed = record.As<v1::RoundClosed>(); closed != nullptr) {
    return Closed(index, *closed);
  }
  if (const auto* rejected = record.As<v1::ContributionRejected>(); rejected != nullptr) {
    Rejected(index, *rejected);
  }
  if (const auto* abandoned = record.As<v1::RoundAbandoned>(); abandoned != nullptr) {
    if (!OfRound(*abandoned)) {
      return Wrong(index, "the end of an open round", "a round that was not open");
    }
    open_.reset();
  }
  if (const auto* evaluation = record.As<v1::Evaluation>(); evaluation != nullptr) {
    return Evaluated(index, *evaluation);
  }
  const auto* aggregate = record.As<v1::Aggregate>();
  return aggregate == nullptr ? std::nullopt : Combined(index, *aggregate);
}

// The job that a record belongs to; empty: none.
std::string JobOf(const VerifiedRecord& record) {
  const google::protobuf::Message& message = *record.predicate;
  const auto* field = message.GetDescriptor()->FindFieldByName("job_id");
  return field == nullptr ? std::string() : message.GetReflection()->GetString(message, field);
}

MaybeFinding Walk::Run(const std::string& job_id, const std::string& model) {
  std::uint64_t last = 0;
  for (const auto& [index, record] : records_) {
    last = index;
    if (const auto* activated = record.As<v1::PolicyActivated>(); activated != nullptr) {
      if (MaybeFinding finding = policies_.Follow(index, *activated); finding) {
        return finding;
      }
    }
    if (JobOf(record) != job_id || job_id.empty()) {
      continue;
    }
    if (const auto* job = record.As<v1::JobSubmitted>(); job != nullptr) {
      if (MaybeFinding finding = Job(index, *job); finding) {
        return finding;
      }
    } else if (job_ == nullptr && record.type != "refusal") {
      return Missing("job-submitted before any other record of the job", index);
    } else if (MaybeFinding finding = Step(index, record); finding) {
      return finding;
    }
    if (job_ != nullptr && current_ == model) {
      break;
    }
  }
  if (job_ == nullptr) {
    return Missing("job-submitted", last);
  }
  if (current_ != model) {
    return Wrong(report_.last_index, absl::StrCat("records that lead to model ", Hex(model)),
                 absl::StrCat("they lead to model ", Hex(current_), " after ", rounds_, " rounds"));
  }
  report_.rounds = rounds_;
  for (const auto& [id, participant] : participants_) {
    report_.participants.push_back(participant);
  }
  NoteWithdrawals();
  return std::nullopt;
}

// Whenever it was withdrawn: what was learned from it stays in the model.
void Walk::NoteWithdrawals() {
  for (const auto& [index, record] : records_) {
    const auto* withdrawn = record.As<v1::ShardWithdrawn>();
    if (withdrawn == nullptr) {
      continue;
    }
    const std::string name = absl::StrCat(withdrawn->dataset(), "/", withdrawn->shard());
    const bool contained =
        std::any_of(participants_.begin(), participants_.end(), [&](const auto& entry) {
          const auto shard = entry.second.shards.find(name);
          return shard != entry.second.shards.end() && AsText(shard->second) == withdrawn->sha256();
        });
    if (contained) {
      report_.withdrawn.push_back({name, withdrawn->reason(), index});
    }
  }
}

}  // namespace

std::optional<Finding> CheckLineage(const LineageRecords& records, const v1::Genesis& genesis,
                                    const Members& members, const std::string& job_id,
                                    const Digest& model_sha256, ManifestReport& report) {
  return Walk(records, genesis, members, report).Run(job_id, ToString(model_sha256));
}

}  // namespace carnet::ledger::verifier
