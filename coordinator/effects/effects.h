// What the engine starts: the work behind a round that touches files, keys and CPUs. Every effect
// is idempotent, so that a restart may start it again; order everywhere is bytes (fsynced) ->
// record -> effect.
#ifndef CARNET_COORDINATOR_EFFECTS_EFFECTS_H_
#define CARNET_COORDINATOR_EFFECTS_EFFECTS_H_

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "coordinator/blobs/blobs.h"
#include "coordinator/engine/engine.h"
#include "crypto/key_files.h"

namespace carnet::coordinator {

struct EffectsOptions {
  int aggregation_threads = 1;
  std::filesystem::path vault;  // one file a value
  // Asks the organisation's own policy engine about `input` (core/bridge.h) and says what came of
  // it, an error included. Blocks; thread-safe. Null: there is none, and AskBridge is never
  // started.
  std::function<RecordBridgeVerdict(const std::string& input)> ask_bridge = nullptr;
};

// Everything passed in outlives it, and it outlives the engine. Executors run its work; Start
// itself does not block.
class FileEffects final : public Effects {
 public:
  FileEffects(EffectsOptions options, Blobs& blobs, const crypto::KeyFiles& keys, Rng& rng,
              BoundedExecutor& storage, BoundedExecutor& aggregation, BoundedExecutor& bridge);

  void Start(const Effect& effect, const State& state, bool durable, Done done) override;
  void Stop(const std::string& key) override;
  void Discard(const CommandBody& command) override;

 private:
  // The sealed model of a round or evaluation, and the id of its key.
  struct ModelFacts;
  absl::StatusOr<v1::SealedArtifact> SealModel(const ModelFacts& facts);

  void StartPrepareRound(const PrepareRound& effect, const State& state, Done done);
  void StartPrepareEvaluation(const PrepareEvaluation& effect, const State& state, Done done);
  void StartAggregate(const std::string& key, const AggregateRound& effect, const State& state,
                      Done done);
  void StartRetain(const AggregateRound& effect, const std::string& person, const State& state,
                   Done done);
  void StartSweep(const std::string& key, const State& state, bool durable, Done done);
  void StartDestroyKeys(const DestroyKeys& effect, const State& state, bool durable, Done done);
  void StartDestroyValue(const DestroyValue& effect, Done done);
  void StartAskBridge(const AskBridge& effect, Done done);
  void RunOn(BoundedExecutor& executor, Done done,
             absl::AnyInvocable<std::vector<CommandBody>()> work);

  const EffectsOptions options_;
  Blobs& blobs_;
  const crypto::KeyFiles& keys_;
  Rng& rng_;
  BoundedExecutor& storage_;
  BoundedExecutor& aggregation_;
  BoundedExecutor& bridge_;
  Mutex mutex_;
  std::string swept_ CARNET_GUARDED_BY(mutex_);  // name of the newest sweep that was done
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> cancelled_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_EFFECTS_EFFECTS_H_
