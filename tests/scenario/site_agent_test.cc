// The whole worker, threads included, and a coordinator that gives it what it must not do: nothing
// is fetched, and nothing leaves.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/files.h"
#include "base/mutex.h"
#include "crypto/sealed.h"
#include "exchange/expected.h"
#include "ledger/head.h"
#include "ledger/note.h"
#include "policies/exceptions.h"
#include "scenario/french_site.h"
#include "scenario/policy_office.h"
#include "tests/unit/ledger/temp_dir.h"
#include "worker/agent_setup.h"
#include "worker/journal.h"

namespace carnet::coordinator {
namespace {

constexpr char kTask[] = "train/j/1/1";
constexpr char kOrigin[] = "test.acme.example/log";
constexpr std::uint64_t kModelBytes = 16;

// Nothing goes to France, unless a person approves the pilot.
const char kPilotInFrance[] = R"(policy: no-france
kind: guardrail
title: No model for France
approvals: {propose: [dpo], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - {id: never, effect: deny, when: {op: {is: send_model}, to.jurisdiction: {is: FR}}}
exceptions:
  - id: pilot
    lifts: never
    only_when: {job.purpose: {is: digit-recognition}}
    ticket: T-1
    valid: {from: 2026-11-01, to: 2027-01-31}
    approvals: {need: 1, from: [dpo]}
)";

struct SiteClock final : Clock {
  absl::Time Now() const override { return now; }
  absl::Duration MonotonicNow() const override { return absl::Hours(1); }
  absl::Time now;
};

// Gives its answers in turn; the second waits for an upload. It ends the worker when that told of a
// failure, or submitted.
class Script final : public worker::CoordinatorClient {
 public:
  absl::StatusOr<v1::NextTaskResponse> NextTask(const v1::NextTaskRequest&,
                                                absl::Duration) override {
    const MutexLock lock(mutex_);
    const std::size_t poll = polls_++;
    changed_.NotifyAll();
    while (poll == 1 && answers.size() > 1 && uploads_ == 0) {
      changed_.Wait(mutex_);
    }
    if (poll < answers.size()) {
      return answers[poll];
    }
    while (failures_.empty() && submitted_ == 0) {
      changed_.Wait(mutex_);
    }
    return absl::PermissionDeniedError("the end of the test");
  }
  void CancelPoll() override {}
  absl::Status Download(const v1::DownloadRequest&, const ChunkSink&,
                        const worker::CancelFlag&) override {
    const MutexLock lock(mutex_);
    ++downloads_;
    return absl::NotFoundError("nothing here");
  }
  // The first breaks, without a byte, when the worker has followed the second answer.
  absl::Status Upload(const v1::UploadOpen&, const exchange::SendFile& file,
                      const worker::CancelFlag&) override {
    const MutexLock lock(mutex_);
    ++uploads_;
    changed_.NotifyAll();
    if (uploads_ > 1) {
      taken_ += file.size_bytes();
      return absl::OkStatus();
    }
    while (polls_ < 3) {
      changed_.Wait(mutex_);
    }
    return absl::UnavailableError("broken");
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitContribution(
      const v1::SubmitRecordRequest&) override {
    return Submitted();
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitEvaluation(
      const v1::SubmitRecordRequest&) override {
    return Submitted();
  }
  absl::StatusOr<v1::ConfirmStagedResponse> ConfirmStaged(
      const v1::ConfirmStagedRequest&) override {
    return absl::UnimplementedError("no stagings here");
  }
  absl::Status FailTask(const v1::FailTaskRequest& request) override {
    const MutexLock lock(mutex_);
    failures_.push_back(request.failure());
    changed_.NotifyAll();
    return absl::OkStatus();
  }
  absl::StatusOr<v1::GetConsistencyResponse> GetConsistency(
      const v1::GetConsistencyRequest&) override {
    return absl::UnimplementedError("one head");
  }

  // Once the worker has ended.
  std::vector<v1::TaskFailure> failures() const {
    const MutexLock lock(mutex_);
    return failures_;
  }
  bool nothing_crossed() const {
    const MutexLock lock(mutex_);
    return downloads_ == 0 && taken_ == 0 && submitted_ == 0;
  }

  std::vector<v1::NextTaskResponse> answers;  // before the worker begins

 private:
  absl::StatusOr<v1::SubmitRecordResponse> Submitted() {
    const MutexLock lock(mutex_);
    ++submitted_;
    changed_.NotifyAll();
    return absl::InvalidArgumentError("refused");
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::size_t polls_ CARNET_GUARDED_BY(mutex_) = 0;
  std::size_t uploads_ CARNET_GUARDED_BY(mutex_) = 0;
  std::size_t downloads_ CARNET_GUARDED_BY(mutex_) = 0;
  std::size_t submitted_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_ CARNET_GUARDED_BY(mutex_) = 0;
  std::vector<v1::TaskFailure> failures_ CARNET_GUARDED_BY(mutex_);
};

// A round whose model has a header as home makes it. revision: that the coordinator says it decided
// on; none: the true one.
exchange::Header StartSealedRound(World& world,
                                  std::optional<std::uint64_t> revision = std::nullopt) {
  const auto header = std::make_shared<exchange::Header>();
  world.SetDoctor([header, revision](ledger::Predicate& predicate) {
    auto* opened = predicate.As<v1::RoundOpened>();
    if (opened == nullptr) {
      return;
    }
    const Digest layout{};
    *header = *exchange::MakeHeader(
        exchange::ModelHeader({.trust_domain = "test.acme.example",
                               .job_id = opened->job_id(),
                               .round = opened->round(),
                               .attempt = opened->attempt(),
                               .home_jurisdiction = "DE",
                               .bundle_sha256 = AsBytes(opened->basis().bundle_sha256()),
                               .model_sha256 = AsBytes(opened->model_sha256()),
                               .layout_sha256 = layout,
                               .model_bytes = kModelBytes,
                               .key_id = opened->model().key_id()}));
    opened->mutable_model()->set_header_sha256(ToString(header->sha256));
    opened->mutable_model()->set_sealed_bytes(*crypto::SealedSize(kModelBytes));
    if (revision.has_value()) {
      opened->mutable_basis()->set_revision(*revision);
    }
  });
  StartRound(world);
  world.SetDoctor(nullptr);
  return *header;
}

// The worker in France before its first poll, with the task of that round.
struct AgentInFrance {
  AgentInFrance(World& world, const exchange::Header& header)
      : site(world), log_key(crypto::Ed25519KeyPair::Generate(rng)) {
    clock.now = world.now();
    site.identity.worker_id = world.worker("fr-1").id;
    site.identity.supplier = "gaul";
    site.identity.home_jurisdiction = "DE";
    member.emplace(*worker::StateDir::Open(folder.path()), worker::Settings(),
                   worker::Enrolled{worker::FederationFacts(site.identity.spiffe_id),
                                    worker::OwnKeys{{*crypto::P256Key::Generate(),
                                                     crypto::Ed25519KeyPair::Generate(rng),
                                                     crypto::X25519KeyPair::Generate(rng)}},
                                    site.identity,
                                    {}},
                   &clock);
    const ledger::verifier::TreeHead& head = site.log.head();
    note = ledger::SignHead({kOrigin, head.size, head.root}, log_key)->note;
    const auto key =
        ledger::verifier::ParseVerifierKey(ledger::NoteKey{kOrigin, log_key.public_key()}.Vkey());
    member->heads = *worker::HeadKeeper::Open(member->state, *key, note);
    member->policies = *worker::PolicyKeeper::Open(member->state, site.log.Record(0));
    member->knowledge = site.knowledge;
    member->site.trainers["softmax"] = Digest{};
    member->site.shards["digits/fr"] = *ToDigest(world.state().shards.at("digits/fr").sha256);
    member->client = std::make_unique<worker::SwitchingClient>(script);
    task = site.task;
    *task.add_context() = site.log.Prove(world.Find("user-enrolled").front());
    task.set_task_id(kTask);
    task.set_kind(v1::TASK_KIND_TRAIN);
    task.set_artifact_header(header.bytes);
    task.mutable_key()->set_key_id(site.train.opened.model().key_id());
    *task.mutable_download() = site.train.member.download();
    *task.mutable_upload() = site.train.member.upload();
    *task.mutable_deadline() = site.train.opened.deadline();
  }

  // One answer more: these records of people and policies, and the task if it `gives` it.
  void Answer(const std::vector<std::uint64_t>& shown, bool gives) {
    v1::NextTaskResponse& answer = script->answers.emplace_back();
    answer.set_head(note);
    for (const std::uint64_t index : shown) {
      *answer.add_policy() = site.log.Prove(index);
    }
    if (gives) {
      *answer.mutable_task() = task;
    }
  }
  // As after a training: what is left to do is to give the delta over.
  void KeepDelta() {
    auto journal = worker::Journal::Open(member->state.tasks(), kTask);
    REQUIRE(journal.ok());
    REQUIRE(WriteFileAtomic(journal->sealed(), Bytes(100)).ok());
    v1::UploadOpen open;
    open.set_task_id(kTask);
    open.set_ticket_id(task.upload().ticket_id());
    open.set_sealed_bytes(100);
    REQUIRE(journal->KeepUpload(open, v1::Contribution()).ok());
  }
  absl::Status Run() {
    Metrics metrics;
    return worker::RunAgent(*member, worker::WorkerOptions(), metrics);
  }

  SystemRng rng;
  testing_ledger::TempDir folder;
  FrenchSite site;
  SiteClock clock;
  crypto::Ed25519KeyPair log_key;
  std::string note;
  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::optional<worker::Membership> member;
  v1::Task task;
};

TEST_CASE("Site agent: a task on an approval that nobody signed is refused, and nothing fetched") {
  World world(671, {kPilotInFrance});
  PolicyOffice office(world);
  const auto exception = policies::FindException(*world.state().bundle, "no-france/pilot");
  REQUIRE(exception.has_value());
  const Person person = office.Hire(3, {"dpo"});
  const v1::Approval approval =
      office.Draft(person.id, kApprovalOfException, "dpo", AsText(exception->subject));
  REQUIRE(world.Do(RecordApproval{person.id, PolicyOffice::Sign(approval, person.Key()), approval})
              .ok());
  AgentInFrance agent(world, StartSealedRound(world));
  std::vector<std::uint64_t> shown = agent.site.log.Trail();
  shown.erase(std::find(shown.begin(), shown.end(), world.Find("approval").back()));
  agent.Answer(shown, true);
  CHECK(absl::IsPermissionDenied(agent.Run()));
  CHECK(agent.script->failures() == std::vector<v1::TaskFailure>{v1::TASK_FAILURE_REFUSED_BY_SITE});
  CHECK(agent.script->nothing_crossed());
}

TEST_CASE("Site agent: a task on a lower revision stops the worker with the evidence") {
  World world(672);
  AgentInFrance agent(world, StartSealedRound(world, 0));
  agent.Answer(agent.site.log.Trail(), true);
  const absl::Status ended = agent.Run();
  INFO(ended.ToString());
  CHECK(worker::IsMisbehaviour(ended));
  CHECK(agent.script->nothing_crossed());
  const std::string stem = "policy-" + std::to_string(agent.site.train.opened_index);
  CHECK(std::filesystem::exists(agent.folder.path() / (stem + ".dsse.json")));
  CHECK(std::filesystem::exists(agent.folder.path() / (stem + ".tlog-proof")));
}

TEST_CASE("Site agent: a stricter bundle that is followed meanwhile lets nothing leave") {
  World world(673);
  const exchange::Header header = StartSealedRound(world);
  const std::size_t before = world.log().size();
  PolicyOffice office(world);
  nlohmann::json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(
      {{"id", "no-deltas"}, {"effect", "deny"}, {"when", {{"op", {{"is", "send_delta"}}}}}});
  const auto next = office.Next(bundle);
  REQUIRE(office.Propose(next).ok());
  REQUIRE(world.Do(ActivatePolicy{kOperator, ToBytes(AsText(next->sha256()))}).ok());
  AgentInFrance agent(world, header);
  // The coordinator shows it when the upload is under way, and does not cut.
  std::vector<std::uint64_t> shown = agent.site.log.Trail();
  const auto later = std::lower_bound(shown.begin(), shown.end(), before);
  agent.Answer({shown.begin(), later}, true);
  agent.Answer({later, shown.end()}, false);
  agent.KeepDelta();
  CHECK(absl::IsPermissionDenied(agent.Run()));
  CHECK(agent.script->failures() == std::vector<v1::TaskFailure>{v1::TASK_FAILURE_REFUSED_BY_SITE});
  CHECK(agent.script->nothing_crossed());
}

}  // namespace
}  // namespace carnet::coordinator
