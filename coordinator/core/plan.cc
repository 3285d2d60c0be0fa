#include "coordinator/core/plan.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/other_regions.h"
#include "coordinator/core/reasons.h"
#include "policies/obligations.h"

namespace carnet::coordinator {
namespace {

struct Candidate {
  const Worker* worker = nullptr;
  std::vector<std::string> shards;
};

v1::LeftOut Out(const Worker& worker, const char* reason, const std::string& detail = "") {
  v1::LeftOut out;
  out.set_worker_id(worker.terms.worker_id());
  out.set_reason(reason);
  out.set_detail(detail);
  return out;
}

// What becomes of one operation of one worker: authorisations for the member, or a refusal that
// names every flow.
class MemberDecisions {
 public:
  MemberDecisions(const State& state, const Job& job, const Worker& worker, absl::Time now,
                  ByteView entropy, std::uint64_t* counter)
      : state_(state),
        job_(job),
        worker_(worker),
        now_(now),
        entropy_(entropy),
        counter_(counter) {}

  // `besides`: shards that earlier members of the same round are let move.
  void Add(std::vector<FlowContext> flows, const ShardVersions& besides = {}) {
    for (FlowContext& flow : flows) {
      versions_.insert(flow.versions.begin(), flow.versions.end());
      flow.versions.insert(besides.begin(), besides.end());
    }
    const Verdicts verdicts = DecideFlows(state_, flows, now_, entropy_, counter_);
    held_ = held_ && (verdicts.allowed || verdicts.held);
    awaits_bridge_ = awaits_bridge_ && (verdicts.allowed || verdicts.awaits_bridge);
    questions_.insert(verdicts.questions.begin(), verdicts.questions.end());
    for (const v1::Decision& decision : verdicts.decisions) {
      authorisations_.push_back(ToAuthorisation(decision));
    }
    if (!verdicts.allowed) {
      v1::Refusal refusal;
      refusal.set_job_id(job_.id);
      refusal.set_worker_id(worker_.terms.worker_id());
      refusal.set_round(job_.rounds_done + 1);
      for (const v1::Decision& decision : verdicts.decisions) {
        if (decision.verdict() != v1::VERDICT_ALLOW) {
          *refusal.add_decisions() = decision;
        }
      }
      refusals_.push_back(std::move(refusal));
    }
  }
  const std::vector<v1::Refusal>& refusals() const { return refusals_; }
  const std::vector<v1::Authorisation>& authorisations() const { return authorisations_; }
  // The shards behind all that was decided.
  const ShardVersions& versions() const { return versions_; }
  // Refused for want of nothing but persons, or the organisation's own policy engine.
  bool held() const { return held_ && !refusals_.empty(); }
  // Refused for want of nothing but its word.
  bool awaits_bridge() const { return awaits_bridge_ && !refusals_.empty(); }
  // What it may be asked now; of awaits_bridge(), or where all is allowed.
  const std::set<std::string>& questions() const { return questions_; }
  void Fill(v1::RoundMember* member) const {
    member->mutable_authorisations()->Add(authorisations_.begin(), authorisations_.end());
  }

 private:
  const State& state_;
  const Job& job_;
  const Worker& worker_;
  const absl::Time now_;
  const ByteView entropy_;
  std::uint64_t* const counter_;
  std::vector<v1::Authorisation> authorisations_;
  std::vector<v1::Refusal> refusals_;
  ShardVersions versions_;
  std::set<std::string> questions_;
  bool held_ = true;
  bool awaits_bridge_ = true;
};

std::uint64_t RowsOf(const State& state, const std::vector<std::string>& shards) {
  std::uint64_t rows = 0;
  for (const std::string& name : shards) {
    rows += state.shards.at(name).terms.rows();
  }
  return rows;
}

v1::RoundMember MakeMember(const State& state, const Job& job, const Candidate& candidate) {
  v1::RoundMember member;
  member.set_worker_id(candidate.worker->terms.worker_id());
  for (const std::string& name : candidate.shards) {
    member.add_shards(name);
    member.add_shard_sha256(ToString(state.shards.at(name).sha256));
  }
  member.set_weight(
      job.submitted.spec().strategy().weights() == "uniform" ? 1 : RowsOf(state, candidate.shards));
  return member;
}

// The members so far: what they ask of the round together, and the shards that they may move.
class Cohort {
 public:
  // Empty, and the member is in; or the two rules that cannot both hold, and nothing changes.
  std::string Join(const MemberDecisions& decisions) {
    std::vector<v1::Obligation> all = obligations_;
    for (const v1::Authorisation& authorisation : decisions.authorisations()) {
      for (const v1::Obligation& obligation : authorisation.obligations()) {
        if (obligation.phase() == "runtime") {
          all.push_back(obligation);
        }
      }
    }
    policies::MergedObligations merged = policies::MergeObligations(all);
    if (!merged.conflicts.empty()) {
      const policies::ObligationConflict& conflict = merged.conflicts.front();
      return absl::StrCat(conflict.first_rule, " against ", conflict.second_rule);
    }
    obligations_ = std::move(merged.obligations);
    versions.insert(decisions.versions().begin(), decisions.versions().end());
    return "";
  }
  const std::vector<v1::Obligation>& obligations() const { return obligations_; }

