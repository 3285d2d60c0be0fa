#include "coordinator/audit/decisions.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/audit/people_flows.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/release.h"
#include "policies/evaluate.h"

namespace carnet::coordinator::audit {
namespace {

using Flows = std::vector<FlowContext>;

std::string FlowText(const v1::Flow& flow) {
  return absl::StrCat(
      v1::Operation_Name(flow.operation()), " of ", v1::ArtifactKind_Name(flow.artifact()),
      " from ", flow.from(), " to ", flow.to(), " for ", flow.recipient(),
      flow.label_class().empty() ? "" : absl::StrCat(" [", flow.label_class(), "]"));
}

template <typename Failures>
std::string ReasonsText(const Failures& failures) {
  return absl::StrJoin(failures, ", ", [](std::string* out, const v1::Failure& failure) {
    absl::StrAppend(out, failure.reason());
  });
}

template <typename Obligations>
std::string ObligationsText(const Obligations& obligations) {
  return absl::StrJoin(obligations, "; ", [](std::string* out, const v1::Obligation& obligation) {
    absl::StrAppend(out, obligation.kind(), " ", obligation.bound(), " (", obligation.rule(), ", ",
                    obligation.phase(), ")");
    if (!obligation.duty().empty()) {
      absl::StrAppend(out, ": ", obligation.duty(), " of ", obligation.of(), " within ",
                      obligation.within_seconds(), " s");
    }
  });
}

template <typename Reservations>
std::string ReservationsText(const Reservations& reservations) {
  return absl::StrJoin(reservations, "; ",
                       [](std::string* out, const v1::Reservation& reservation) {
                         absl::StrAppend(out, reservation.ShortDebugString());
                       });
}

std::string VerdictText(v1::Verdict verdict, const std::string& reasons) {
  return reasons.empty() ? v1::Verdict_Name(verdict)
                         : absl::StrCat(v1::Verdict_Name(verdict), ": ", reasons);
}

std::string Or(std::string text) {
  return text.empty() ? "none" : text;
}

// The flows of everything that the opening of a round lets a member do.
void Append(Flows& flows, Flows more) {
  std::move(more.begin(), more.end(), std::back_inserter(flows));
}

// Flows ask for the worker's region without asking whether it is on record.
bool HasRegion(const State& state, const Worker* worker) {
  return worker != nullptr && state.regions.count(worker->terms.region()) != 0;
}

std::vector<std::string> ShardsOf(const v1::RoundMember& member) {
  return {member.shards().begin(), member.shards().end()};
}

class Redo {
 public:
  Redo(const Step& step, absl::Time at) : step_(step), at_(at) {}

  // The decisions of `flows` now, one for each.
  std::vector<v1::Decision> Decide(const Flows& flows) const {
    static const Bytes kSeed(32);  // of the ids, which nobody compares
    std::uint64_t counter = 0;
    return DecideFlows(step_.state(), flows, at_, kSeed, &counter).decisions;
  }

  // `given` must be the allowed decisions on exactly these flows.
  template <typename Authorisations>
  void Expect(const Flows& flows, const Authorisations& given, const std::string& who) const {
    std::vector<const v1::Authorisation*> left;
    for (const v1::Authorisation& authorisation : given) {
      left.push_back(&authorisation);
    }
    const std::vector<v1::Decision> decisions = Decide(flows);
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      const v1::Decision& decision = decisions[i];
      const std::string flow = FlowText(decision.flow());
      const auto match = std::find_if(left.begin(), left.end(), [&](const auto* candidate) {
        return FlowText(candidate->flow()) == flow;
      });
      if (step_.Expect(match != left.end(), "decision-missing",
                       absl::StrCat(who, ": a decision on ", flow), "none")) {
        Compare(decision, **match, flow);
        Keep((*match)->decision_id(), flows[i], decision);
        left.erase(match);
      }
    }
    for (const v1::Authorisation* authorisation : left) {
      step_.Add(Severity::kBadEvidence, "decision-without-operation",
                absl::StrCat(who, ": decisions on what crosses, and no others"),
                FlowText(authorisation->flow()));
    }
  }

