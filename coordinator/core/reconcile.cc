#include "coordinator/core/reconcile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/policy_life.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/retained.h"
#include "coordinator/core/withdrawal.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
namespace {

// After this many attempts a round waits with a named reason, at the longest backoff.
constexpr std::uint32_t kAttemptsMax = 3;

class Reconciler {
 public:
  Reconciler(const State& state, const Running& running, absl::Time now)
      : state_(state), running_(running), now_(now) {}

  Agenda Run() {
    for (const auto& [id, job] : state_.jobs) {
      if (job.phase == JobPhase::kRunning) {
        ReconcileJob(job);
      }
    }
    ReconcileKeys();
    ReconcileRetained();
    ReconcileRotations();
    ReconcileErasures();
    ReconcileStagings();
    ReconcileLeases();
    ReconcilePolicies();
    ReconcileDuties();
    ReconcileBridge();
    for (const std::string& key : running_.effects) {
      if (wanted_.count(key) == 0) {
        agenda_.stop.insert(key);
      }
    }
    return std::move(agenda_);
  }

 private:
  void Want(std::string key, EffectBody body) {
    wanted_.insert(key);
    if (running_.effects.count(key) == 0) {
      agenda_.start.push_back(Effect{std::move(key), std::move(body)});
    }
  }
  // The next step of a job, which says of itself why it failed.
  void WantNext(const Job& job, const std::string& key, EffectBody body) {
    if (const auto failed = running_.failed.find(key); failed != running_.failed.end()) {
      Wait(job, absl::StrCat("its next step, which failed and is tried again: ", failed->second));
    }
    Want(key, std::move(body));
  }
  void WakeAt(absl::Time at) { agenda_.wake = std::min(agenda_.wake, at); }
  void Wait(const Job& job, std::string reason) { agenda_.waiting[job.id] = std::move(reason); }

  bool ReadsBridge() const { return state_.bundle->reads_bridge(); }

  // Asks the organisation's own policy engine, if there is one.
  void Ask(const std::set<std::string>& questions) {
    for (const std::string& input : questions) {
      if (running_.bridge) {
        Want(AskKey(input), AskBridge{input});
      }
    }
  }

  // Another engine than the one on record is configured: its first answer, or error, ends those of
  // the other.
  void ReconcileBridge() {
    if (ReadsBridge() && !state_.bridge.empty() && state_.bridge_engine != running_.bridge_engine) {
      Ask({state_.bridge_input});
    }
  }

  // What moves goes on moving under a word that still counts.
  void KeepBridge(const Job& job) {
    if (ReadsBridge()) {
      Ask(NeedOf(state_, MovingFlows(state_, job), now_).questions);
    }
  }

  // Whether the closing has its word; else the job waits, with everything that came.
  bool MayClose(const Job& job) {
    if (!ReadsBridge()) {
      return true;
    }
    const BridgeNeed need = NeedOf(state_, ClosingFlows(state_, job), now_);
    Ask(need.questions);
    if (need.waits) {
      WaitForBridge(job, need.questions);
    }
    return !need.waits;
  }

  void WaitForBridge(const Job& job, const std::set<std::string>& questions) {
    const char* why = !running_.bridge    ? ": none is configured (bridge.opa in coordinator.yaml)"
                      : questions.empty() ? ", which does not answer"
                                          : "";
    Wait(job, absl::StrCat("hold: ", kBridgeWaitedFor, why));
  }

  void ReconcileJob(const Job& job) {
    if (job.round.has_value()) {
      job.round->closed.has_value() ? ReconcileClosedRound(job) : ReconcileOpenRound(job);
    } else if (job.evaluation.has_value()) {
      ReconcileEvaluation(job);
    } else if (const std::string held = WhyHeld(state_, job);
               !held.empty() && (job.evaluation_due || EndReason(job).empty())) {
      Wait(job, held);
    } else if (job.evaluation_due) {
      PlanNextEvaluation(job);
    } else if (!EndReason(job).empty()) {
      WantNext(job, absl::StrCat("complete/", job.id), RunCommand{CompleteJob{job.id}});
    } else {
      PlanNextRound(job);
    }
  }

