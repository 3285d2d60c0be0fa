// Rounds: opened, closed, abandoned, aggregated.
#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {
namespace {

bool InJob(const v1::JobSpec& spec, const std::string& shard) {
  return std::any_of(spec.data().begin(), spec.data().end(), [&](const std::string& pattern) {
    return pattern == shard || (absl::EndsWith(pattern, "/*") &&
                                absl::StartsWith(shard, pattern.substr(0, pattern.size() - 1)));
  });
}

// Shards of the job, each held by the member and given to nobody else in this round.
void CheckShards(const Step& step, const Job& job, const v1::RoundMember& member,
                 std::set<std::string>& taken) {
  std::uint64_t rows = 0;
  ExpectNotWithdrawn(step, {member.shards().begin(), member.shards().end()});
  step.Expect(!member.shards().empty() && member.shards_size() == member.shard_sha256_size(),
              "cohort", "shards with their digests", absl::StrCat("member ", member.worker_id()));
  for (int i = 0; i < member.shards_size(); ++i) {
    const std::string& name = member.shards(i);
    const auto shard = step.state().shards.find(name);
    if (!step.Expect(shard != step.state().shards.end() &&
                         shard->second.holders.count(member.worker_id()) != 0,
                     "cohort", absl::StrCat(member.worker_id(), " holds ", name),
                     "no record says so")) {
      continue;
    }
    rows += shard->second.terms.rows();
    step.Expect(
        i < member.shard_sha256_size() && member.shard_sha256(i) == AsText(shard->second.sha256),
        "cohort", absl::StrCat(name, " is ", Hex(shard->second.sha256)), "another digest");
    step.Expect(InJob(job.submitted.spec(), name), "cohort", "a shard that the job names", name);
    step.Expect(taken.insert(name).second, "cohort", "each shard trained on once", name);
  }
  const std::uint64_t weight = job.submitted.spec().strategy().weights() == "uniform" ? 1 : rows;
  step.Expect(member.weight() == weight && weight > 0, "cohort",
              absl::StrCat(member.worker_id(), " weighs ", weight), absl::StrCat(member.weight()));
}

void CheckTicket(const Step& step, const v1::RoundOpened& record, const std::string& worker_id,
                 const v1::Ticket& ticket, const char* what) {
  step.Expect(!ticket.ticket_id().empty() && ticket.bytes_max() > 0 && ticket.has_expires() &&
                  ToTime(ticket.expires()) <= ToTime(record.deadline()),
              "ticket", absl::StrCat(what, " ticket of ", worker_id, " that ends with the round"),
              ticket.ticket_id().empty() ? "none" : "one without a bound, or that ends later");
}

void CheckMembers(const Step& step, const Job& job, const v1::RoundOpened& record) {
  const v1::CohortSpec& cohort = job.submitted.spec().rounds().cohort();
  const auto count = static_cast<std::uint32_t>(record.members_size());
  step.Expect(count >= cohort.min() && count <= cohort.target(), "cohort",
              absl::StrCat(cohort.min(), " to ", cohort.target(), " members"), absl::StrCat(count));
  std::set<std::string> taken;
  std::string path;
  for (const v1::RoundMember& member : record.members()) {
    const Worker* const worker = LiveWorkerOf(step, member.worker_id(), "cohort");
    if (worker == nullptr) {
      continue;
    }
    step.Expect(path < worker->path, "cohort", "members in ascending order, each once",
                worker->path);
    path = worker->path;
    CheckShards(step, job, member, taken);
    CheckTicket(step, record, member.worker_id(), member.download(), "download");
    CheckTicket(step, record, member.worker_id(), member.upload(), "upload");
  }
}

void CheckSealedTo(const Step& step, const v1::RoundOpened& record, const std::string& key_id,
                   const char* purpose, const std::string& public_key) {
  const auto key = step.state().keys.find(key_id);
  step.Expect(key != step.state().keys.end() && key->second.phase == KeyPhase::kLive &&
                  key->second.terms.purpose() == purpose &&
                  key->second.terms.job_id() == record.job_id() &&
                  key->second.terms.round() == record.round() &&
                  key->second.terms.attempt() == record.attempt() &&
                  key->second.terms.public_key() == public_key,
              "key", absl::StrCat("a live ", purpose, " key of this attempt"), key_id);
}

// One round-opened for each (job, round, attempt).
void CheckNumber(const Step& step, const Job& job, const v1::RoundOpened& record) {
  const bool again = record.round() <= job.rounds_done || (record.round() == job.rounds_done + 1 &&
                                                           record.attempt() <= job.attempts_used);
  if (again || job.round.has_value()) {
    step.Add(Severity::kMisbehaviour, "round-once",
             absl::StrCat("one round-opened for each attempt; next round ", job.rounds_done + 1,
                          ", attempt ", job.attempts_used + 1),
             absl::StrCat("round ", record.round(), ", attempt ", record.attempt(),
                          job.round.has_value() ? ", while one is open" : ", a second time"));
    return;
  }
  step.Expect(record.round() == job.rounds_done + 1 && record.attempt() == job.attempts_used + 1 &&
                  !job.evaluation_due,
              "round",
              absl::StrCat("round ", job.rounds_done + 1, ", attempt ", job.attempts_used + 1,
                           job.evaluation_due ? ", after the evaluation that is due" : ""),
              absl::StrCat("round ", record.round(), ", attempt ", record.attempt()));
}

// Each member is in the result or left out of it, nobody else is, and nobody is both.
template <typename LeftOutList>
void CheckEachAnswered(const Step& step, const Round& round, std::set<std::string> answered,
                       const LeftOutList& left_out) {
  for (const v1::LeftOut& out : left_out) {
    step.Expect(MemberOf(round, out.worker_id()) != nullptr, "close", "members of the round",
                out.worker_id());
    step.Expect(answered.insert(out.worker_id()).second, "close",
                "each member once, in the result or left out", out.worker_id());
  }
  for (const v1::RoundMember& member : round.opened.members()) {
    if (answered.count(member.worker_id()) == 0) {
      step.Add(Severity::kGap, "close", absl::StrCat("what became of ", member.worker_id()),
               "nothing is said");
    }
  }
}

std::string List(const std::map<std::uint64_t, std::uint64_t>& weights) {
  return weights.empty() ? "none" : absl::StrJoin(weights, ", ", absl::PairFormatter("×"));
}

std::string OptimizerOf(const v1::JobSpec& spec) {
  const v1::ServerOptimizerSpec& optimizer = spec.strategy().server_optimizer();
  if (!optimizer.has_momentum()) {
    return "none";
  }
  return optimizer.momentum().nesterov() ? "momentum(torch-nesterov)" : "momentum(fedavgm)";
}

// Index of contribution -> weight, as the round closed and what was lost since.
std::map<std::uint64_t, std::uint64_t> DueWeights(const Round& round) {
  std::map<std::uint64_t, std::uint64_t> due;
  for (const v1::Included& included : round.closed->included()) {
    const v1::RoundMember* const member = MemberOf(round, included.worker_id());
    if (member != nullptr && round.storage_faults.count(included.worker_id()) == 0) {
      due.emplace(included.index(), member->weight());
    }
  }
  return due;
}

}  // namespace

