#include "coordinator/core/bridge.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/core/withdrawal.h"
#include "crypto/hash.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {
namespace {

using policies::FactSet;
using policies::Value;

constexpr char kEngine[] = "the organisation's Open Policy Agent";

// A yes is asked for again in the last quarter of its life, or in the last seconds of a short one:
// the engine looks once a second, and a question takes its time.
constexpr absl::Duration kRenewalMin = absl::Seconds(5);

FactSet With(const FactSet& facts, Value value) {
  FactSet changed = facts;
  changed.Set(policies::kBridgeOpa, std::move(value)).IgnoreError();  // of its type
  return changed;
}

std::string KeyOf(const std::string& input) {
  return ToString(crypto::Sha256(AsBytes(input)));
}

const BridgeAnswer* Find(const State& state, const std::string& input) {
  const auto found = state.bridge.empty() ? state.bridge.end() : state.bridge.find(KeyOf(input));
  return found == state.bridge.end() ? nullptr : &found->second;
}

bool Counts(const BridgeAnswer& known, absl::Time at) {
  return !known.answer.outcome().empty() && at < ToTime(known.answer.valid_until());
}

// A record keeps what was asked, and no larger one could be kept.
bool CanBeAsked(const std::string& input) {
  return input.size() <= kBridgeInputBytesMax;
}

bool EndsSoon(const BridgeAnswer& known, absl::Time at) {
  const absl::Time end = ToTime(known.answer.valid_until());
  const absl::Duration life = end - ToTime(known.answer.common().at());
  return at >= end - std::max(life / 4, kRenewalMin);
}

void Append(std::vector<FlowContext>* flows, const std::vector<FlowContext>& more) {
  flows->insert(flows->end(), more.begin(), more.end());
}

std::vector<std::string> ShardsOf(const v1::RoundMember& member) {
  return {member.shards().begin(), member.shards().end()};
}

v1::Verdict VerdictUnasked(const State& state, const FactSet& facts, absl::Time at) {
  return policies::Evaluate(*state.bundle, With(facts, Value::Unknown()), at,
                            policies::Words::kLeftOut)
      .verdict();
}

v1::Verdict VerdictWithYes(const State& state, const FactSet& facts, absl::Time at) {
  return policies::Evaluate(*state.bundle, With(facts, Value::Text("allow")), at,
                            policies::Words::kLeftOut)
      .verdict();
}

// Some rule that failed reads the engine's word.
bool ReadsBridge(const v1::Decision& decision) {
  const auto reads = [](const v1::Failure& failure) {
    return std::any_of(
        failure.facts_used().begin(), failure.facts_used().end(),
        [](const std::string& used) { return absl::StartsWith(used, "bridge.opa = "); });
  };
  return std::any_of(decision.failures().begin(), decision.failures().end(), reads);
}

}  // namespace

std::string BridgeInput(const FactSet& facts) {
  return With(facts, Value::Unknown()).CanonicalJson();
}

void SetBridgeFact(const State& state, const policies::Bundle& bundle, absl::Time at,
                   FactSet* facts) {
  if (!bundle.reads_bridge() || state.bridge.empty()) {
    return;
  }
  const BridgeAnswer* const known = Find(state, BridgeInput(*facts));
  if (known != nullptr && Counts(*known, at)) {
    *facts =
        With(*facts, Value::Text(known->answer.outcome() == kBridgeAllowed ? "allow" : "deny"));
  }
}

bool IsBridgeDue(const State& state, const std::string& input, absl::Time at) {
  if (!CanBeAsked(input)) {
    return false;
  }
  const BridgeAnswer* const known = Find(state, input);
  if (known == nullptr) {
    return true;
  }
  const bool wanted =
      !Counts(*known, at) || (known->answer.outcome() == kBridgeAllowed && EndsSoon(*known, at));
  return wanted && at >= known->retry_at;
}

std::string BridgeWords(const State& state, const FactSet& facts, absl::Time at) {
  const std::string input = BridgeInput(facts);
  if (!CanBeAsked(input)) {
    return absl::StrCat(kEngine, " cannot be asked about this flow: its facts are larger than ",
                        kBridgeInputBytesMax >> 10, " KiB");
  }
  const BridgeAnswer* const known = Find(state, input);
  if (known != nullptr && Counts(*known, at)) {
    const v1::BridgeVerdict& answer = known->answer;
    return absl::StrCat(kEngine, answer.outcome() == kBridgeAllowed ? " said yes" : " said no",
                        answer.reasons().empty() ? "" : ": ",
                        absl::StrJoin(answer.reasons(), "; "));
  }
  if (known != nullptr && known->errors > 0) {
    return absl::StrCat(kEngine, " has not answered (", known->error, ")");
  }
  return known == nullptr ? absl::StrCat(kEngine, " has not been asked about this flow")
                          : absl::StrCat(kEngine, " answered too long ago to count");
}

