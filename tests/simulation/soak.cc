#include "simulation/soak.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/retention.h"
#include "coordinator/core/tasks.h"
#include "ledger/trust.h"
#include "ledger/walk.h"

namespace carnet::coordinator {
namespace {

constexpr const char* kSlots[] = {"ae-1", "br-1", "fr-1", "sg-1", "home-1"};
constexpr absl::Duration kHeartbeat = absl::Seconds(10);
constexpr std::uint64_t kTicksPerHour = 360;
// World makes no more job ids than the alphabet has letters.
constexpr std::size_t kJobsMax = 24;
constexpr std::uint32_t kRounds = 90;

crypto::Ed25519KeyPair CopyOf(const crypto::Ed25519KeyPair& key) {
  return *crypto::Ed25519KeyPair::FromSeed(key.seed());
}

bool IsRunning(const Job& job) {
  return job.phase == JobPhase::kRunning;
}

// Says so where there are more than there may ever be at once.
void AtMost(const char* what, std::size_t count, std::size_t limit, std::string* broken) {
  if (count > limit) {
    absl::StrAppend(broken, what, ": ", count, " of at most ", limit, "\n");
  }
}

std::size_t OpenFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

std::string Fingerprint(const State& state) {
  std::string text = absl::StrCat(state.size, " ", absl::FormatTime(state.last), " ",
                                  HexEncode(state.bundle->sha256()), " ", state.StatementKey());
  for (const auto& [id, job] : state.jobs) {
    absl::StrAppend(&text, "|", id, " ", static_cast<int>(job.phase), " ",
                    HexEncode(job.model_sha256), " ", job.rounds_done, " ", job.attempts_used, " ",
                    job.refusals, " ", job.lineage.size(), " ", job.receipts.size(), " ",
                    job.records.size());
    if (job.round.has_value()) {
      absl::StrAppend(&text, " r", job.round->opened_index);
      for (const auto& [worker, contribution] : job.round->contributions) {
        absl::StrAppend(&text, ",", worker, contribution.index);
      }
      for (const auto& [worker, reason] : job.round->out) {
        absl::StrAppend(&text, ",", worker, reason);
      }
    }
  }
  for (const auto& [id, key] : state.keys) {
    absl::StrAppend(&text, "|", id, static_cast<int>(key.phase));
  }
  for (const auto& [key, index] : state.refusal_keys) {
    absl::StrAppend(&text, "|", index);
  }
  for (const auto& [id, item] : state.evidence) {
    absl::StrAppend(&text, "|", id, item.withdrawn ? "-" : "+");
  }
  return text;
}

Soak::Soak(std::uint64_t seed)
    : random_(seed),
      world_(2000 + seed),
      log_key_(CopyOf(world_.statement_key())),
      office_(world_) {
  for (const std::uint8_t tag : {std::uint8_t{3}, std::uint8_t{4}}) {
    people_.push_back(office_.Hire(tag, {"legal", "compliance", "dpo"}));
  }
  RenewEvidence();
  auto log = ledger::Log::Open(
      {.state_dir = dir_.path(), .head_file = {}, .origin = world_.state().genesis.origin()},
      CopyOf(log_key_));
  REQUIRE(log.ok());
  log_ = *std::move(log);
  REQUIRE(log_->SetWitnessed(true).ok());
  Flush();
  Publish();
}

void Soak::Tick() {
  ++tick_;
  world_.Advance(kHeartbeat);
  ComeAndGo();
  Train();
  // Each at a time of its own.
  if (tick_ % (6 * kTicksPerHour) == 100) {
    RenewEvidence();
  }
  if (tick_ % (8 * kTicksPerHour) == 200) {
    RenewPolicies();
  }
  if (tick_ % (5 * kTicksPerHour) == 300) {
    RotateStatementKey();
  }
  world_.Settle();
  Flush();
  if (tick_ % kTicksPerHour == 0) {
    Publish();
  }
}

void Soak::ComeAndGo() {
  for (const char* slot : kSlots) {
    const std::string& id = world_.worker(slot).id;
    if (world_.live.count(id) == 0 ? Sometimes(20) : Sometimes(120)) {
      world_.live.count(id) == 0 ? void(world_.live.insert(id)) : void(world_.live.erase(id));
    }
  }
}

void Soak::Train() {
  const auto& jobs = world_.state().jobs;
  const bool running =
      std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return IsRunning(job.second); });
  if (!running && jobs.size() < kJobsMax) {
    world_.Submit(kRounds, 2, true);
    world_.Settle();
  }
  for (const char* slot : kSlots) {
    if (world_.live.count(world_.worker(slot).id) != 0 && Sometimes(3)) {
      Work(slot);
    }
  }
}

