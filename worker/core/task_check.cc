#include "worker/core/task_check.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "exchange/expected.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

using ledger::verifier::TreeHead;
using ledger::verifier::VerifiedRecord;

// A refusal travels as a Status whose code stands for what is told home, so that the checks below
// read as a list.
constexpr absl::StatusCode kArtifact = absl::StatusCode::kUnauthenticated;
constexpr absl::StatusCode kSite = absl::StatusCode::kPermissionDenied;
constexpr absl::StatusCode kTrainer = absl::StatusCode::kUnimplemented;
constexpr absl::StatusCode kShard = absl::StatusCode::kNotFound;

absl::Status Refuse(absl::StatusCode code, absl::string_view what) {
  return absl::Status(code, absl::StrCat("task: ", what));
}

v1::TaskFailure FailureOf(const absl::Status& status) {
  switch (status.code()) {
    case kSite:
      return v1::TASK_FAILURE_REFUSED_BY_SITE;
    case kTrainer:
      return v1::TASK_FAILURE_TRAINER_UNKNOWN;
    case kShard:
      return v1::TASK_FAILURE_SHARD_MISSING;
    default:
      return v1::TASK_FAILURE_ARTIFACT_INVALID;
  }
}

bool SameBytes(ByteView a, const std::string& b) {
  return AsText(a) == b;
}

// One check of one task; the functions below are its steps.
class Checker {
 public:
  Checker(const v1::Task& task, const Identity& identity, const TreeHead& head, const Site& site,
          absl::Time now)
      : task_(task), identity_(identity), head_(head), site_(site), now_(now) {}

  absl::StatusOr<CheckedTask> Check();

 private:
  absl::StatusOr<VerifiedRecord> CoordinatorRecord(const v1::ProvenRecord& proven) const;
  absl::StatusOr<TrainTask> CheckTrain(const VerifiedRecord& record) const;
  absl::StatusOr<EvaluateTask> CheckEvaluate(const VerifiedRecord& record) const;
  absl::StatusOr<SendShardTask> CheckSend(const VerifiedRecord& record) const;
  absl::StatusOr<ReceiveShardTask> CheckReceive(const VerifiedRecord& record) const;
  absl::StatusOr<CheckedJob> CheckJob(const std::string& job_id) const;
  absl::StatusOr<Digest> CheckTrainer(const v1::TrainerSpec& trainer) const;
  absl::Status CheckMode(const v1::JobSpec& spec, v1::PrivacyMode mode) const;
  absl::Status CheckMember(const v1::RoundMember& member) const;
  absl::Status CheckTicket(const v1::Ticket& ticket, const v1::Ticket& recorded) const;
  absl::Status CheckLive(absl::string_view what, const google::protobuf::Timestamp& end) const;
  absl::StatusOr<exchange::Header> CheckModel(const v1::SealedArtifact& recorded,
                                              const exchange::ModelHeaderFacts& facts) const;
  absl::StatusOr<Digest> CheckStaging(const VerifiedRecord& record,
                                      const v1::StagingOrdered& ordered) const;
  absl::StatusOr<v1::WorkerEnrolled> OtherWorker(const std::string& worker_id) const;

  const v1::Task& task_;
  const Identity& identity_;
  const TreeHead& head_;
  const Site& site_;
  const absl::Time now_;
};

absl::StatusOr<VerifiedRecord> Checker::CoordinatorRecord(const v1::ProvenRecord& proven) const {
  CARNET_ASSIGN_OR_RETURN(auto record, ledger::verifier::VerifyProvenRecord(proven, head_));
  if (!identity_.keys.has_value() ||
      record.public_key != identity_.keys->StatementKeyAt(proven.proof().index())) {
    return Refuse(kArtifact, "a record is not signed by the coordinator");
  }
  return record;
}