void Check(const Step& step, const v1::RoundOpened& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "round");
  if (job == nullptr) {
    return;
  }
  CheckNumber(step, *job, record);
  ExpectNotWithdrawn(step, ShardNamesOf(job->versions));
  if (step.Expect(record.model_sha256() == AsText(job->model_sha256), "chain",
                  absl::StrCat("model ", Hex(job->model_sha256)),
                  absl::StrCat("model ", Hex(record.model_sha256())))) {
    ++step.numbers().models;
  }
  step.Expect(record.mode() >= job->submitted.spec().privacy().mode(), "round",
              "the job's privacy mode, or a stronger one", v1::PrivacyMode_Name(record.mode()));
  const absl::Time deadline =
      ToTime(record.common().at()) +
      absl::Milliseconds(job->submitted.spec().rounds().close().deadline().millis());
  step.Expect(ToTime(record.deadline()) <= deadline, "round", "the job's deadline", "a later one");
  CheckSealedTo(step, record, record.round_key_id(), "round", record.round_public_key());
  CheckSealedTo(step, record, record.model().key_id(), "round-model", "");
  CheckMembers(step, *job, record);
  for (const v1::LeftOut& out : record.left_out()) {
    if (out.reason() == "refused" &&
        step.memory().refused.count({record.job_id(), out.worker_id()}) == 0) {
      step.Add(Severity::kGap, "refusal-missing",
               absl::StrCat("the refusal that keeps ", out.worker_id(), " out"), "not on record");
    }
  }
}

