#include <signal.h>

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "exchange/expected.h"
#include "exchange/sealing.h"
#include "ledger/record.h"
#include "model/codec.h"
#include "model/safetensors.h"
#include "tests/unit/worker/fake_coordinator.h"
#include "worker/core/policy_chain.h"
#include "worker/journal.h"
#include "worker/task_runner.h"

namespace carnet::worker {
namespace {

constexpr char kTrain[] =
    "import json, os, struct, sys\n"
    "def say(m):\n"
    "    print(json.dumps(m), flush=True)\n"
    "for line in sys.stdin:\n"
    "    o = json.loads(line)\n"
    "    if o['op'] == 'start':\n"
    "        assert 'w' in json.load(open(o['layout']))\n"
    "        say({'ok': True})\n"
    "    elif o['op'] == 'stop':\n"
    "        break\n"
    "    elif o['op'] == 'evaluate':\n"
    "        assert os.path.exists(o['parameters'])\n"
    "        say({'done': {'examples': 2, 'metrics': {'loss': 0.5, 'other': 1.0}}})\n"
    "    else:\n"
    "        open('BASE/fits', 'a').write('x')\n"
    "        model = open(o['parameters'], 'rb').read()\n"
    "        n = struct.unpack('<Q', model[:8])[0]\n"
    "        values = struct.unpack('<4f', model[8 + n:])\n"
    "        delta = VALUES\n"
    "        open(o['delta'], 'wb').write(model[:8 + n] + struct.pack('<4f', *delta))\n"
    "        say({'done': {'examples': 2, 'steps': o['steps'],\n"
    "                      'metrics': {'loss': 0.25, 'secret': 3.0}}})\n";

// One worker with a shard, a Python trainer, and one round whose model is really sealed to it.
struct Round {
  explicit Round(const std::string& values = "[v + 1 for v in values]")
      : coordinator(federation), state(StateDir::Open(directory.path() / "state").value()) {
    ::signal(SIGPIPE, SIG_IGN);
    std::string script = kTrain;
    script.replace(script.find("VALUES"), 6, values);
    script.replace(script.find("BASE"), 4, directory.path().string());
    REQUIRE(WriteFileAtomic(directory.path() / "train.py", AsBytes(script)).ok());
    REQUIRE(WriteFileAtomic(directory.path() / "sg.csv", AsBytes("1,0\n2,1\n")).ok());
    REQUIRE(WriteFileAtomic(directory.path() / "worker.yaml",
                            AsBytes("trainers:\n  numpy: {command: [/usr/bin/python3, train.py], "
                                    "files: [train.py]}\n"
                                    "data: {digits/sg: sg.csv}\n"
                                    "trainer_isolation_off: yes\n"))
                .ok());
    settings = LoadSettings(directory.path() / "worker.yaml", {}, "/proc/self/exe").value();
    claims = ClaimShards(settings.data).value();
    site = MakeSite(settings, claims, Digest{}).value();
    SealModel();
    MakeTask();
  }

  void SealModel() {
    layout = model::Layout::Create({{"w", {4}}}).value();
    const std::string path = (directory.path() / "model.safetensors").string();
    auto writer = model::SafetensorsWriter::Create(path, layout);
    REQUIRE(writer.ok());
    REQUIRE(writer->Append(std::vector<float>{1, 2, 3, 4}).ok());
    REQUIRE(writer->Finish().ok());
    const Bytes bytes = ReadFile(path, 1 << 20).value();
    model_sha256 = crypto::Sha256(bytes);
    const std::string bundle(32, 'b');
    const Digest layout_sha256 = crypto::Sha256(AsBytes(layout.CanonicalBytes()));
    const v1::RoundOpened round = federation.Round();
    federation.model_header =
        exchange::MakeHeader(exchange::ModelHeader({.trust_domain = "digits.acme.example",
                                                    .job_id = round.job_id(),
                                                    .round = 1,
                                                    .attempt = 1,
                                                    .home_jurisdiction = "DE",
                                                    .bundle_sha256 = AsBytes(bundle),
                                                    .model_sha256 = model_sha256,
                                                    .layout_sha256 = layout_sha256,
                                                    .model_bytes = bytes.size(),
                                                    .key_id = round.model().key_id()}))
            .value();
    const auto data_key = crypto::SecretBytes::Random(federation.rng, 32);
    crypto::SealedSalt salt;
    federation.rng.Fill(salt);
    const auto sealed_path = directory.path() / "model.sealed";
    sealed = exchange::SealFile(federation.model_header, data_key, salt, path, sealed_path).value();
    coordinator.download = ReadFile(sealed_path, 1 << 20).value();
    wrapped = exchange::WrapKeyFor(federation.model_header.fields, data_key,
                                   federation.wrapping_key.public_key(), federation.rng)
                  .value();
  }