  // Remembers `now` if it is the decision that somebody asked for.
  void Keep(const std::string& id, const FlowContext& flow, const v1::Decision& now) const {
    Memory& memory = step_.memory();
    if (id.empty() || id != memory.wanted) {
      return;
    }
    Retaken retaken;
    retaken.index = step_.index();
    retaken.now = now;
    retaken.now.set_id(id);
    retaken.facts_json = Facts(step_.state(), flow, at_).CanonicalJson();
    retaken.bundle_json = step_.state().bundle->CanonicalJson();
    memory.retaken = std::move(retaken);
  }

  void Same(const char* check, const std::string& flow, std::string expected,
            std::string actual) const {
    if (expected != actual) {
      step_.Add(Severity::kBadEvidence, check, absl::StrCat(flow, ": ", Or(std::move(expected))),
                Or(std::move(actual)));
    }
  }

 private:
  void Compare(const v1::Decision& now, const v1::Authorisation& then,
               const std::string& flow) const {
    ++step_.numbers().decisions;
    Same("decision-facts", flow, absl::StrCat("facts ", Hex(now.facts_sha256())),
         absl::StrCat("facts ", Hex(then.facts_sha256())));
    Same("decision-verdict", flow, VerdictText(now.verdict(), ReasonsText(now.failures())),
         VerdictText(v1::VERDICT_ALLOW, ""));
    Same("decision-rules", flow, absl::StrJoin(now.rules(), ", "),
         absl::StrJoin(then.rules(), ", "));
    Same("decision-obligations", flow, ObligationsText(now.obligations()),
         ObligationsText(then.obligations()));
    Same("decision-reservations", flow, ReservationsText(now.reservations()),
         ReservationsText(then.reservations()));
    Same("decision-exceptions", flow, absl::StrJoin(now.exceptions(), ", "),
         absl::StrJoin(then.exceptions(), ", "));
    Same("decision-warnings", flow, ReasonsText(now.warnings()),
         absl::StrJoin(then.warnings(), ", "));
  }

