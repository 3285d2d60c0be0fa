// Which process of a worker speaks: every poll and every stream of a task goes through here first.
#ifndef CARNET_COORDINATOR_RPC_INSTANCE_GATE_H_
#define CARNET_COORDINATOR_RPC_INSTANCE_GATE_H_

#include <grpcpp/grpcpp.h>

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "coordinator/core/live_uses.h"
#include "coordinator/engine/engine.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kTwoUsesMetric{MetricKind::kCounter,
                                           "carnet_workers_two_live_uses_total",
                                           "Workers revoked because two processes used their keys.",
                                           {}};

// Thread-safe. Outlives the calls.
class InstanceGate {
 public:
  InstanceGate(Engine& engine, Rng& rng, Metrics& metrics)
      : engine_(engine), rng_(rng), metrics_(metrics) {}

  // A poll of the worker whom the certificate names. Puts the turn into the answer's metadata.
  // Error INVALID_ARGUMENT: the caller does not say which process it is.
  absl::StatusOr<LiveUse> Poll(grpc::CallbackServerContext& context, const std::string& worker_id)
      CARNET_EXCLUDES(mutex_);
  // Its stream. Errors: INVALID_ARGUMENT as above; FAILED_PRECONDITION: another process took its
  // place.
  absl::Status Stream(const grpc::CallbackServerContext& context, const std::string& worker_id)
      CARNET_EXCLUDES(mutex_);

  // Revokes a worker of which Poll said kTwo, and calls `done`, on the strand, when that is on
  // record: PERMISSION_DENIED, for the process that asked; or UNAVAILABLE, RESOURCE_EXHAUSTED.
  using Done = absl::AnyInvocable<void(absl::Status status)>;
  void CutOff(const std::string& worker_id, Done done) CARNET_EXCLUDES(mutex_);
  // `status`, which a poll of the worker ends with; names the reason of a revocation by CutOff.
  absl::Status WithReason(const std::string& worker_id, absl::Status status) const
      CARNET_EXCLUDES(mutex_);

 private:
  absl::StatusOr<LiveUses::Heard> Hear(const grpc::CallbackServerContext& context,
                                       const std::string& worker_id, const std::string& turn)
      CARNET_EXCLUDES(mutex_);

  Engine& engine_;
  Rng& rng_;
  Metrics& metrics_;
  mutable Mutex mutex_;
  LiveUses uses_ CARNET_GUARDED_BY(mutex_);
  // Worker ids; no more than were ever enrolled.
  std::set<std::string> cut_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_INSTANCE_GATE_H_