  void MakeTask() {
    v1::JobSubmitted job = federation.Job();
    job.set_model_sha256(ToString(model_sha256));
    job.mutable_spec()->mutable_trainer()->set_digest("sha256:" +
                                                      HexEncode(site.trainers.at("numpy")));
    job.set_spec_sha256(ToString(SpecDigest(job.spec()).value()));
    opened = federation.Round();
    opened.set_model_sha256(ToString(model_sha256));
    opened.mutable_model()->set_header_sha256(ToString(federation.model_header.sha256));
    opened.mutable_model()->set_sealed_sha256(ToString(sealed.sealed_sha256));
    opened.mutable_model()->set_sealed_bytes(sealed.sealed_bytes);
    opened.mutable_members(0)->set_shard_sha256(0, claims.front().sha256());
    const absl::Time deadline = absl::Now() + absl::Minutes(5);
    *opened.mutable_deadline() = ToTimestamp(deadline);
    for (v1::Ticket* ticket : {opened.mutable_members(0)->mutable_download(),
                               opened.mutable_members(0)->mutable_upload()}) {
      *ticket->mutable_expires() = ToTimestamp(deadline);
    }
    task = federation.MakeTask(job, opened);
    *task.mutable_key() = wrapped;
    heads = HeadKeeper::Open(state, federation.log.key(), federation.log.Head()).value();
    identity.emplace(federation.MakeIdentity());
  }

  CheckedTask Checked() const {
    auto checked = CheckTask(task, *identity, federation.log.tree_head(), site, absl::Now());
    const auto* refusal = std::get_if<TaskRefusal>(&checked);
    if (refusal != nullptr) {
      FAIL(refusal->status);
    }
    return std::get<CheckedTask>(checked);
  }

  // A fresh process each time, as after a restart.
  TaskEnd Run() { return Run(Checked()); }
  TaskEnd Run(const CheckedTask& checked) {
    TrainerHost trainers({.settings = settings,
                          .state = state,
                          .clock = clock,
                          .rng = federation.rng,
                          .isolation = Isolation::kNone,
                          .program_sha256 = Digest{},
                          .memory_backed_only = false});
    const TaskEnd end = RunTask(checked, {.identity = *identity,
                                          .statement_key = federation.statement_key,
                                          .wrapping_key = federation.wrapping_key,
                                          .state = state,
                                          .data = settings.data,
                                          .heads = *heads,
                                          .client = coordinator,
                                          .trainers = trainers,
                                          .clock = clock,
                                          .rng = federation.rng,
                                          .cancel = cancel,
                                          .progress = progress,
                                          .submitting = submitting,
                                          .gate = gate});
    INFO(ToString(ReadFile(state.trainer_log(), 1 << 20).value_or(Bytes())));
    INFO(end.status);
    CHECK((end.kind == TaskEnd::Kind::kFork) == IsContradiction(end.status));
    trainers.End();
    return end;
  }

  std::size_t fits() const {
    const auto text = ReadFile(directory.path() / "fits", 1000);
    return text.ok() ? text->size() : 0;
  }

  // The delta as home opens it.
  std::vector<float> OpenUploaded() {
    const auto header =
        exchange::ParseHeader(AsBytes(coordinator.uploads.back().artifact_header()));
    REQUIRE(header.ok());
    const auto key = exchange::UnwrapKeyInHeader(header->fields, federation.round_key);
    REQUIRE(key.ok());
    Bytes plain;
    REQUIRE(exchange::OpenSealed(
                *header, *key, coordinator.uploaded.size(),
                [this](std::uint64_t offset, std::span<std::uint8_t> out) {
                  std::copy_n(coordinator.uploaded.begin() + static_cast<std::ptrdiff_t>(offset),
                              out.size(), out.begin());
                  return absl::OkStatus();
                },
                [&plain](ByteView bytes) {
                  plain.insert(plain.end(), bytes.begin(), bytes.end());
                  return absl::OkStatus();
                })
                .ok());
    std::vector<float> values(4);
    REQUIRE(plain.size() == 16);
    REQUIRE(model::DecodeBlock(model::Codec::kFp32, plain, values) == model::DecodeVerdict::kOk);
    return values;
  }

