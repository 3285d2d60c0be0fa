// Operations as flows, and their facts. Facts(state, flow) is the only source of facts: an auditor
// who folds the same records gets the same ones. Pure.
#ifndef CARNET_COORDINATOR_CORE_FLOWS_H_
#define CARNET_COORDINATOR_CORE_FLOWS_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/state.h"
#include "policies/facts.h"

namespace carnet::coordinator {

// One flow with everything that its facts are made from.
struct FlowContext {
  v1::Operation operation = v1::OPERATION_UNSPECIFIED;
  v1::ArtifactKind artifact = v1::ARTIFACT_KIND_UNSPECIFIED;
  std::string from;  // jurisdiction
  std::string to;
  std::string from_region = "home";  // whose place `from` is
  std::string to_region;             // whose location evidence counts
  std::string recipient;             // supplier, or the home organisation
  std::string worker_id;             // the worker concerned; empty: none
  std::optional<LabelClass> labels;  // absent: the artifact carries no data labels
  const Job* job = nullptr;          // absent outside jobs
  std::string model_sha256;  // raw, of the model that moves; empty: no model, or one without digest
  // The shards behind the operation, of every class: people count once, whatever their labels.
  ShardVersions versions;
  bool end_to_end_encrypted = false;  // no party at the destination can open it
  // What the flow names and the state does not hold, e.g. "region sg"; empty: nothing. Such a flow
  // has no facts and is denied (core/judge.h).
  std::string lacks = {};
};

// The facts of `flow` at `at`, as policies/facts.h types them. What nobody stated is unknown.
policies::FactSet Facts(const State& state, const FlowContext& flow, absl::Time at);
// Those that `bundle` would be asked with, were it in force: its counters, what approvals its
// exceptions have, and bridge.opa where it reads it. The one above asks the bundle in force.
policies::FactSet Facts(const State& state, const policies::Bundle& bundle, const FlowContext& flow,
                        absl::Time at);

// The flows of one operation: one for each jurisdiction and label class; all must pass.
// Each takes the worker that is the other end of the crossing.
std::vector<FlowContext> PlaceFlows(const State& state, const Job& job, const Worker& worker);
std::vector<FlowContext> SendModelFlows(const State& state, const Job& job, const Worker& worker);
// The key of the model, and the model that it opens.
std::vector<FlowContext> UseKeyFlows(const State& state, const Job& job, const Worker& worker);
std::vector<FlowContext> TrainFlows(const State& state, const Job& job, const Worker& worker,
                                    const std::vector<std::string>& shards);
// A delta carries the labels of what it was trained on: the shards, and all that the base model had
// seen.
std::vector<FlowContext> SendDeltaFlows(const State& state, const Job& job, const Worker& worker,
                                        const std::vector<std::string>& shards);
std::vector<FlowContext> SendMetricsFlows(const State& state, const Job& job, const Worker& worker);
// What a member of a round gives over: its delta, and the metrics in the contribution that names
// it. Decided together, from the opening to the close: neither comes home without the other.
std::vector<FlowContext> UploadFlows(const State& state, const Job& job, const Worker& worker,
                                     const std::vector<std::string>& shards);
std::vector<FlowContext> AggregateFlows(const State& state, const Job& job, const Lineage& lineage);
// `shard_name` ("dataset/shard") is registered. The sealed shard passes through home, which cannot
// open it, and is opened at the other worker's site.
std::vector<FlowContext> StageDataFlows(const State& state, const std::string& shard_name,
                                        const Worker& from, const Worker& to);

// The decisions on all flows of an operation. `id_seed` (32 bytes) and `counter` make the decision
// ids. Empty `id_seed`: for looking ahead only, nothing of it may be recorded; the failures come
// without their words (policies/evaluate.h).
struct Verdicts {
  std::vector<v1::Decision> decisions;
  bool allowed = false;
  // Not allowed, and nothing is missing but persons' approvals or reviews, or the word of the
  // organisation's own policy engine.
  bool held = false;
  // Held, and nothing but that word is missing.
  bool awaits_bridge = false;
  // What it may be asked now (core/bridge.h): where awaits_bridge, or where all is allowed and a
  // yes that this hangs on ends soon.
  std::set<std::string> questions;
};
Verdicts DecideFlows(const State& state, const std::vector<FlowContext>& flows, absl::Time at,
                     ByteView id_seed, std::uint64_t* counter);

// What a record of the allowed operation keeps of a decision.
v1::Authorisation ToAuthorisation(const v1::Decision& decision);
v1::DecisionBasis Basis(const State& state, absl::Time at);

// Of flows that are held: "approval by 2 persons of dpo, legal (p/abroad.sign-off)".
std::string MissingApprovals(const v1::Refusal& refusal);

// Ids and nonces of one command: the n-th is SHA-256(entropy || n), cut to size.
Bytes Derive(ByteView entropy, std::uint64_t* counter, std::size_t size_bytes);
std::string DeriveId(absl::string_view prefix, ByteView entropy, std::uint64_t* counter);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_FLOWS_H_