  void ReconcileOpenRound(const Job& job) {
    const Round& round = *job.round;
    const auto members = static_cast<std::uint32_t>(round.opened.members_size());
    const std::uint32_t in = static_cast<std::uint32_t>(round.contributions.size());
    std::uint32_t out = 0;
    for (const auto& [worker_id, reason] : round.out) {
      out += round.contributions.count(worker_id) == 0 ? 1 : 0;
    }
    const absl::Time deadline = ToTime(round.opened.deadline());
    const std::string name =
        absl::StrCat(job.id, "/", round.opened.round(), "/", round.opened.attempt());
    if (!WithdrawnAmong(state_, job.versions).empty()) {
      // Whatever came was trained on a model that saw a withdrawn shard.
      WantNext(job, absl::StrCat("abandon/", name),
               RunCommand{AbandonRound{job.id, reasons::kShardWithdrawn}});
      return;
    }
    if (in < CloseCount(job.submitted.spec(), members) && in + out < members && now_ < deadline) {
      KeepBridge(job);
      WakeAt(deadline);
      return;
    }
    if (in >= job.submitted.spec().rounds().cohort().min()) {
      if (!MayClose(job)) {
        return;
      }
      WantNext(job, absl::StrCat("close/", name), RunCommand{CloseRound{job.id, running_.live}});
    } else {
      WantNext(job, absl::StrCat("abandon/", name),
               RunCommand{AbandonRound{job.id, reasons::kTooFewContributions}});
    }
  }

  void ReconcileClosedRound(const Job& job) {
    const Round& round = *job.round;
    std::uint32_t usable = 0;
    for (const v1::Included& included : round.closed->included()) {
      usable += round.storage_faults.count(included.worker_id()) == 0 ? 1 : 0;
    }
    const std::string name =
        absl::StrCat(job.id, "/", round.opened.round(), "/", round.opened.attempt());
    if (usable < job.submitted.spec().rounds().cohort().min()) {
      WantNext(job, absl::StrCat("abandon/", name),
               RunCommand{AbandonRound{job.id, reasons::kStorageFault}});
    } else {
      Combine(job, round, name);
    }
  }

  // First the round's key is kept, if somebody may open the deltas later: it goes with the round.
  void Combine(const Job& job, const Round& round, const std::string& name) {
    const auto retention = RetentionDue(state_, round);
    if (!retention.ok()) {
      WantNext(job, absl::StrCat("abandon/", name),
               RunCommand{AbandonRound{job.id, kNotRetainable}});
    } else if (retention->has_value()) {
      WantNext(job, absl::StrCat("retain/", name),
               AggregateRound{job.id, round.opened.round(), round.opened.attempt()});
    } else {
      WantNext(job, absl::StrCat("aggregate/", name, "/", round.storage_faults.size()),
               AggregateRound{job.id, round.opened.round(), round.opened.attempt()});
    }
  }

  void ReconcileEvaluation(const Job& job) {
    if (!WhyHeld(state_, job).empty()) {
      WantNext(job, absl::StrCat("abandon-evaluation/", job.id, "/", job.rounds_done),
               RunCommand{AbandonEvaluation{job.id, reasons::kShardWithdrawn, {}}});
      return;
    }
    const absl::Time deadline = ToTime(job.evaluation->opened.deadline());
    if (now_ < deadline) {
      KeepBridge(job);
      WakeAt(deadline);
      return;
    }
    WantNext(job, absl::StrCat("abandon-evaluation/", job.id, "/", job.rounds_done),
             RunCommand{AbandonEvaluation{job.id, reasons::kDeadline, {}}});
  }

  // Whether anything new may begin now; else the job waits and says why.
  bool MayOpen(const Job& job) {
    if (!running_.new_rounds_allowed) {
      Wait(job, running_.not_allowed_reason);
      return false;
    }
    if (now_ >= state_.bundle->head().valid_to) {
      Wait(job, "a policy bundle in force: the last one expired (carnet policy renew)");
      return false;
    }
    WakeAt(state_.bundle->head().valid_to);
    return true;
  }

  // Whether a refusal of the plan is not on record yet: that comes first.
  bool RecordsRefusals(const Job& job, const Plan& plan) {
    const bool unrecorded =
        std::any_of(plan.refusals.begin(), plan.refusals.end(), [&](const v1::Refusal& refusal) {
          return state_.refusal_keys.count(RefusalKey(state_, refusal)) == 0;
        });
    if (unrecorded) {
      WantNext(job, absl::StrCat("refusals/", job.id, "/", state_.size),
               RunCommand{RecordRefusals{job.id, running_.live}});
    }
    return unrecorded;
  }

