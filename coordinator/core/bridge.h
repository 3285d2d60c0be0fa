// The word of the organisation's own policy engine (Open Policy Agent) as one more fact of a flow:
// bridge.opa. It is asked with the flow's other facts as its input; its answer is on record before
// it counts, and counts for exactly these facts until it ends. Whoever does not answer has said
// nothing, and nothing said is unknown, which denies. Pure.
#ifndef CARNET_COORDINATOR_CORE_BRIDGE_H_
#define CARNET_COORDINATOR_CORE_BRIDGE_H_

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/state.h"
#include "policies/facts.h"

namespace carnet::coordinator {

inline constexpr char kBridgeOfOpa[] = "opa";
inline constexpr char kBridgeAllowed[] = "allowed";
inline constexpr char kBridgeDenied[] = "denied";
inline constexpr char kBridgeError[] = "error";
// The reason of a no that the engine gave by having no rule for the input.
inline constexpr char kBridgeUndefined[] = "the rule is undefined for this input";

inline constexpr std::size_t kBridgeInputBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kBridgeReasonsMax = 16;
inline constexpr std::size_t kBridgeReasonBytesMax = 256;
inline constexpr std::size_t kBridgeDecisionIdBytesMax = 128;
// How long an answer counts.
inline constexpr absl::Duration kBridgeValidMin = absl::Seconds(10);
inline constexpr absl::Duration kBridgeValidMax = absl::Hours(24);
// After an error it is asked again so much later, twice as late after each further one.
inline constexpr absl::Duration kBridgeRetryFirst = absl::Seconds(30);
inline constexpr absl::Duration kBridgeRetryMax = absl::Minutes(10);

// What a job, or a person, is told to wait for.
inline constexpr char kBridgeWaitedFor[] = "the verdict of the organisation's Open Policy Agent";

// What is asked about a flow with these facts: their canonical JSON, without bridge.opa.
std::string BridgeInput(const policies::FactSet& facts);

// Sets bridge.opa where `bundle` reads it and an answer counts at `at`. The other facts are set
// already.
void SetBridgeFact(const State& state, const policies::Bundle& bundle, absl::Time at,
                   policies::FactSet* facts);

// Whether the question may be asked now: it is not larger than kBridgeInputBytesMax; no answer
// counts, or the one that does ends soon; and the engine did not fail to answer just before.
bool IsBridgeDue(const State& state, const std::string& input, absl::Time at);

// What is known of the engine's word on these facts, in words.
std::string BridgeWords(const State& state, const policies::FactSet& facts, absl::Time at);

// What the engine's word means for `decision`, which was made on these facts under a bundle that
// reads it: the verdict if it said yes now, and in the decision the words on it. Adds to
// `questions` what it may be asked: where the flow lacks nothing else, or where it is allowed by a
// yes that ends soon.
v1::Verdict ConsultBridge(const State& state, const policies::FactSet& facts, absl::Time at,
                          v1::Decision* decision, std::set<std::string>* questions);

// What flows that are to stay allowed need of the engine.
struct BridgeNeed {
  bool waits = false;               // a flow lacks nothing but its word
  std::set<std::string> questions;  // inputs to ask now: of those, and where its yes ends soon
};
BridgeNeed NeedOf(const State& state, const std::vector<FlowContext>& flows, absl::Time at);

// Everything that is decided again when the open round of `job` closes.
std::vector<FlowContext> ClosingFlows(const State& state, const Job& job);
// Everything that may still move before the open round, or evaluation, of `job` ends.
std::vector<FlowContext> MovingFlows(const State& state, const Job& job);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_BRIDGE_H_