  TestDirectory directory;
  TestFederation federation;
  FakeCoordinator coordinator;
  StateDir state;
  SystemClock clock;
  Settings settings;
  std::vector<v1::ShardClaim> claims;
  Site site;
  model::Layout layout = model::Layout::Create({{"w", {4}}}).value();
  Digest model_sha256{};
  exchange::SealedFile sealed;
  v1::WrappedKey wrapped;
  v1::RoundOpened opened;
  v1::Task task;
  std::optional<Identity> identity;
  std::unique_ptr<HeadKeeper> heads;
  CancelFlag cancel{false};
  std::atomic<double> progress{0};
  std::atomic<bool> submitting{false};
  FakeGate gate;
};

TEST_CASE("Train task: the delta arrives sealed to the round, with a signed contribution") {
  Round round;
  const TaskEnd end = round.Run();
  REQUIRE(end.kind == TaskEnd::Kind::kDone);
  CHECK(round.OpenUploaded() == std::vector<float>{2, 3, 4, 5});
  const v1::UploadOpen& open = round.coordinator.uploads.back();
  CHECK(exchange::VerifyArtifactSignature(round.federation.statement_key.public_key(),
                                          crypto::Sha256(AsBytes(open.artifact_header())),
                                          crypto::Sha256(round.coordinator.uploaded),
                                          AsBytes(open.signature()))
            .ok());
  REQUIRE(round.coordinator.submitted.size() == 1);
  const auto record = ledger::OpenRecord(round.coordinator.submitted[0].record());
  REQUIRE(record.ok());
  const auto* contribution = record->As<v1::Contribution>();
  REQUIRE(contribution != nullptr);
  CHECK(contribution->round_opened_index() == round.task.opened().proof().index());
  CHECK(contribution->steps() == 5);
  CHECK(contribution->examples() == 2);
  // Only what the job names goes home.
  CHECK(contribution->metrics().size() == 1);
  CHECK(contribution->metrics().at("loss") == 0.25);
  CHECK(contribution->seen().size() > 0);
  CHECK(contribution->sealed_sha256() == open.sealed_sha256());
  CHECK(round.coordinator.submitted[0].request_id() == contribution->common().request_id());
  CHECK(std::distance(std::filesystem::directory_iterator(round.state.receipts()), {}) == 2);
  CHECK(std::filesystem::is_empty(round.state.tasks()));
  CHECK(std::filesystem::is_empty(round.state.spool()));
}

TEST_CASE("Train task: a broken download resumes behind what is there") {
  Round round;
  round.coordinator.break_after_bytes = 100;
  REQUIRE(round.Run().kind == TaskEnd::Kind::kDone);
  CHECK(round.coordinator.download_offsets == std::vector<std::uint64_t>{0, 100});
}

TEST_CASE("Train task: a restart in mid-upload sends the same sealed bytes and trains no more") {
  Round round;
  // The worker stops while the first upload is under way.
  round.coordinator.upload_errors = {absl::UnavailableError("cut")};
  round.coordinator.on_upload = [&round] { round.cancel.store(true); };
  CHECK(round.Run().kind == TaskEnd::Kind::kCancelled);
  CHECK(round.fits() == 1);
  round.coordinator.on_upload = [] {};
  round.cancel.store(false);
  REQUIRE(round.Run().kind == TaskEnd::Kind::kDone);
  CHECK(round.fits() == 1);
  REQUIRE(round.coordinator.uploads.size() == 2);
  CHECK(round.coordinator.uploads[0].SerializeAsString() ==
        round.coordinator.uploads[1].SerializeAsString());
  CHECK(round.OpenUploaded() == std::vector<float>{2, 3, 4, 5});
}

TEST_CASE("Train task: a restart between signing and the receipt submits the signed record again") {
  Round round;
  const CheckedTask checked = round.Checked();
  round.coordinator.submit_errors = {absl::UnavailableError("lost")};
  round.coordinator.on_submit = [&round] { round.cancel.store(true); };
  CHECK(round.Run(checked).kind == TaskEnd::Kind::kCancelled);
  round.coordinator.on_submit = [] {};
  round.cancel.store(false);
  REQUIRE(round.Run(checked).kind == TaskEnd::Kind::kDone);
  REQUIRE(round.coordinator.submitted.size() == 2);
  CHECK(round.coordinator.submitted[0].SerializeAsString() ==
        round.coordinator.submitted[1].SerializeAsString());
  CHECK(round.coordinator.uploads.size() == 1);
}

TEST_CASE("Train task: when the receipt is lost the same record is submitted again") {
  Round round;
  round.coordinator.submit_errors = {absl::UnavailableError("lost"),
                                     absl::DeadlineExceededError("lost")};
  REQUIRE(round.Run().kind == TaskEnd::Kind::kDone);
  REQUIRE(round.coordinator.submitted.size() == 3);
  std::set<std::string> statements, ids;
  for (const v1::SubmitRecordRequest& request : round.coordinator.submitted) {
    statements.insert(request.record().statement());
    ids.insert(request.request_id());
  }
  CHECK(statements.size() == 1);
  CHECK(ids.size() == 1);
}

TEST_CASE("Train task: what the site itself forbids by then does not leave, and home is told") {
  Round round;
  const auto refuses_after = [&round](std::size_t tries) {
    const TaskEnd end = round.Run();
    CHECK(round.fits() == 1);
    CHECK(end.kind == TaskEnd::Kind::kFailed);
    CHECK(end.failure.failure == v1::TASK_FAILURE_REFUSED_BY_SITE);
    CHECK(round.coordinator.uploads.size() == tries);
    CHECK(round.coordinator.uploaded.empty());
    CHECK(round.coordinator.submitted.empty());
    CHECK(std::filesystem::is_empty(round.state.tasks()));
  };
  SECTION("before the delta") {
    round.gate.answers = {absl::PermissionDeniedError("site: forbidden by what this site knows")};
    refuses_after(0);
  }
  SECTION("by policies that could not be followed") {
    round.gate.answers = {absl::ResourceExhaustedError("policies: too many people")};
    refuses_after(0);
  }
  SECTION("before the delta is sent again") {
    round.coordinator.upload_errors = {absl::UnavailableError("cut")};
    round.gate.answers = {absl::OkStatus(), absl::PermissionDeniedError("site: forbidden")};
    refuses_after(1);
  }
}

TEST_CASE("Train task: metrics that the site forbids after the delta went are not submitted") {
  Round round;
  round.gate.answers = {absl::OkStatus(), absl::PermissionDeniedError("site: forbidden")};
  const TaskEnd end = round.Run();
  CHECK(end.kind == TaskEnd::Kind::kFailed);
  CHECK(end.failure.failure == v1::TASK_FAILURE_REFUSED_BY_SITE);
  CHECK(round.coordinator.uploads.size() == 1);
  CHECK(round.coordinator.submitted.empty());
}

TEST_CASE("Train task: a coordinator that contradicted itself gets nothing, and the worker stops") {
  Round round;
  round.gate.answers = {Contradiction("an older revision")};
  CHECK(round.Run().kind == TaskEnd::Kind::kFork);
  CHECK(round.coordinator.uploads.empty());
  CHECK(round.coordinator.submitted.empty());
}

TEST_CASE("Train task: what the coordinator rejects is not tried again") {
  Round round;
  round.coordinator.submit_errors = {absl::InvalidArgumentError("norm-above-clip")};
  CHECK(round.Run().kind == TaskEnd::Kind::kRefused);
  CHECK(round.coordinator.submitted.size() == 1);
}

TEST_CASE(
    "Train task: NaN, another layout and nothing are the trainer's failure, and nothing is sent") {
  for (const char* values :
       {"[float('nan')] * 4", "exit(3)", "(_ for _ in ()).throw(ValueError())"}) {
    CAPTURE(values);
    Round round(values);
    const TaskEnd end = round.Run();
    CHECK(end.kind == TaskEnd::Kind::kFailed);
    CHECK((end.failure.failure == v1::TASK_FAILURE_TRAINER_OUTPUT ||
           end.failure.failure == v1::TASK_FAILURE_TRAINER_CRASHED));
    CHECK(round.coordinator.uploads.empty());
    CHECK(round.coordinator.submitted.empty());
  }
}

TEST_CASE(
    "Train task: a model that does not open under its header, or is another, is not trained on") {
  Round damaged;
  damaged.coordinator.download[100] ^= 1;
  TaskEnd end = damaged.Run();
  CHECK(end.kind == TaskEnd::Kind::kFailed);
  CHECK(end.failure.failure == v1::TASK_FAILURE_ARTIFACT_INVALID);
  Round other_key;
  CheckedTask checked = other_key.Checked();
  (*checked.key.mutable_ciphertext())[0] ^= 1;
  end = other_key.Run(checked);
  CHECK(end.failure.failure == v1::TASK_FAILURE_ARTIFACT_INVALID);
  CHECK(other_key.fits() == 0);
}

TEST_CASE("Train task: a trainer whose files changed since the job was checked does not run") {
  Round round;
  const CheckedTask checked = round.Checked();
  REQUIRE(WriteFileAtomic(round.directory.path() / "train.py", AsBytes("print()\n")).ok());
  const TaskEnd end = round.Run(checked);
  CHECK(end.failure.failure == v1::TASK_FAILURE_TRAINER_UNKNOWN);
}

TEST_CASE("Train task: int8 under a clip arrives within the clip") {
  Round round("[300.0, -400.0, 0.0, 1.0]");
  CheckedTask checked = round.Checked();
  auto& train = std::get<TrainTask>(checked.work);
  train.job.spec.mutable_delta()->set_clip(5);
  REQUIRE(round.Run(checked).kind == TaskEnd::Kind::kDone);
  const std::vector<float> values = round.OpenUploaded();
  CHECK(values[0] == Approx(3.0).margin(0.01));
  CHECK(values[1] == Approx(-4.0).margin(0.01));
}

TEST_CASE("Evaluate task: the metrics that the job names are signed and submitted") {
  Round round;
  CheckedTask checked = round.Checked();
  const TrainTask train = std::get<TrainTask>(checked.work);
  EvaluateTask evaluate;
  evaluate.job = train.job;
  evaluate.model = train.model;
  evaluate.opened_index = train.opened_index;
  evaluate.opened.set_job_id(round.opened.job_id());
  evaluate.opened.set_round(1);
  evaluate.opened.set_attempt(1);
  evaluate.opened.set_model_sha256(round.opened.model_sha256());
  *evaluate.opened.mutable_model() = round.opened.model();
  *evaluate.opened.mutable_member() = round.opened.members(0);
  checked.work = evaluate;
  REQUIRE(round.Run(checked).kind == TaskEnd::Kind::kDone);
  REQUIRE(round.coordinator.submitted.size() == 1);
  const auto record = ledger::OpenRecord(round.coordinator.submitted[0].record());
  REQUIRE(record.ok());
  const auto* evaluation = record->As<v1::Evaluation>();
  REQUIRE(evaluation != nullptr);
  CHECK(evaluation->examples() == 2);
  CHECK(evaluation->metrics().size() == 1);
  CHECK(evaluation->metrics().at("loss") == 0.5);
}

TEST_CASE(
    "Shard tasks: a shard goes from one worker to another, and only its registered bytes stay") {
  Round round;
  CheckedTask send_task = round.Checked();
  SendShardTask send;
  send.ordered.set_staging_id("s-aaaaaaaaaaaaaaaa");
  send.ordered.set_dataset("digits");
  send.ordered.set_shard("sg");
  send.ordered.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
  send.shard_sha256 = round.site.shards.at("digits/sg");
  // To itself, so that one worker's keys are enough.
  send.recipient.set_spiffe_id(round.identity->spiffe_id.ToString());
  send.recipient.set_wrapping_public_key(ToString(round.federation.wrapping_key.public_key()));
  send_task.work = send;
  REQUIRE(round.Run(send_task).kind == TaskEnd::Kind::kDone);
  REQUIRE(round.coordinator.uploads.size() == 1);

  CheckedTask receive_task = round.Checked();
  ReceiveShardTask receive;
  receive.ordered = send.ordered;
  receive.shard_sha256 = send.shard_sha256;
  receive.shard =
      exchange::ParseHeader(AsBytes(round.coordinator.uploads[0].artifact_header())).value();
  receive_task.work = receive;
  round.coordinator.download = round.coordinator.uploaded;
  const TaskEnd end = round.Run(receive_task);
  REQUIRE(end.kind == TaskEnd::Kind::kDone);
  CHECK(end.staged_shard == "digits/sg");
  CHECK(ToString(ReadFile(end.staged_path, 100).value()) == "1,0\n2,1\n");
  REQUIRE(round.coordinator.confirmed.size() == 1);
  CHECK(round.coordinator.confirmed[0].sha256() == ToString(send.shard_sha256));

  std::filesystem::remove_all(end.staged_path);
  receive.shard_sha256[0] ^= 1;
  receive_task.work = receive;
  const TaskEnd other = round.Run(receive_task);
  CHECK(other.failure.failure == v1::TASK_FAILURE_ARTIFACT_INVALID);
  CHECK_FALSE(std::filesystem::exists(end.staged_path));
}

}  // namespace
}  // namespace carnet::worker