  const Step& step_;
  const absl::Time at_;
};

// What a decision says it was taken with, against the log.
struct Taken {
  absl::Time at;
  std::uint64_t state_size = 0;
  std::string bundle_sha256;
  std::uint64_t revision = 0;
  std::uint32_t evaluator = 0;
};

template <typename Message>
Taken TakenWith(const Message& message) {
  return {ToTime(message.at()), message.state_size(), message.bundle_sha256(), message.revision(),
          message.evaluator()};
}

// False: it cannot be taken again here.
bool CheckBasis(const Step& step, const Taken& taken, absl::Time record_at) {
  const policies::Bundle& bundle = *step.state().bundle;
  step.Expect(taken.bundle_sha256 == AsText(bundle.sha256()) && taken.revision == bundle.revision(),
              "decision-bundle",
              absl::StrCat("bundle ", HexEncode(bundle.sha256()), ", revision ", bundle.revision(),
                           ", which was in force"),
              absl::StrCat("bundle ", Hex(taken.bundle_sha256), ", revision ", taken.revision));
  step.Expect(taken.at == record_at, "decision-time",
              absl::StrCat("decided at ", absl::FormatTime(record_at, absl::UTCTimeZone())),
              absl::FormatTime(taken.at, absl::UTCTimeZone()));
  step.Expect(taken.state_size <= step.index() && taken.state_size >= step.memory().decisive_size,
              "decision-state",
              absl::StrCat("facts of the log at ", step.memory().decisive_size, " to ",
                           step.index(), " records"),
              absl::StrCat("at ", taken.state_size));
  if (taken.evaluator == 0 || taken.evaluator > policies::kEvaluatorVersion) {
    step.Add(
        Severity::kGap, "decision-evaluator",
        absl::StrCat("an evaluator that this program has, up to ", policies::kEvaluatorVersion),
        absl::StrCat("version ", taken.evaluator));
    return false;
  }
  return true;
}

Flows MemberFlows(const State& state, const Job& job, const Worker& worker,
                  const v1::RoundMember& member) {
  Flows flows = PlaceFlows(state, job, worker);
  Append(flows, SendModelFlows(state, job, worker));
  Append(flows, UseKeyFlows(state, job, worker));
  Append(flows, TrainFlows(state, job, worker, ShardsOf(member)));
  Append(flows, UploadFlows(state, job, worker, ShardsOf(member)));
  return flows;
}

Flows WithVersions(Flows flows, const ShardVersions& besides) {
  for (FlowContext& flow : flows) {
    flow.versions.insert(besides.begin(), besides.end());
  }
  return flows;
}

// Whoever was allowed into the round, in the order of the decisions: by path. Those left out
// because the round was full are among them, for their shards counted too.
std::map<std::string, v1::RoundMember> AllowedInto(const State& state, const Job& job,
                                                   const v1::RoundOpened& record) {
  std::map<std::string, v1::RoundMember> allowed;
  for (const v1::RoundMember& member : record.members()) {
    if (const Worker* const worker = state.FindWorker(member.worker_id()); worker != nullptr) {
      allowed.emplace(worker->path, member);
    }
  }
  for (const v1::LeftOut& out : record.left_out()) {
    const Worker* const worker = state.FindWorker(out.worker_id());
    if (worker != nullptr && out.reason() == reasons::kOverTarget) {
      v1::RoundMember member;
      for (const std::string& name :
           coordinator::ShardsOf(state, job.submitted.spec(), out.worker_id())) {
        member.add_shards(name);
      }
      allowed.emplace(worker->path, std::move(member));
    }
  }
  return allowed;
}

void Again(const Step& step, const v1::RoundOpened& record) {
  const State& state = step.state();
  const Job* const job = state.FindJob(record.job_id());
  if (job == nullptr ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  const Redo redo(step, ToTime(record.basis().at()));
  ShardVersions besides;  // that those before may move
  for (const auto& [path, member] : AllowedInto(state, *job, record)) {
    const Worker* const worker = state.FindWorker(member.worker_id());
    if (HasRegion(state, worker)) {
      redo.Expect(WithVersions(MemberFlows(state, *job, *worker, member), besides),
                  member.authorisations(), member.worker_id());
    }
    const ShardVersions own = VersionsOf(state, ShardsOf(member));
    besides.insert(own.begin(), own.end());
    besides.insert(job->versions.begin(), job->versions.end());
  }
}

void Again(const Step& step, const v1::EvaluationOpened& record) {
  const State& state = step.state();
  const Job* const job = state.FindJob(record.job_id());
  const Worker* const worker = state.FindWorker(record.member().worker_id());
  if (job == nullptr || !HasRegion(state, worker) ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  Flows flows = SendModelFlows(state, *job, *worker);
  Append(flows, UseKeyFlows(state, *job, *worker));
  Append(flows, TrainFlows(state, *job, *worker, ShardsOf(record.member())));
  Append(flows, SendMetricsFlows(state, *job, *worker));
  Redo(step, ToTime(record.basis().at()))
      .Expect(flows, record.member().authorisations(), record.member().worker_id());
}

void Again(const Step& step, const v1::RoundClosed& record) {
  const State& state = step.state();
  const Job* const job = state.FindJob(record.job_id());
  if (job == nullptr || !job->round.has_value() ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  const Redo redo(step, ToTime(record.basis().at()));
  Lineage lineage = job->lineage;
  for (const v1::Included& included : record.included()) {
    const v1::RoundMember* const member = MemberOf(*job->round, included.worker_id());
    const Worker* const worker = state.FindWorker(included.worker_id());
    if (member == nullptr || !HasRegion(state, worker)) {
      continue;
    }
    redo.Expect(UploadFlows(state, *job, *worker, ShardsOf(*member)), included.authorisations(),
                included.worker_id());
    const auto labels = job->round->labels.find(included.worker_id());
    if (labels != job->round->labels.end()) {
      lineage.insert(labels->second.begin(), labels->second.end());
    }
  }
  redo.Expect(AggregateFlows(state, *job, lineage), record.authorisations(), "aggregate");
}

void Again(const Step& step, const v1::StagingOrdered& record) {
  const State& state = step.state();
  const auto shard = state.shards.find(ShardKey(record.dataset(), record.shard()));
  const Worker* const from = state.FindWorker(record.from_worker_id());
  const Worker* const to = state.FindWorker(record.to_worker_id());
  if (shard == state.shards.end() || !HasRegion(state, from) || !HasRegion(state, to) ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  Redo(step, ToTime(record.basis().at()))
      .Expect(StageDataFlows(state, shard->first, *from, *to), record.authorisations(),
              record.staging_id());
}

void Again(const Step& step, const v1::Release& record) {
  const State& state = step.state();
  const Job* const job = state.FindJob(record.job_id());
  const auto user = state.users.find(record.released_to());
  if (job == nullptr || user == state.users.end() ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  Redo(step, ToTime(record.basis().at()))
      .Expect(ReleaseModelFlows(state, *job, AsBytes(record.model_sha256()), user->second),
              record.authorisations(), absl::StrCat("release to ", record.released_to()));
}

void Again(const Step& step, const v1::LogRead& record) {
  const auto user = step.state().users.find(record.reader());
  if (user == step.state().users.end() ||
      !CheckBasis(step, TakenWith(record.basis()), ToTime(record.common().at()))) {
    return;
  }
  Redo(step, ToTime(record.basis().at()))
      .Expect(ReadLogFlows(step.state(), user->second), record.authorisations(),
              absl::StrCat("reading by ", record.reader()));
}

// ---- refusals ----

// Every flow that a refusal of this job and worker can speak of. A refusal names its flows and not
// the shards, so these are the flows of every shard that the worker holds, and of an unknown one.
Flows JobFlows(const State& state, const Job& job, const Worker* worker) {
  if (worker == nullptr) {
    Lineage lineage = job.lineage;
    if (job.round.has_value()) {
      for (const auto& [id, labels] : job.round->labels) {
        lineage.insert(labels.begin(), labels.end());
      }
    }
    return AggregateFlows(state, job, lineage);
  }
  v1::RoundMember all;
  all.add_shards("");
  for (const auto& [key, shard] : state.shards) {
    if (shard.holders.count(worker->terms.worker_id()) != 0) {
      all.add_shards(key);
    }
  }
  Flows flows = MemberFlows(state, job, *worker, all);
  // The same with the shards that count: the member's, or the job's with those of earlier members.
  v1::RoundMember own;
  for (const std::string& name :
       coordinator::ShardsOf(state, job.submitted.spec(), worker->terms.worker_id())) {
    own.add_shards(name);
  }
  Append(flows, MemberFlows(state, job, *worker, own));
  if (job.round.has_value()) {
    if (const auto* member = MemberOf(*job.round, worker->terms.worker_id()); member != nullptr) {
      Append(flows, MemberFlows(state, job, *worker, *member));
    }
  }
  ShardVersions besides = job.versions;
  for (const auto& [id, other] : state.workers) {
    if (!other.revoked && other.path < worker->path) {
      const ShardVersions theirs =
          VersionsOf(state, coordinator::ShardsOf(state, job.submitted.spec(), id));
      besides.insert(theirs.begin(), theirs.end());
    }
  }
  Append(flows, WithVersions(MemberFlows(state, job, *worker, own), besides));
  return flows;
}

// The same for a staging: the worker receives from a holder, or sends what was ordered.
Flows StagingFlows(const State& state, const Worker& worker) {
  Flows flows;
  for (const auto& [key, shard] : state.shards) {
    for (const auto& [holder, digest] : shard.holders) {
      const Worker* const from = state.FindWorker(holder);
      if (HasRegion(state, from) && holder != worker.terms.worker_id()) {
        Append(flows, StageDataFlows(state, key, *from, worker));
      }
    }
  }
  for (const auto& [id, staging] : state.stagings) {
    const v1::StagingOrdered& ordered = staging.ordered;
    const Worker* const to = state.FindWorker(ordered.to_worker_id());
    const auto shard = state.shards.find(ShardKey(ordered.dataset(), ordered.shard()));
    if (ordered.from_worker_id() == worker.terms.worker_id() && HasRegion(state, to) &&
        shard != state.shards.end()) {
      Append(flows, StageDataFlows(state, shard->first, worker, *to));
    }
  }
  return flows;
}

bool SameFlow(const v1::Flow& flow, const FlowContext& context) {
  return flow.operation() == context.operation && flow.artifact() == context.artifact &&
         flow.from() == context.from && flow.to() == context.to &&
         flow.recipient() == context.recipient &&
         flow.label_class() == (context.labels.has_value() ? context.labels->Name() : "");
}

// The recorded denial against the one that comes out now. `now` comes from the same code, so what
// the words of a rule say is compared too.
void CompareRefusal(const Step& step, const Redo& redo, const v1::Decision& then,
                    const v1::Decision& now) {
  ++step.numbers().decisions;
  step.numbers().refusals += now.verdict() == v1::VERDICT_ALLOW ? 0 : 1;
  const std::string flow = FlowText(then.flow());
  redo.Same("decision-facts", flow, absl::StrCat("facts ", Hex(now.facts_sha256())),
            absl::StrCat("facts ", Hex(then.facts_sha256())));
  redo.Same("decision-verdict", flow, VerdictText(now.verdict(), ReasonsText(now.failures())),
            VerdictText(then.verdict(), ReasonsText(then.failures())));
  redo.Same("decision-obligations", flow, ObligationsText(now.obligations()),
            ObligationsText(then.obligations()));
  v1::Decision left = now;
  v1::Decision right = then;
  for (v1::Decision* decision : {&left, &right}) {
    decision->clear_id();
    decision->clear_state_size();
    decision->clear_other_regions();
    decision->clear_facts_sha256();
    decision->clear_verdict();
    decision->clear_obligations();
  }
  redo.Same("decision-rules", flow, left.ShortDebugString(), right.ShortDebugString());
}

// A refusal does not say who was allowed before it; where counters count their shards too, its
// facts cannot be made again.
bool CountsUnknown(const State& state, const v1::Refusal& record, const v1::Decision& then,
                   const v1::Decision& now) {
  return !record.job_id().empty() && !record.worker_id().empty() &&
         !state.bundle->counters().empty() && now.facts_sha256() != then.facts_sha256();
}

void Again(const Step& step, const v1::Refusal& record) {
  const State& state = step.state();
  const Job* const job = state.FindJob(record.job_id());
  const Worker* const worker = state.FindWorker(record.worker_id());
  if ((!record.worker_id().empty() && !HasRegion(state, worker)) ||
      (!record.job_id().empty() && job == nullptr)) {
    step.Add(Severity::kBadEvidence, "reference", "a job or a worker on record",
             absl::StrCat(record.job_id(), " ", record.worker_id()));
    return;
  }
  Flows flows;
  if (worker == nullptr) {
    flows = PeopleFlows(state, job, record.round());
  }
  if (job != nullptr) {
    Append(flows, JobFlows(state, *job, worker));
  } else if (worker != nullptr) {
    Append(flows, StagingFlows(state, *worker));
  }
  for (const v1::Decision& then : record.decisions()) {
    if (!CheckBasis(step, TakenWith(then), ToTime(record.common().at()))) {
      continue;
    }
    const Redo redo(step, ToTime(then.at()));
    std::optional<v1::Decision> now;
    for (const FlowContext& flow : flows) {
      if (SameFlow(then.flow(), flow) &&
          (!now.has_value() || now->facts_sha256() != then.facts_sha256())) {
        now = redo.Decide({flow}).front();
        redo.Keep(then.id(), flow, *now);
      }
    }
    if (step.Expect(now.has_value(), "decision-without-operation",
                    "a flow that this job or worker can have", FlowText(then.flow()))) {
      if (CountsUnknown(state, record, then, *now)) {
        step.Add(Severity::kNote, "decision-facts",
                 "the shards of those who were allowed before, which counters count",
                 "a refusal does not name them, so it was not decided again");
        continue;
      }
      CompareRefusal(step, redo, then, *now);
    }
  }
}

// The flows of a transfer are among those that its worker, or a person, can be refused.
void Again(const Step& step, const v1::TransferCut& record) {
  v1::Refusal refusal;
  *refusal.mutable_common() = record.common();
  refusal.set_job_id(record.job_id());
  refusal.set_worker_id(record.worker_id());
  refusal.set_round(record.round());
  *refusal.mutable_decisions() = record.decisions();
  Again(step, refusal);
}

template <typename Record>
void Again(const Step&, const Record&) {}

}  // namespace

void DecideAgain(const Step& step, const ledger::Predicate& predicate) {
  ledger::Visit(predicate, [&step](const auto& record) { Again(step, record); });
}

bool IsIndecisive(const ledger::Predicate& predicate) {
  return predicate.Is<v1::Refusal>() || predicate.Is<v1::KeyCreated>() ||
         predicate.Is<v1::ObligationDue>() || predicate.Is<v1::Release>() ||
         predicate.Is<v1::LogRead>() || predicate.Is<v1::KeyRetained>();
}

}  // namespace carnet::coordinator::audit