// What this worker does with its oldest task. Refusals are part of the game.
void Soak::Work(const std::string& slot) {
  const std::string& id = world_.worker(slot).id;
  const std::vector<OpenTask> tasks = TasksFor(world_.state(), id, world_.now());
  if (tasks.empty()) {
    return;
  }
  const TaskName& task = tasks.front().name;
  if (Sometimes(50)) {
    (void)world_.Do(FailTask{id, TaskId(task), v1::TASK_FAILURE_TRAINER_CRASHED}).status();
  } else if (task.kind == v1::TASK_KIND_TRAIN) {
    SubmitContribution command =
        world_.Contribute(task.id, slot, Sometimes(20) ? "other" : "delta");
    command.verdict = Sometimes(40) ? "not-finite" : command.verdict;
    (void)world_.Do(command).status();
  } else if (task.kind == v1::TASK_KIND_EVALUATE) {
    Evaluate(world_.state().jobs.at(task.id));
  }
}

void Soak::Evaluate(const Job& job) {
  SubmitEvaluation command;
  command.worker_id = job.evaluation->opened.member().worker_id();
  v1::Evaluation& record = command.evaluation;
  world_.FillCommon(record.mutable_common());
  record.set_job_id(job.id);
  record.set_round(job.evaluation->opened.round());
  record.set_attempt(job.evaluation->opened.attempt());
  record.set_evaluation_opened_index(job.evaluation->opened_index);
  record.set_worker_id(command.worker_id);
  record.set_model_sha256(job.evaluation->opened.model_sha256());
  (*record.mutable_metrics())["loss"] = 0.25;
  record.mutable_seen()->set_origin(world_.state().genesis.origin());
  record.mutable_seen()->set_size(world_.Tree().size());
  record.mutable_seen()->set_root(ToString(world_.Tree().Root()));
  command.record = ledger::SignRecord(*ledger::MakeStatement(record), world_.worker("home-1").key);
  command.signed_by_worker = true;
  command.seen_in_log = true;
  const auto done = world_.Do(command);
  INFO(done.status().ToString());
  REQUIRE(done.ok());
}

void Soak::RotateStatementKey() {
  crypto::SecretBytes seed(32);
  const Bytes drawn = world_.Random(32);
  std::copy(drawn.begin(), drawn.end(), seed.Mutable().begin());
  crypto::Ed25519KeyPair fresh = *crypto::Ed25519KeyPair::FromSeed(seed);
  const std::string& old_key = world_.state().StatementKey();
  RotateKey command;
  command.user_id = kOperator;
  command.rotated.set_kind(kStatementKind);
  command.rotated.set_key_id(absl::StrFormat("k-aaaaaaaaaaaaaa%c%c",
                                             static_cast<char>('a' + rotations_ / 26),
                                             static_cast<char>('a' + rotations_ % 26)));
  command.rotated.set_old_public_key(old_key);
  command.rotated.set_new_public_key(ToString(fresh.public_key()));
  // docs/formats.md, "Handing over a key".
  const std::string text =
      absl::StrCat("carnet/key-rotated/v1\nstatement\n", world_.state().genesis.origin(), "\n",
                   Base64Encode(AsBytes(old_key)), "\n", Base64Encode(fresh.public_key()), "\n");
  command.rotated.set_new_key_signature(ToString(fresh.Sign(AsBytes(text))));
  const auto done = world_.Do(command);
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  world_.UseStatementKey(std::move(fresh));
  ++rotations_;
}

void Soak::RenewPolicies() {
  const auto renewed = office_.Next(office_.Json());
  REQUIRE(office_.Propose(renewed, kIntentRenew).ok());
  for (const Person& person : people_) {
    for (const char* role : {"legal", "compliance", "dpo"}) {
      REQUIRE(office_.Approve(person, role, *renewed).ok());
    }
  }
  world_.Settle();
  REQUIRE(world_.state().bundle->sha256() == renewed->sha256());
  ++renewals_;
}