absl::Status Checker::CheckLive(absl::string_view what,
                                const google::protobuf::Timestamp& end) const {
  if (ToTime(end) <= now_) {
    return Refuse(kArtifact, absl::StrCat(what, " has passed"));
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckTicket(const v1::Ticket& ticket, const v1::Ticket& recorded) const {
  if (ticket.ticket_id().empty() || ticket.ticket_id() != recorded.ticket_id() ||
      ticket.bytes_max() != recorded.bytes_max() ||
      ToTime(ticket.expires()) != ToTime(recorded.expires())) {
    return Refuse(kArtifact, "a ticket is not the recorded one");
  }
  return CheckLive("a ticket", ticket.expires());
}

absl::Status Checker::CheckMember(const v1::RoundMember& member) const {
  if (member.shards_size() == 0 || member.shards_size() != member.shard_sha256_size()) {
    return Refuse(kArtifact, "the record names no shards, or not their digests");
  }
  for (int i = 0; i < member.shards_size(); ++i) {
    const auto shard = site_.shards.find(member.shards(i));
    if (shard == site_.shards.end() || !SameBytes(shard->second, member.shard_sha256(i))) {
      return Refuse(kShard, "a shard is not here with the recorded digest");
    }
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckMode(const v1::JobSpec& spec, v1::PrivacyMode mode) const {
  const v1::PrivacyMode asked = spec.privacy().mode() == v1::PRIVACY_MODE_UNSPECIFIED
                                    ? v1::PRIVACY_MODE_TRUSTED
                                    : spec.privacy().mode();
  if (mode < asked) {
    return Refuse(kSite, "the round's privacy mode is weaker than the job's");
  }
  if (mode < site_.weakest_mode) {
    return Refuse(kSite, "the round's privacy mode is weaker than this site's floor");
  }
  if (mode != v1::PRIVACY_MODE_TRUSTED) {
    return Refuse(kSite, "the round's privacy mode is not in this version");
  }
  // In this mode the coordinator sees each delta: nobody hides among others.
  if (site_.k_min > 1) {
    return Refuse(kSite, "this site's floor asks for more organisations in a sum");
  }
  return absl::OkStatus();
}

absl::StatusOr<Digest> Checker::CheckTrainer(const v1::TrainerSpec& trainer) const {
  const auto known = site_.trainers.find(trainer.name());
  if (known == site_.trainers.end()) {
    return Refuse(kTrainer, "the job's trainer is not named in this worker's configuration");
  }
  const bool built_in = trainer.name() == "softmax" || trainer.name() == "mlp";
  if (trainer.digest().empty() && built_in) {
    return known->second;
  }
  if (trainer.digest() != absl::StrCat("sha256:", HexEncode(known->second))) {
    return Refuse(kTrainer, "the job's trainer has another digest here");
  }
  return known->second;
}

absl::StatusOr<CheckedJob> Checker::CheckJob(const std::string& job_id) const {
  std::optional<v1::JobSubmitted> submitted;
  Bytes submitter_key;
  std::optional<v1::UserEnrolled> user;
  for (const v1::ProvenRecord& proven : task_.context()) {
    CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyProvenRecord(proven, head_));
    if (const auto* job = record.As<v1::JobSubmitted>(); job != nullptr) {
      if (submitted.has_value()) {
        return Refuse(kArtifact, "two jobs came with it");
      }
      submitted = *job;
      submitter_key = record.public_key;
    } else if (const auto* person = record.As<v1::UserEnrolled>(); person != nullptr) {
      CARNET_RETURN_IF_ERROR(CoordinatorRecord(proven));
      if (user.has_value()) {
        return Refuse(kArtifact, "two users came with it");
      }
      user = *person;
    }
  }
  if (!submitted.has_value() || !user.has_value() || submitted->job_id() != job_id) {
    return Refuse(kArtifact, "the job, or the user who submitted it, is not proven");
  }
  if (submitted->submitter() != user->user_id() || !SameBytes(submitter_key, user->public_key())) {
    return Refuse(kArtifact, "the job is not signed by its submitter");
  }
  CheckedJob job;
  CARNET_ASSIGN_OR_RETURN(job.spec_sha256, SpecDigest(submitted->spec()));
  if (!SameBytes(job.spec_sha256, submitted->spec_sha256())) {
    return Refuse(kArtifact, "the job's digest is not that of its specification");
  }
  CARNET_ASSIGN_OR_RETURN(job.trainer_digest, CheckTrainer(submitted->spec().trainer()));
  job.spec = submitted->spec();
  if (task_.kind() == v1::TASK_KIND_TRAIN) {
    const auto opened = ledger::verifier::VerifyProvenRecord(task_.opened(), head_);
    const auto* round = opened.ok() ? opened->As<v1::RoundOpened>() : nullptr;
    if (round == nullptr ||
        (round->round() == 1 && round->model_sha256() != submitted->model_sha256())) {
      return Refuse(kArtifact, "the first round does not start from the job's model");
    }
  }
  return job;
}

absl::StatusOr<exchange::Header> Checker::CheckModel(
    const v1::SealedArtifact& recorded, const exchange::ModelHeaderFacts& facts) const {
  CARNET_ASSIGN_OR_RETURN(exchange::Header header,
                          exchange::ParseHeader(AsBytes(task_.artifact_header())));
  if (!SameBytes(header.sha256, recorded.header_sha256())) {
    return Refuse(kArtifact, "the model's header is not the recorded one");
  }
  // The layout and its size are the model's own; the record pins them through the header's digest.
  constexpr std::array<int, 2> kModelsOwn = {13, 15};
  CARNET_RETURN_IF_ERROR(
      exchange::CompareHeaders(exchange::ModelHeader(facts), header.fields, kModelsOwn));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes,
                          crypto::SealedSize(header.fields.plaintext_bytes()));
  if (sealed_bytes != recorded.sealed_bytes() || sealed_bytes > task_.download().bytes_max() ||
      recorded.sealed_sha256().size() != kDigestBytes) {
    return Refuse(kArtifact, "the model has another size than recorded");
  }
  if (task_.key().key_id() != recorded.key_id()) {
    return Refuse(kArtifact, "the model's key is not the recorded one");
  }
  return header;
}

absl::StatusOr<TrainTask> Checker::CheckTrain(const VerifiedRecord& record) const {
  const auto* opened = record.As<v1::RoundOpened>();
  if (opened == nullptr) {
    return Refuse(kArtifact, "a training task needs a round-opened record");
  }
  const auto member = std::find_if(
      opened->members().begin(), opened->members().end(),
      [this](const v1::RoundMember& m) { return m.worker_id() == identity_.worker_id; });
  if (member == opened->members().end()) {
    return Refuse(kArtifact, "the round does not name this worker");
  }
  CARNET_RETURN_IF_ERROR(CheckTicket(task_.download(), member->download()));
  CARNET_RETURN_IF_ERROR(CheckTicket(task_.upload(), member->upload()));
  CARNET_RETURN_IF_ERROR(CheckLive("the round's deadline", opened->deadline()));
  TrainTask train;
  CARNET_ASSIGN_OR_RETURN(train.job, CheckJob(opened->job_id()));
  CARNET_RETURN_IF_ERROR(CheckMode(train.job.spec, opened->mode()));
  CARNET_RETURN_IF_ERROR(CheckMember(*member));
  CARNET_ASSIGN_OR_RETURN(
      train.model,
      CheckModel(opened->model(), {.trust_domain = identity_.spiffe_id.trust_domain(),
                                   .job_id = opened->job_id(),
                                   .round = opened->round(),
                                   .attempt = opened->attempt(),
                                   .home_jurisdiction = identity_.home_jurisdiction,
                                   .bundle_sha256 = AsBytes(opened->basis().bundle_sha256()),
                                   .model_sha256 = AsBytes(opened->model_sha256()),
                                   .layout_sha256 = {},
                                   .model_bytes = 0,
                                   .key_id = opened->model().key_id()}));
  train.opened = *opened;
  train.opened_index = task_.opened().proof().index();
  train.member = *member;
  return train;
}

absl::StatusOr<EvaluateTask> Checker::CheckEvaluate(const VerifiedRecord& record) const {
  const auto* opened = record.As<v1::EvaluationOpened>();
  if (opened == nullptr) {
    return Refuse(kArtifact, "an evaluation needs an evaluation-opened record");
  }
  if (opened->member().worker_id() != identity_.worker_id) {
    return Refuse(kArtifact, "the evaluation does not name this worker");
  }
  CARNET_RETURN_IF_ERROR(CheckTicket(task_.download(), opened->member().download()));
  CARNET_RETURN_IF_ERROR(CheckLive("the evaluation's deadline", opened->deadline()));
  EvaluateTask evaluate;
  CARNET_ASSIGN_OR_RETURN(evaluate.job, CheckJob(opened->job_id()));
  CARNET_RETURN_IF_ERROR(CheckMember(opened->member()));
  CARNET_ASSIGN_OR_RETURN(
      evaluate.model,
      CheckModel(opened->model(), {.trust_domain = identity_.spiffe_id.trust_domain(),
                                   .job_id = opened->job_id(),
                                   .round = opened->round(),
                                   .attempt = opened->attempt(),
                                   .home_jurisdiction = identity_.home_jurisdiction,
                                   .bundle_sha256 = AsBytes(opened->basis().bundle_sha256()),
                                   .model_sha256 = AsBytes(opened->model_sha256()),
                                   .layout_sha256 = {},
                                   .model_bytes = 0,
                                   .key_id = opened->model().key_id()}));
  evaluate.opened = *opened;
  evaluate.opened_index = task_.opened().proof().index();
  return evaluate;
}

absl::StatusOr<v1::WorkerEnrolled> Checker::OtherWorker(const std::string& worker_id) const {
  for (const v1::ProvenRecord& proven : task_.context()) {
    CARNET_ASSIGN_OR_RETURN(const auto record, CoordinatorRecord(proven));
    const auto* enrolled = record.As<v1::WorkerEnrolled>();
    if (enrolled != nullptr && enrolled->worker_id() == worker_id) {
      return *enrolled;
    }
  }
  return Refuse(kArtifact, "the other worker of the staging is not proven");
}

absl::StatusOr<Digest> Checker::CheckStaging(const VerifiedRecord& record,
                                             const v1::StagingOrdered& ordered) const {
  CARNET_RETURN_IF_ERROR(CheckLive("the staging's time", ordered.expires()));
  if (record.subjects.size() != 1) {
    return Refuse(kArtifact, "the staging names no shard digest");
  }
  return record.subjects.front();
}

absl::StatusOr<SendShardTask> Checker::CheckSend(const VerifiedRecord& record) const {
  const auto* ordered = record.As<v1::StagingOrdered>();
  if (ordered == nullptr || ordered->from_worker_id() != identity_.worker_id) {
    return Refuse(kArtifact, "the staging does not name this worker as the sender");
  }
  SendShardTask send;
  CARNET_ASSIGN_OR_RETURN(send.shard_sha256, CheckStaging(record, *ordered));
  CARNET_RETURN_IF_ERROR(CheckLive("a ticket", task_.upload().expires()));
  const auto shard = site_.shards.find(absl::StrCat(ordered->dataset(), "/", ordered->shard()));
  if (shard == site_.shards.end() || shard->second != send.shard_sha256) {
    return Refuse(kShard, "the shard is not here with the recorded digest");
  }
  CARNET_ASSIGN_OR_RETURN(send.recipient, OtherWorker(ordered->to_worker_id()));
  send.ordered = *ordered;
  return send;
}

absl::StatusOr<ReceiveShardTask> Checker::CheckReceive(const VerifiedRecord& record) const {
  const auto* ordered = record.As<v1::StagingOrdered>();
  if (ordered == nullptr || ordered->to_worker_id() != identity_.worker_id) {
    return Refuse(kArtifact, "the staging does not name this worker as the recipient");
  }
  ReceiveShardTask receive;
  CARNET_ASSIGN_OR_RETURN(receive.shard_sha256, CheckStaging(record, *ordered));
  CARNET_RETURN_IF_ERROR(CheckLive("a ticket", task_.download().expires()));
  CARNET_ASSIGN_OR_RETURN(receive.sender, OtherWorker(ordered->from_worker_id()));
  CARNET_ASSIGN_OR_RETURN(receive.shard, exchange::ParseHeader(AsBytes(task_.artifact_header())));
  const v1::ArtifactHeader expected =
      exchange::ShardHeader(*ordered, {.from_spiffe_id = receive.sender.spiffe_id(),
                                       .to_spiffe_id = identity_.spiffe_id.ToString(),
                                       .archive_bytes = 0,
                                       .key_id = {}});
  CARNET_RETURN_IF_ERROR(
      exchange::CompareHeaders(expected, receive.shard.fields, exchange::kShardSenderFields));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes,
                          crypto::SealedSize(receive.shard.fields.plaintext_bytes()));
  if (sealed_bytes > task_.download().bytes_max()) {
    return Refuse(kArtifact, "the shard is larger than its ticket");
  }
  receive.ordered = *ordered;
  return receive;
}

absl::StatusOr<CheckedTask> Checker::Check() {
  if (task_.task_id().empty() || task_.task_id().size() > kTaskIdBytesMax) {
    return Refuse(kArtifact, "no task id, or one that is too long");
  }
  CARNET_ASSIGN_OR_RETURN(const VerifiedRecord record, CoordinatorRecord(task_.opened()));
  CheckedTask checked;
  switch (task_.kind()) {
    case v1::TASK_KIND_TRAIN: {
      CARNET_ASSIGN_OR_RETURN(TrainTask train, CheckTrain(record));
      checked.deadline = ToTime(train.opened.deadline());
      checked.work = std::move(train);
      break;
    }
    case v1::TASK_KIND_EVALUATE: {
      CARNET_ASSIGN_OR_RETURN(EvaluateTask evaluate, CheckEvaluate(record));
      checked.deadline = ToTime(evaluate.opened.deadline());
      checked.work = std::move(evaluate);
      break;
    }
    case v1::TASK_KIND_SEND_SHARD: {
      CARNET_ASSIGN_OR_RETURN(SendShardTask send, CheckSend(record));
      checked.deadline = ToTime(send.ordered.expires());
      checked.work = std::move(send);
      break;
    }
    case v1::TASK_KIND_RECEIVE_SHARD: {
      CARNET_ASSIGN_OR_RETURN(ReceiveShardTask receive, CheckReceive(record));
      checked.deadline = ToTime(receive.ordered.expires());
      checked.work = std::move(receive);
      break;
    }
    default:
      return Refuse(kArtifact, "a kind of task that this version does not know");
  }
  checked.task_id = task_.task_id();
  checked.download = task_.download();
  checked.upload = task_.upload();
  checked.key = task_.key();
  return checked;
}

}  // namespace

