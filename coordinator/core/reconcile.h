// What should be running, given what is on record. Recovery needs no code of its own: after a start
// nothing runs, and Reconcile starts what the state asks for. Pure.
#ifndef CARNET_COORDINATOR_CORE_RECONCILE_H_
#define CARNET_COORDINATOR_CORE_RECONCILE_H_

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Make the round's keys and the sealed model durable, then command OpenRound.
struct PrepareRound {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
};
// The same for the golden-set evaluation of the job's newest model; then OpenEvaluation.
struct PrepareEvaluation {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
};
// Combine a closed round (after RetainKey, if asked for); then RecordAggregate or StorageFault.
struct AggregateRound {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
};
// Destroy key files whose destruction is ordered; then KeysDestroyed. No keys: sweep files alone.
struct DestroyKeys {
  std::vector<std::string> key_ids;
};
// Destroy a value of the vault whose erasure is ordered; then ValueErased.
struct DestroyValue {
  std::string vault_id;
};
// Ask the organisation's own policy engine; then RecordBridgeVerdict, whatever came of it.
struct AskBridge {
  std::string input;  // core/bridge.h
};
// Nothing outside is needed: decide this now.
struct RunCommand {
  CommandBody body;
};

using EffectBody = std::variant<PrepareRound, PrepareEvaluation, AggregateRound, DestroyKeys,
                                DestroyValue, AskBridge, RunCommand>;

struct Effect {
  std::string key;  // names the effect; one of a name runs at a time
  EffectBody body;
};

// What runs now. Kept in memory only; lost on purpose in a crash.
struct Running {
  LiveWorkers live;
  std::set<std::string> effects;
  std::map<std::string, std::string> failed;  // effect -> why; it is tried again
  bool new_rounds_allowed = true;  // no: the clock is not trusted, or heads are not published
  std::string not_allowed_reason;
  bool bridge = false;        // there is a policy engine that can be asked
  std::string bridge_engine;  // which, as BridgeVerdict.engine_sha256 names it
};

// Names the effect that asks.
std::string AskKey(const std::string& input);

struct Agenda {
  std::vector<Effect> start;
  std::set<std::string> stop;  // keys in `running` that the state no longer asks for
  std::map<std::string, std::string> waiting;  // job -> named reason
  absl::Time wake = absl::InfiniteFuture();    // when to look again though nothing happened
};

Agenda Reconcile(const State& state, const Running& running, absl::Time now);

// Why the job has nothing left to do; empty: it has. One of reasons.h.
std::string EndReason(const Job& job);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_RECONCILE_H_