  void WaitForPersons(const Job& job, const Plan& plan) {
    Wait(job, absl::StrCat("hold: ", absl::StrJoin(plan.held, "; ")));
  }

  void PlanNextEvaluation(const Job& job) {
    if (!MayOpen(job)) {
      return;
    }
    const Plan plan = PlanEvaluation(state_, job, running_.live, now_, {});
    if (!plan.members.empty()) {
      const std::uint32_t attempt = job.evaluation_attempts + 1;
      Ask(plan.renewals);
      WantNext(job, absl::StrCat("prepare-evaluation/", job.id, "/", job.rounds_done, "/", attempt),
               PrepareEvaluation{job.id, job.rounds_done, attempt});
      return;
    }
    Ask(plan.questions);
    if (!plan.held.empty() && RecordsRefusals(job, plan)) {
      return;
    }
    if (!plan.awaiting.empty()) {
      WaitForBridge(job, plan.questions);
    } else if (!plan.held.empty()) {
      WaitForPersons(job, plan);
    } else if (!plan.refusals.empty()) {
      WantNext(job, absl::StrCat("abandon-evaluation/", job.id, "/", job.rounds_done),
               RunCommand{AbandonEvaluation{job.id, reasons::kRefused, running_.live}});
    } else {
      Wait(job, "a live worker at home that holds the evaluation data");
    }
  }

  // Whether the round is better opened, or can only be opened, when the organisation's own policy
  // engine has spoken. It is not asked about rounds that would lack workers all the same.
  bool AwaitsBridge(const Job& job, const Plan& plan, std::uint32_t min) {
    if (plan.awaiting.empty() || plan.members.size() + plan.awaiting.size() < min) {
      return false;
    }
    Ask(plan.questions);
    if (plan.members.size() >= min && (plan.questions.empty() || !running_.bridge)) {
      return false;  // Those whom it does not speak for stay out.
    }
    WaitForBridge(job, plan.questions);
    return true;
  }

  void PlanNextRound(const Job& job) {
    const bool refused = job.refused_by == state_.facts_version;
    if (now_ < job.retry_after && (refused || !job.refused_by.has_value())) {
      WakeAt(job.retry_after);
      if (refused) {
        Wait(job, absl::StrCat("round ", job.rounds_done + 1,
                               " was refused when it closed: it waits for other facts or rules"));
      } else if (job.attempts_used >= kAttemptsMax) {
        Wait(job,
             absl::StrCat("round ", job.rounds_done + 1, " failed ", job.attempts_used, " times"));
      }
      return;
    }
    if (!MayOpen(job)) {
      return;
    }
    const Plan plan = PlanRound(state_, job, running_.live, now_, {});
    if (RecordsRefusals(job, plan)) {
      return;
    }
    const std::uint32_t min = job.submitted.spec().rounds().cohort().min();
    if (AwaitsBridge(job, plan, min)) {
      return;
    }
    if (plan.members.size() < min && !plan.held.empty()) {
      WaitForPersons(job, plan);
      return;
    }
    if (plan.members.size() < min) {
      Wait(job, absl::StrCat("eligible workers: ", plan.members.size(), " of ", min));
      return;
    }
    if (const auto retention = RetentionFor(state_, plan.obligations); !retention.ok()) {
      Wait(job, std::string(retention.status().message()));
      return;
    }
    const std::uint32_t round = job.rounds_done + 1;
    const std::uint32_t attempt = job.attempts_used + 1;
    Ask(plan.renewals);
    WantNext(job, absl::StrCat("prepare/", job.id, "/", round, "/", attempt),
             PrepareRound{job.id, round, attempt});
  }

  void ReconcileKeys() {
    std::vector<std::string> ordered;
    for (const auto& [id, key] : state_.keys) {
      if (key.phase == KeyPhase::kDestructionOrdered) {
        ordered.push_back(id);
      }
    }
    if (!ordered.empty()) {
      // The key of the effect names its first key: later orders wait for the next turn.
      const std::string name = absl::StrCat("destroy/", ordered.front());
      Want(name, DestroyKeys{std::move(ordered)});
    }
  }

  // Deltas that were kept for somebody go when their time is over. The effect is named after that
  // time, so that one who sweeps knows what he swept for.
  void ReconcileRetained() {
    absl::Time newest = absl::InfinitePast();
    for (const auto& [id, kept] : state_.retained_keys) {
      const absl::Time until = ToTime(kept.terms.until());
      if (now_ < until) {
        WakeAt(until);
      } else {
        newest = std::max(newest, until);
      }
    }
    if (newest != absl::InfinitePast()) {
      Want(absl::StrCat("sweep/", absl::ToUnixSeconds(newest)), DestroyKeys{});
    }
  }

