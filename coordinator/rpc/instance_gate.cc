#include "coordinator/rpc/instance_gate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "exchange/instance.h"

namespace carnet::coordinator {
namespace {

// Empty: it is not there, or more than once.
std::string MetadataOf(const grpc::CallbackServerContext& context, const char* name) {
  const auto& all = context.client_metadata();
  return all.count(name) == 1
             ? std::string(all.find(name)->second.data(), all.find(name)->second.size())
             : std::string();
}

absl::Status Revoked() {
  return absl::PermissionDeniedError(absl::StrCat("revoked: ", kTwoLiveUses));
}

}  // namespace

absl::StatusOr<LiveUses::Heard> InstanceGate::Hear(const grpc::CallbackServerContext& context,
                                                   const std::string& worker_id,
                                                   const std::string& turn) {
  const std::string instance = MetadataOf(context, exchange::kInstanceMetadata);
  if (instance.size() != exchange::kInstanceBytes) {
    return absl::InvalidArgumentError(
        "carnet-instance-bin: 16 bytes that the worker's process made at its start");
  }
  const std::string fresh = ToString(RandomBytes(rng_, exchange::kTurnBytes));
  const MutexLock lock(mutex_);
  return uses_.Hear(worker_id, instance, turn, fresh);
}

absl::StatusOr<LiveUse> InstanceGate::Poll(grpc::CallbackServerContext& context,
                                           const std::string& worker_id) {
  const absl::StatusOr<LiveUses::Heard> heard =
      Hear(context, worker_id, MetadataOf(context, exchange::kTurnMetadata));
  if (!heard.ok()) {
    return heard.status();
  }
  context.AddInitialMetadata(exchange::kTurnMetadata, heard->turn);
  return heard->use;
}

absl::Status InstanceGate::Stream(const grpc::CallbackServerContext& context,
                                  const std::string& worker_id) {
  const absl::StatusOr<LiveUses::Heard> heard = Hear(context, worker_id, "");
  if (heard.ok() && heard->use != LiveUse::kNewest) {
    return absl::FailedPreconditionError("another process took this worker's place");
  }
  return heard.status();
}

void InstanceGate::CutOff(const std::string& worker_id, Done done) {
  engine_.Submit(RevokeWorker{"", worker_id, kTwoLiveUses}, "",
                 [this, worker_id, done = std::move(done)](absl::StatusOr<Answer> answer) mutable {
                   // Not found: it has been revoked since.
                   if (!answer.ok() && !absl::IsNotFound(answer.status())) {
                     done(answer.status());
                     return;
                   }
                   if (answer.ok()) {
                     Log(LogLevel::kError, "worker.two-live-uses",
                         {{"worker", worker_id}, {"record", answer->index.value_or(0)}});
                     metrics_.Add(kTwoUsesMetric, {});
                     const MutexLock lock(mutex_);
                     uses_.Forget(worker_id);
                     cut_.insert(worker_id);
                   }
                   done(WithReason(worker_id, absl::PermissionDeniedError("revoked")));
                 });
}

absl::Status InstanceGate::WithReason(const std::string& worker_id, absl::Status status) const {
  const MutexLock lock(mutex_);
  return absl::IsPermissionDenied(status) && cut_.count(worker_id) != 0 ? Revoked()
                                                                        : std::move(status);
}

}  // namespace carnet::coordinator
