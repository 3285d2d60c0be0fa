#include "coordinator/core/flows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/judge.h"
#include "crypto/hash.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {
namespace {

// A flow of which nothing is known but what it is: it is denied.
FlowContext Lacking(v1::Operation operation, v1::ArtifactKind artifact, std::string what) {
  FlowContext flow;
  flow.operation = operation;
  flow.artifact = artifact;
  flow.lacks = std::move(what);
  return flow;
}

// One flow for each jurisdiction of the worker's region; `to_worker` tells the direction.
std::vector<FlowContext> Crossings(const State& state, const Worker& worker,
                                   v1::Operation operation, v1::ArtifactKind artifact,
                                   bool to_worker) {
  std::vector<FlowContext> flows;
  const auto region = state.regions.find(worker.terms.region());
  if (region == state.regions.end()) {
    return {Lacking(operation, artifact, absl::StrCat("region ", worker.terms.region()))};
  }
  for (const std::string& jurisdiction : region->second.terms.jurisdictions()) {
    FlowContext flow;
    flow.operation = operation;
    flow.artifact = artifact;
    flow.from = to_worker ? state.genesis.home_jurisdiction() : jurisdiction;
    flow.to = to_worker ? jurisdiction : state.genesis.home_jurisdiction();
    flow.from_region = to_worker ? "home" : worker.terms.region();
    flow.to_region = to_worker ? worker.terms.region() : "home";
    flow.recipient =
        to_worker ? state.OperatorOf(worker.terms.region()) : state.genesis.organisation();
    flow.worker_id = worker.terms.worker_id();
    flows.push_back(std::move(flow));
  }
  return flows;
}

// Each flow once for each class; an artifact without any data behind it keeps one flow without
// labels.
std::vector<FlowContext> ForEachClass(const std::vector<FlowContext>& flows,
                                      const Lineage& lineage) {
  if (lineage.empty()) {
    return flows;
  }
  std::vector<FlowContext> labelled;
  for (const FlowContext& flow : flows) {
    for (const LabelClass& labels : lineage) {
      labelled.push_back(flow);
      labelled.back().labels = labels;
    }
  }
  return labelled;
}

std::vector<FlowContext> WithJob(std::vector<FlowContext> flows, const Job& job) {
  for (FlowContext& flow : flows) {
    flow.job = &job;
  }
  return flows;
}

// Of the job's newest model.
std::vector<FlowContext> WithModel(std::vector<FlowContext> flows, const Job& job) {
  for (FlowContext& flow : flows) {
    flow.model_sha256 = ToString(job.model_sha256);
  }
  return flows;
}

std::vector<FlowContext> WithVersions(std::vector<FlowContext> flows,
                                      const ShardVersions& versions) {
  for (FlowContext& flow : flows) {
    flow.versions.insert(versions.begin(), versions.end());
  }
  return flows;
}

Lineage ClassesOf(const State& state, const Worker& worker,
                  const std::vector<std::string>& shards) {
  Lineage lineage;
  for (const std::string& name : shards) {
    const auto shard = state.shards.find(name);
    lineage.insert(shard == state.shards.end() ? LabelClass{}
                                               : ClassOf(shard->second, worker.terms.worker_id()));
  }
  return lineage;
}

}  // namespace

std::vector<FlowContext> PlaceFlows(const State& state, const Job& job, const Worker& worker) {
  return WithJob(Crossings(state, worker, v1::OPERATION_PLACE, v1::ARTIFACT_KIND_JOB, true), job);
}

std::vector<FlowContext> SendModelFlows(const State& state, const Job& job, const Worker& worker) {
  return WithVersions(
      WithModel(WithJob(ForEachClass(Crossings(state, worker, v1::OPERATION_SEND_MODEL,
                                               v1::ARTIFACT_KIND_MODEL, true),
                                     job.lineage),
                        job),
                job),
      job.versions);
}

std::vector<FlowContext> UseKeyFlows(const State& state, const Job& job, const Worker& worker) {
  std::vector<FlowContext> flows =
      Crossings(state, worker, v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_KEY, true);
  const std::vector<FlowContext> opened = ForEachClass(
      Crossings(state, worker, v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_MODEL, true), job.lineage);
  flows.insert(flows.end(), opened.begin(), opened.end());
  return WithVersions(WithModel(WithJob(std::move(flows), job), job), job.versions);
}