absl::StatusOr<Digest> SpecDigest(const v1::JobSpec& spec) {
  CARNET_ASSIGN_OR_RETURN(const std::string json, MessageToJson(spec));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json parsed, ParseJson(json));
  CARNET_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(parsed));
  return crypto::Sha256(AsBytes(canonical));
}

std::map<std::string, std::string> ShardDigests(const CheckedTask& task) {
  std::map<std::string, std::string> digests;
  const auto add_member = [&](const v1::RoundMember& member) {
    for (int i = 0; i < std::min(member.shards_size(), member.shard_sha256_size()); ++i) {
      digests[member.shards(i)] = member.shard_sha256(i);
    }
  };
  const auto add_staging = [&](const v1::StagingOrdered& ordered, const Digest& sha256) {
    digests[absl::StrCat(ordered.dataset(), "/", ordered.shard())] = ToString(sha256);
  };
  if (const auto* train = std::get_if<TrainTask>(&task.work); train != nullptr) {
    add_member(train->member);
  } else if (const auto* evaluate = std::get_if<EvaluateTask>(&task.work); evaluate != nullptr) {
    add_member(evaluate->opened.member());
  } else if (const auto* send = std::get_if<SendShardTask>(&task.work); send != nullptr) {
    add_staging(send->ordered, send->shard_sha256);
  } else {
    const auto& receive = std::get<ReceiveShardTask>(task.work);
    add_staging(receive.ordered, receive.shard_sha256);
  }
  return digests;
}

std::variant<CheckedTask, TaskRefusal> CheckTask(const v1::Task& task, const Identity& identity,
                                                 const TreeHead& head, const Site& site,
                                                 absl::Time now) {
  auto checked = Checker(task, identity, head, site, now).Check();
  if (!checked.ok()) {
    return TaskRefusal{.status = checked.status(), .failure = FailureOf(checked.status())};
  }
  return *std::move(checked);
}

}  // namespace carnet::worker