v1::Verdict ConsultBridge(const State& state, const FactSet& facts, absl::Time at,
                          v1::Decision* decision, std::set<std::string>* questions) {
  const bool unspoken = facts.Get(policies::kBridgeOpa).is_unknown();
  const bool allowed = decision->verdict() == v1::VERDICT_ALLOW;
  std::string input = BridgeInput(facts);
  v1::Verdict with_yes = decision->verdict();
  if (!allowed && unspoken && CanBeAsked(input)) {
    with_yes = VerdictWithYes(state, facts, at);
  }
  if (!allowed && (with_yes != decision->verdict() || ReadsBridge(*decision))) {
    decision->set_bridge(BridgeWords(state, facts, at));
  }
  // For the first time, of a flow that lacks nothing else; or again, of one that it allows.
  const bool hangs = unspoken ? !allowed && with_yes == v1::VERDICT_ALLOW : allowed;
  if (hangs && IsBridgeDue(state, input, at) &&
      (unspoken || VerdictUnasked(state, facts, at) != v1::VERDICT_ALLOW)) {
    questions->insert(std::move(input));
  }
  return with_yes;
}

BridgeNeed NeedOf(const State& state, const std::vector<FlowContext>& flows, absl::Time at) {
  BridgeNeed need;
  if (!state.bundle->reads_bridge()) {
    return need;
  }
  for (const FlowContext& flow : flows) {
    const FactSet facts = Facts(state, flow, at);
    const Value& word = facts.Get(policies::kBridgeOpa);
    std::string input = BridgeInput(facts);
    const bool due = IsBridgeDue(state, input, at);
    if (!CanBeAsked(input) || (!word.is_unknown() && !due)) {
      continue;
    }
    // Asked about only where it matters, and where a yes would be enough.
    if (VerdictUnasked(state, facts, at) == v1::VERDICT_ALLOW ||
        VerdictWithYes(state, facts, at) != v1::VERDICT_ALLOW) {
      continue;
    }
    need.waits = need.waits || word.is_unknown();
    if (due) {
      need.questions.insert(std::move(input));
    }
  }
  return need;
}

std::vector<FlowContext> ClosingFlows(const State& state, const Job& job) {
  std::vector<FlowContext> flows;
  const Round& round = *job.round;
  Lineage lineage = job.lineage;
  for (const v1::RoundMember& member : round.opened.members()) {
    const Worker& worker = state.workers.at(member.worker_id());
    if (round.contributions.count(member.worker_id()) == 0 || worker.revoked ||
        HasWithdrawnShard(state, member)) {
      continue;
    }
    Append(&flows, UploadFlows(state, job, worker, ShardsOf(member)));
    const Lineage& labels = round.labels.at(member.worker_id());
    lineage.insert(labels.begin(), labels.end());
  }
  Append(&flows, AggregateFlows(state, job, lineage));
  return flows;
}

std::vector<FlowContext> MovingFlows(const State& state, const Job& job) {
  std::vector<FlowContext> flows;
  if (job.evaluation.has_value()) {
    const Worker& worker = state.workers.at(job.evaluation->opened.member().worker_id());
    Append(&flows, SendModelFlows(state, job, worker));
    Append(&flows, UseKeyFlows(state, job, worker));
  }
  if (!job.round.has_value() || job.round->closed.has_value()) {
    return flows;
  }
  for (const v1::RoundMember& member : job.round->opened.members()) {
    const Worker& worker = state.workers.at(member.worker_id());
    if (job.round->contributions.count(member.worker_id()) != 0 ||
        job.round->out.count(member.worker_id()) != 0 || worker.revoked) {
      continue;
    }
    Append(&flows, SendModelFlows(state, job, worker));
    Append(&flows, UseKeyFlows(state, job, worker));
    Append(&flows, UploadFlows(state, job, worker, ShardsOf(member)));
  }
  if (!job.round->contributions.empty()) {
    Append(&flows, ClosingFlows(state, job));
  }
  return flows;
}

}  // namespace carnet::coordinator