std::vector<FlowContext> TrainFlows(const State& state, const Job& job, const Worker& worker,
                                    const std::vector<std::string>& shards) {
  std::vector<FlowContext> flows =
      ForEachClass(Crossings(state, worker, v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA, true),
                   ClassesOf(state, worker, shards));
  for (FlowContext& flow : flows) {
    flow.from = flow.to;
    flow.from_region = flow.to_region;
  }
  return WithVersions(WithJob(std::move(flows), job), VersionsOf(state, shards));
}

std::vector<FlowContext> SendDeltaFlows(const State& state, const Job& job, const Worker& worker,
                                        const std::vector<std::string>& shards) {
  Lineage lineage = job.lineage;
  const Lineage own = ClassesOf(state, worker, shards);
  lineage.insert(own.begin(), own.end());
  return WithVersions(
      WithVersions(WithJob(ForEachClass(Crossings(state, worker, v1::OPERATION_SEND_DELTA,
                                                  v1::ARTIFACT_KIND_DELTA, false),
                                        lineage),
                           job),
                   job.versions),
      VersionsOf(state, shards));
}

std::vector<FlowContext> SendMetricsFlows(const State& state, const Job& job,
                                          const Worker& worker) {
  return WithJob(
      Crossings(state, worker, v1::OPERATION_SEND_METRICS, v1::ARTIFACT_KIND_METRICS, false), job);
}

std::vector<FlowContext> UploadFlows(const State& state, const Job& job, const Worker& worker,
                                     const std::vector<std::string>& shards) {
  std::vector<FlowContext> flows = SendDeltaFlows(state, job, worker, shards);
  const std::vector<FlowContext> metrics = SendMetricsFlows(state, job, worker);
  flows.insert(flows.end(), metrics.begin(), metrics.end());
  return flows;
}

std::vector<FlowContext> AggregateFlows(const State& state, const Job& job,
                                        const Lineage& lineage) {
  FlowContext flow;
  flow.operation = v1::OPERATION_AGGREGATE;
  flow.artifact = v1::ARTIFACT_KIND_AGGREGATE;
  flow.from = state.genesis.home_jurisdiction();
  flow.to = state.genesis.home_jurisdiction();
  flow.to_region = "home";
  flow.recipient = state.genesis.organisation();
  flow.versions = job.versions;
  if (job.round.has_value()) {
    for (const auto& [worker_id, versions] : job.round->versions) {
      flow.versions.insert(versions.begin(), versions.end());
    }
  }
  return WithJob(ForEachClass({flow}, lineage), job);
}

std::vector<FlowContext> StageDataFlows(const State& state, const std::string& shard_name,
                                        const Worker& from, const Worker& to) {
  const auto found = state.shards.find(shard_name);
  const auto origins = state.regions.find(from.terms.region());
  if (found == state.shards.end() || origins == state.regions.end()) {
    return {Lacking(v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA,
                    found == state.shards.end() ? absl::StrCat("shard ", shard_name)
                                                : absl::StrCat("region ", from.terms.region()))};
  }
  const Shard& shard = found->second;
  const LabelClass labels = ClassOf(shard, from.terms.worker_id());
  std::vector<FlowContext> flows =
      Crossings(state, from, v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA, false);
  for (FlowContext& hop : flows) {
    hop.end_to_end_encrypted = true;  // sealed to the other worker; home only passes it on
  }
  for (const std::string& origin : origins->second.terms.jurisdictions()) {
    for (FlowContext flow :
         Crossings(state, to, v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA, true)) {
      flow.from = origin;
      flow.from_region = from.terms.region();
      flows.push_back(std::move(flow));
    }
  }
  for (FlowContext& flow : flows) {
    flow.labels = labels;
    flow.versions.insert(VersionOf(shard_name, shard));
  }
  return flows;
}