  // A key that gave way to another goes, when both have counted as long as the record says.
  void ReconcileRotations() {
    for (const Rotation& rotation : state_.rotations) {
      if (state_.keys.at(rotation.old_key_id).phase != KeyPhase::kLive) {
        continue;
      }
      if (const absl::Time end = EndOfOverlap(rotation); now_ < end) {
        WakeAt(end);
      } else {
        Want(absl::StrCat("retire/", rotation.old_key_id),
             RunCommand{OrderKeyDestruction{{rotation.old_key_id}, "rotated"}});
      }
    }
  }

  void ReconcileErasures() {
    for (const auto& [id, order] : state_.erasures) {
      if (!order.done) {
        Want(absl::StrCat("erase/", id), DestroyValue{id});
      }
    }
  }

  std::vector<FlowContext> StagingFlows(const Staging& staging) const {
    return StageDataFlows(state_, ShardKey(staging.ordered.dataset(), staging.ordered.shard()),
                          state_.workers.at(staging.ordered.from_worker_id()),
                          state_.workers.at(staging.ordered.to_worker_id()));
  }

  void ReconcileStagings() {
    for (const auto& [id, staging] : state_.stagings) {
      if (staging.phase != StagingPhase::kOrdered) {
        continue;
      }
      const absl::Time expires = ToTime(staging.ordered.expires());
      if (ReadsBridge()) {
        Ask(NeedOf(state_, StagingFlows(staging), now_).questions);
      }
      if (IsWithdrawn(state_, ShardKey(staging.ordered.dataset(), staging.ordered.shard()))) {
        Want(absl::StrCat("abandon-staging/", id),
             RunCommand{AbandonStaging{id, reasons::kShardWithdrawn}});
      } else if (now_ < expires) {
        WakeAt(expires);
      } else {
        Want(absl::StrCat("abandon-staging/", id),
             RunCommand{AbandonStaging{id, reasons::kDeadline}});
      }
    }
  }

  void ReconcileLeases() {
    for (const auto& [id, worker] : state_.workers) {
      if (worker.revoked) {
        continue;
      }
      const absl::Time until = ToTime(worker.terms.lease_until());
      if (now_ < until) {
        WakeAt(until);
      } else {
        Want(absl::StrCat("lease/", id), RunCommand{RevokeWorker{"", id, "lease-ended"}});
      }
    }
  }

  // Approved bundles come into force when their time has come; those that no longer can are closed.
  void ReconcilePolicies() {
    for (const auto& [digest, proposal] : state_.proposals) {
      if (proposal.phase != ProposalPhase::kOpen) {
        continue;
      }
      const std::string name = HexEncode(AsBytes(digest));
      const policies::BundleHead& head = proposal.bundle->head();
      if (IsStale(state_, proposal) || now_ >= head.valid_to) {
        Want(absl::StrCat("withdraw-policy/", name),
             RunCommand{WithdrawPolicy{"", ToBytes(digest)}});
      } else if (now_ < head.valid_from) {
        WakeAt(head.valid_from);
      } else if (IsApproved(state_, proposal, now_) &&
                 CheckFuture(state_, *proposal.bundle, proposal.examined.tighten_only()).ok()) {
        Want(absl::StrCat("activate-policy/", name),
             RunCommand{ActivatePolicy{"", ToBytes(digest)}});
      }
    }
  }

  void ReconcileDuties() {
    for (const auto& [id, duty] : state_.duties) {
      if (duty.met.has_value() || duty.late.has_value()) {
        continue;
      }
      const absl::Time due = ToTime(duty.terms.due());
      if (now_ < due) {
        WakeAt(due);
      } else {
        Want(absl::StrCat("late/", id), RunCommand{RecordLateDuties{}});
        return;
      }
    }
  }

  const State& state_;
  const Running& running_;
  const absl::Time now_;
  Agenda agenda_;
  std::set<std::string> wanted_;
};

}  // namespace

std::string AskKey(const std::string& input) {
  return absl::StrCat("ask/", HexEncode(crypto::Sha256(AsBytes(input))));
}

Agenda Reconcile(const State& state, const Running& running, absl::Time now) {
  return Reconciler(state, running, now).Run();
}

}  // namespace carnet::coordinator