// What is on record is withdrawn, and recorded anew.
void Soak::RenewEvidence() {
  std::vector<std::string> old;
  for (const auto& [id, item] : world_.state().evidence) {
    if (!item.withdrawn) {
      old.push_back(id);
    }
  }
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world_.AddEvidence("scc-2021-914", supplier, to);
    world_.AddEvidence("tia", supplier, to);
  }
  for (const std::string& id : old) {
    const auto done = world_.Do(WithdrawEvidence{kOperator, id});
    INFO(done.status().ToString());
    REQUIRE(done.ok());
  }
}

void Soak::Flush() {
  const std::vector<v1::SignedRecord>& all = world_.signed_log();
  while (log_->Size() < all.size()) {
    const std::size_t first = log_->Size();
    const std::size_t end = std::min(all.size(), first + ledger::kBatchRecordsMax);
    const auto appended = log_->Append({all.begin() + static_cast<std::ptrdiff_t>(first),
                                        all.begin() + static_cast<std::ptrdiff_t>(end)});
    INFO(appended.status().ToString());
    REQUIRE(appended.ok());
  }
}

void Soak::Publish() {
  const std::string note = log_->Head().note;
  REQUIRE(log_->Publish(note).ok());
  published_.push_back(note);
}

State Soak::Restart() {
  const std::string head = log_->Head().note;
  log_ = nullptr;
  if (++restarts_ == 1) {
    files_ = OpenFiles();
  }
  CHECK(OpenFiles() == files_);
  auto opened = ledger::Log::Open(
      {.state_dir = dir_.path(), .head_file = {}, .origin = world_.state().genesis.origin()},
      CopyOf(log_key_));
  INFO(opened.status().ToString());
  REQUIRE(opened.ok());
  log_ = *std::move(opened);
  CHECK(log_->Head().note == head);
  CHECK(log_->PublishedHead()->note == published_.back());
  State state;
  const absl::Status folded =
      ledger::ForEachOpened(*log_, 2, [&state](std::uint64_t index, const ledger::Record& record) {
        return Apply(state, index, record.predicate);
      });
  INFO(folded.ToString());
  REQUIRE(folded.ok());
  return state;
}

std::string Soak::Broken() const {
  const State& state = world_.state();
  std::string broken;
  std::size_t running = 0;
  for (const auto& [id, job] : state.jobs) {
    running += IsRunning(job) ? 1 : 0;
    AtMost("rounds with receipts", job.receipts.size(), kReceiptRoundsKept, &broken);
  }
  AtMost("running jobs", running, 1, &broken);
  // A round has two keys, an evaluation one, and those of the one before may wait for their end.
  AtMost("keys that must exist", NeededKeys(state).size(), 12, &broken);
  const auto live = std::count_if(state.keys.begin(), state.keys.end(), [](const auto& key) {
    return key.second.phase != KeyPhase::kDestroyed;
  });
  AtMost("keys that are not destroyed", static_cast<std::size_t>(live), 6, &broken);
  // One model for each job, and what one round holds.
  AtMost("files that must exist", NeededBlobs(state).size(), 2 * kJobsMax + 12, &broken);
  AtMost("rounds whose artifacts may come", OpenArtifacts(state).size(), 2, &broken);
  for (const char* slot : kSlots) {
    AtMost("tasks of a worker", TasksFor(state, world_.worker(slot).id, world_.now()).size(), 2,
           &broken);
  }
  if (!world_.Look().start.empty()) {
    absl::StrAppend(&broken, "effects are still to be started\n");
  }
  if (log_->Size() != state.size || log_->PublishedHead()->head.size > log_->Size()) {
    absl::StrAppend(&broken, "the log is not as long as the state, or published beyond its end\n");
  }
  return broken;
}

ledger::verifier::TrustPolicy Soak::Trust() const {
  return *ledger::verifier::ParseTrustPolicy(
      ledger::TrustPolicyText(log_->key(), world_.log().front().leaf_hash));
}

}  // namespace carnet::coordinator