  ShardVersions versions;

 private:
  std::vector<v1::Obligation> obligations_;
};

// The worker stays out until the organisation's own policy engine has spoken.
void Await(const Worker& worker, const MemberDecisions& decisions, Plan* plan) {
  plan->awaiting.insert(worker.terms.worker_id());
  plan->questions.insert(decisions.questions().begin(), decisions.questions().end());
}

// What a worker waits for that nothing but persons keeps out.
void NoteHeld(const MemberDecisions& decisions, Plan* plan) {
  if (decisions.held()) {
    for (const v1::Refusal& refusal : decisions.refusals()) {
      plan->held.insert(MissingApprovals(refusal));
    }
  }
}

// Decides every flow of a member; on refusal the plan says so and the worker is left out.
void DecideMember(const State& state, const Job& job, const Candidate& candidate, absl::Time now,
                  ByteView entropy, std::uint64_t* counter, Cohort* cohort, Plan* plan) {
  const Worker& worker = *candidate.worker;
  const ShardVersions& besides = cohort->versions;
  MemberDecisions decisions(state, job, worker, now, entropy, counter);
  decisions.Add(PlaceFlows(state, job, worker), besides);
  decisions.Add(SendModelFlows(state, job, worker), besides);
  decisions.Add(UseKeyFlows(state, job, worker), besides);
  decisions.Add(TrainFlows(state, job, worker, candidate.shards), besides);
  decisions.Add(SendDeltaFlows(state, job, worker, candidate.shards), besides);
  decisions.Add(SendMetricsFlows(state, job, worker), besides);
  if (decisions.refusals().empty()) {
    if (const std::string conflict = cohort->Join(decisions); !conflict.empty()) {
      plan->left_out.push_back(Out(worker, reasons::kObligationsConflict, conflict));
      return;
    }
    v1::RoundMember member = MakeMember(state, job, candidate);
    decisions.Fill(&member);
    plan->members.push_back(std::move(member));
    plan->renewals.insert(decisions.questions().begin(), decisions.questions().end());
    return;
  }
  if (decisions.awaits_bridge()) {
    Await(worker, decisions, plan);
    plan->left_out.push_back(Out(worker, reasons::kHeld, kBridgeWaitedFor));
    return;
  }
  NoteHeld(decisions, plan);
  plan->left_out.push_back(Out(worker, decisions.held() ? reasons::kHeld : reasons::kRefused,
                               decisions.refusals().front().decisions(0).failures_size() > 0
                                   ? decisions.refusals().front().decisions(0).failures(0).reason()
                                   : ""));
  plan->refusals.insert(plan->refusals.end(), decisions.refusals().begin(),
                        decisions.refusals().end());
}

bool NamesShard(const std::string& pattern, const std::string& key) {
  return pattern == key || (absl::EndsWith(pattern, "/*") &&
                            absl::StartsWith(key, pattern.substr(0, pattern.size() - 1)));
}

void SortMembers(const State& state, std::vector<v1::RoundMember>* members) {
  std::sort(members->begin(), members->end(),
            [&](const v1::RoundMember& a, const v1::RoundMember& b) {
              return state.workers.at(a.worker_id()).path < state.workers.at(b.worker_id()).path;
            });
}

// A refusal says where the same work would pass now: before anybody is left out as one too many.
void NameOtherRegions(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
                      const ShardVersions& besides, Plan* plan) {
  OtherRegions others(state, live, now, besides);
  for (const v1::RoundMember& member : plan->members) {
    others.Note(member.worker_id(), true);
  }
  for (const v1::Refusal& refusal : plan->refusals) {
    others.Note(refusal.worker_id(), false);
  }
  for (v1::Refusal& refusal : plan->refusals) {
    others.NameForRound(job, &refusal);
  }
}

// Members beyond the target are left out, the ones with the lowest random order staying.
void TrimToTarget(const State& state, const Job& job, ByteView entropy, std::uint64_t* counter,
                  Plan* plan) {
  const std::uint32_t target = job.submitted.spec().rounds().cohort().target();
  if (plan->members.size() <= target) {
    return;
  }
  std::vector<std::pair<Bytes, v1::RoundMember>> ordered;
  for (v1::RoundMember& member : plan->members) {
    ordered.emplace_back(entropy.empty() ? Bytes() : Derive(entropy, counter, 16),
                         std::move(member));
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  plan->members.clear();
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    if (i < target) {
      plan->members.push_back(std::move(ordered[i].second));
    } else {
      plan->left_out.push_back(
          Out(state.workers.at(ordered[i].second.worker_id()), reasons::kOverTarget));
    }
  }
  SortMembers(state, &plan->members);
}

}  // namespace

std::vector<std::string> ShardsOf(const State& state, const v1::JobSpec& spec,
                                  const std::string& worker_id) {
  std::vector<std::string> names;
  for (const auto& [key, shard] : state.shards) {
    const bool wanted = std::any_of(
        spec.data().begin(), spec.data().end(),
        [&, name = key](const std::string& pattern) { return NamesShard(pattern, name); });
    if (wanted && !shard.withdrawn.has_value() && shard.holders.count(worker_id) != 0) {
      names.push_back(key);
    }
  }
  return names;
}

Plan PlanRound(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
               ByteView entropy) {
  return PlanRound(state, job, live, now, entropy, entropy);
}

Plan PlanRound(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
               ByteView entropy, ByteView id_seed) {
  Plan plan;
  std::uint64_t counter = 1 << 20;  // apart from the ids that Decide derives from the same entropy
  Cohort cohort;
  std::set<std::string> taken;  // a shard is trained on once, by the first worker that holds it
  std::vector<const Worker*> workers;
  for (const auto& [id, worker] : state.workers) {
    if (!worker.revoked) {
      workers.push_back(&worker);
    }
  }
  std::sort(workers.begin(), workers.end(),
            [](const Worker* a, const Worker* b) { return a->path < b->path; });
  for (const Worker* worker : workers) {
    Candidate candidate{worker, ShardsOf(state, job.submitted.spec(), worker->terms.worker_id())};
    if (candidate.shards.empty()) {
      continue;
    }
    if (live.count(worker->terms.worker_id()) == 0) {
      plan.left_out.push_back(Out(*worker, reasons::kNotLive));
      continue;
    }
    std::erase_if(candidate.shards,
                  [&](const std::string& name) { return taken.count(name) != 0; });
    if (candidate.shards.empty()) {
      plan.left_out.push_back(Out(*worker, reasons::kNoShard));
      continue;
    }
    if (job.submitted.spec().strategy().weights() == "examples" &&
        RowsOf(state, candidate.shards) == 0) {
      plan.left_out.push_back(Out(*worker, reasons::kUnregisteredRows));
      continue;
    }
    const std::size_t before = plan.members.size();
    DecideMember(state, job, candidate, now, id_seed, &counter, &cohort, &plan);
    if (plan.members.size() > before) {
      taken.insert(candidate.shards.begin(), candidate.shards.end());
    }
  }
  plan.obligations = cohort.obligations();
  if (!id_seed.empty()) {  // of one that only looks ahead nothing is recorded
    NameOtherRegions(state, job, live, now, cohort.versions, &plan);
  }
  TrimToTarget(state, job, entropy, &counter, &plan);
  return plan;
}

Plan PlanEvaluation(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
                    ByteView entropy) {
  Plan plan;
  std::uint64_t counter = 1 << 20;
  const std::string prefix = absl::StrCat(job.submitted.spec().evaluate().data(), "/");
  std::vector<std::string> wanted;
  for (const auto& [key, shard] : state.shards) {
    if (absl::StartsWith(key, prefix)) {
      wanted.push_back(key);
    }
  }
  for (const auto& [id, worker] : state.workers) {
    if (wanted.empty() || worker.revoked || worker.terms.region() != "home" ||
        live.count(id) == 0) {
      continue;
    }
    const bool holds_all =
        std::all_of(wanted.begin(), wanted.end(), [&, worker_id = id](const std::string& name) {
          return state.shards.at(name).holders.count(worker_id) != 0;
        });
    if (!holds_all) {
      continue;
    }
    const Candidate candidate{&worker, wanted};
    MemberDecisions decisions(state, job, worker, now, entropy, &counter);
    decisions.Add(SendModelFlows(state, job, worker));
    decisions.Add(UseKeyFlows(state, job, worker));
    decisions.Add(TrainFlows(state, job, worker, wanted));
    decisions.Add(SendMetricsFlows(state, job, worker));
    if (decisions.refusals().empty()) {
      v1::RoundMember member = MakeMember(state, job, candidate);
      decisions.Fill(&member);
      plan.members.push_back(std::move(member));
      plan.renewals = decisions.questions();
      break;
    }
    if (decisions.awaits_bridge()) {
      Await(worker, decisions, &plan);
      continue;
    }
    NoteHeld(decisions, &plan);
    plan.refusals.insert(plan.refusals.end(), decisions.refusals().begin(),
                         decisions.refusals().end());
  }
  return plan;
}

}  // namespace carnet::coordinator