Verdicts DecideFlows(const State& state, const std::vector<FlowContext>& flows, absl::Time at,
                     ByteView id_seed, std::uint64_t* counter) {
  Verdicts verdicts;
  verdicts.allowed = !flows.empty();
  verdicts.held = !flows.empty();
  verdicts.awaits_bridge = true;
  // Nobody reads them but ConsultBridge, which learns from them what a rule that failed had read.
  const bool unread = id_seed.empty() && (state.bundle == nullptr || !state.bundle->reads_bridge());
  const policies::Words words = unread ? policies::Words::kLeftOut : policies::Words::kWritten;
  for (const FlowContext& flow : flows) {
    Judged judged = Judge(state, flow, at, words);
    const policies::FactSet& facts = judged.facts;
    v1::Decision& decision = judged.decision;
    v1::Verdict with_yes = decision.verdict();  // of the organisation's own policy engine
    if (!judged.in_error && state.bundle->reads_bridge()) {
      with_yes = ConsultBridge(state, facts, at, &decision, &verdicts.questions);
    }
    decision.set_id(DeriveId("d", id_seed, counter));
    decision.set_state_size(state.size);
    decision.mutable_flow()->set_label_class(flow.labels.has_value() ? flow.labels->Name() : "");
    verdicts.allowed = verdicts.allowed && decision.verdict() == v1::VERDICT_ALLOW;
    verdicts.held = verdicts.held && with_yes != v1::VERDICT_DENY;
    verdicts.awaits_bridge = verdicts.awaits_bridge && with_yes == v1::VERDICT_ALLOW;
    verdicts.decisions.push_back(std::move(decision));
  }
  verdicts.held = verdicts.held && !verdicts.allowed;
  verdicts.awaits_bridge = verdicts.awaits_bridge && verdicts.held;
  if (!verdicts.allowed && !verdicts.awaits_bridge) {
    verdicts.questions.clear();  // Its yes would not be enough.
  }
  return verdicts;
}

v1::Authorisation ToAuthorisation(const v1::Decision& decision) {
  v1::Authorisation authorisation;
  authorisation.set_decision_id(decision.id());
  *authorisation.mutable_flow() = decision.flow();
  authorisation.set_facts_sha256(decision.facts_sha256());
  *authorisation.mutable_rules() = decision.rules();
  *authorisation.mutable_obligations() = decision.obligations();
  *authorisation.mutable_reservations() = decision.reservations();
  *authorisation.mutable_exceptions() = decision.exceptions();
  for (const v1::Failure& warning : decision.warnings()) {
    authorisation.add_warnings(warning.reason());
  }
  return authorisation;
}

std::string MissingApprovals(const v1::Refusal& refusal) {
  std::set<std::string> missing;
  for (const v1::Decision& decision : refusal.decisions()) {
    for (const v1::Failure& failure : decision.failures()) {
      if (failure.approval_need() > 0) {
        missing.insert(absl::StrCat("approval by ", failure.approval_need(),
                                    failure.approval_need() == 1 ? " person" : " persons", " of ",
                                    absl::StrJoin(failure.approval_from(), ", "), ", given ",
                                    failure.approved_by_size(), " (", failure.reason(), ")"));
      } else if (failure.hold()) {
        missing.insert(absl::StrCat("review of the policy (", failure.reason(), ")"));
      } else if (!decision.bridge().empty()) {
        missing.insert(absl::StrCat(kBridgeWaitedFor, " (", failure.reason(), ")"));
      }
    }
  }
  return absl::StrJoin(missing, "; ");
}

v1::DecisionBasis Basis(const State& state, absl::Time at) {
  v1::DecisionBasis basis;
  *basis.mutable_at() = ToTimestamp(at);
  basis.set_state_size(state.size);
  basis.set_bundle_sha256(ToString(state.bundle->sha256()));
  basis.set_revision(state.bundle->revision());
  basis.set_evaluator(policies::kEvaluatorVersion);
  return basis;
}

Bytes Derive(ByteView entropy, std::uint64_t* counter, std::size_t size_bytes) {
  CARNET_CHECK(size_bytes <= kDigestBytes);
  crypto::Sha256Stream stream;
  stream.Update(entropy);
  Bytes number(8);
  for (std::size_t i = 0; i < number.size(); ++i) {
    number[i] = static_cast<std::uint8_t>(*counter >> (8 * i));
  }
  ++*counter;
  stream.Update(number);
  const Digest digest = stream.Finish();
  return Bytes(digest.begin(), digest.begin() + static_cast<std::ptrdiff_t>(size_bytes));
}

std::string DeriveId(absl::string_view prefix, ByteView entropy, std::uint64_t* counter) {
  const Bytes random = Derive(entropy, counter, kIdRandomBytes);
  return MakeId(prefix,
                std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes));
}

}  // namespace carnet::coordinator