void Check(const Step& step, const v1::RoundClosed& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "close");
  const Round* const round =
      job == nullptr ? nullptr : OpenRoundOf(step, *job, record.round(), record.attempt(), "close");
  if (round == nullptr) {
    return;
  }
  step.Expect(!round->closed.has_value(), "close", "a round closed once", "a second time");
  ExpectNotWithdrawn(step, ShardNamesOf(job->versions));
  step.Expect(
      static_cast<std::uint32_t>(record.included_size()) >=
          job->submitted.spec().rounds().cohort().min(),
      "close",
      absl::StrCat(job->submitted.spec().rounds().cohort().min(), " contributions at least"),
      absl::StrCat(record.included_size()));
  std::set<std::string> answered;
  for (const v1::Included& included : record.included()) {
    const auto came = round->contributions.find(included.worker_id());
    step.Expect(came != round->contributions.end() && came->second.index == included.index(),
                "close",
                came == round->contributions.end()
                    ? absl::StrCat("a contribution of ", included.worker_id(), " to this round")
                    : absl::StrCat("the contribution at ", came->second.index),
                absl::StrCat("one at ", included.index()));
    step.Expect(answered.insert(included.worker_id()).second, "close",
                "each member once, in the result or left out", included.worker_id());
    LiveWorkerOf(step, included.worker_id(), "close");
    if (const v1::RoundMember* const member = MemberOf(*round, included.worker_id());
        member != nullptr) {
      ExpectNotWithdrawn(step, {member->shards().begin(), member->shards().end()});
    }
  }
  CheckEachAnswered(step, *round, std::move(answered), record.left_out());
}

void Check(const Step& step, const v1::RoundAbandoned& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "close");
  const Round* const round =
      job == nullptr ? nullptr : OpenRoundOf(step, *job, record.round(), record.attempt(), "close");
  if (round == nullptr) {
    return;
  }
  std::set<std::string> came;
  for (const auto& [worker_id, contribution] : round->contributions) {
    came.insert(worker_id);
  }
  CheckEachAnswered(step, *round, std::move(came), record.left_out());
}

void Check(const Step& step, const v1::Aggregate& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "aggregate");
  const Round* const round =
      job == nullptr ? nullptr
                     : OpenRoundOf(step, *job, record.round(), record.attempt(), "aggregate");
  if (round == nullptr ||
      !step.Expect(round->closed.has_value(), "aggregate", "round-closed before it", "none")) {
    return;
  }
  if (step.Expect(record.base_model_sha256() == AsText(job->model_sha256), "chain",
                  absl::StrCat("base model ", Hex(job->model_sha256)),
                  absl::StrCat("base model ", Hex(record.base_model_sha256())))) {
    ++step.numbers().models;
  }
  std::map<std::uint64_t, std::uint64_t> named;
  for (int i = 0; i < record.included_size(); ++i) {
    named.emplace(record.included(i), i < record.weights_size() ? record.weights(i) : 0);
  }
  const std::map<std::uint64_t, std::uint64_t> due = DueWeights(*round);
  step.Expect(!due.empty() && named == due && record.included_size() == record.weights_size() &&
                  named.size() == static_cast<std::size_t>(record.included_size()),
              "aggregate",
              absl::StrCat("exactly the contributions that the round closed with: ", List(due)),
              List(named));
  CheckKept(step, *round);
  const v1::JobSpec& spec = job->submitted.spec();
  const std::string strategy =
      absl::StrCat(spec.strategy().combine(), "/", spec.strategy().weights(), "/",
                   spec.delta().codec() == v1::CODEC_INT8 ? "int8" : "fp32");
  step.Expect(record.strategy() == strategy && record.optimizer() == OptimizerOf(spec), "aggregate",
              absl::StrCat(strategy, ", optimizer ", OptimizerOf(spec)),
              absl::StrCat(record.strategy(), ", optimizer ", record.optimizer()));
}

// ---- shared by several ----

const Round* OpenRoundOf(const Step& step, const Job& job, std::uint32_t round,
                         std::uint32_t attempt, const char* check) {
  const bool open = job.round.has_value() && job.round->opened.round() == round &&
                    job.round->opened.attempt() == attempt;
  return step.Expect(open, check, "a round that is open",
                     absl::StrCat("round ", round, ", attempt ", attempt))
             ? &*job.round
             : nullptr;
}

const v1::RoundMember* MemberOf(const Round& round, const std::string& worker_id) {
  for (const v1::RoundMember& member : round.opened.members()) {
    if (member.worker_id() == worker_id) {
      return &member;
    }
  }
  return nullptr;
}

}  // namespace carnet::coordinator::audit
