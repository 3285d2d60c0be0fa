#include "coordinator/rpc/stream_turn.h"

#include <utility>

#include "base/status.h"

namespace carnet::coordinator {

StreamTurn::Next StreamTurn::Start(absl::FunctionRef<void()> start) {
  const MutexLock lock(mutex_);
  if (!stopped_ && turn_ == Turn::kOurs) {
    // Under the lock: an end from outside must not come between. gRPC calls no reaction from here.
    turn_ = Turn::kGrpc;
    start();
    return Next::kStarted;
  }
  if (turn_ == Turn::kOurs && !why_.ok()) {
    return Next::kEnd;
  }
  if (turn_ == Turn::kOurs) {
    turn_ = Turn::kParked;
  }
  return Next::kParked;
}

bool StreamTurn::Back() {
  const MutexLock lock(mutex_);
  if (turn_ != Turn::kGrpc) {
    return false;  // Cut took the turn.
  }
  turn_ = stopped_ ? Turn::kParked : Turn::kOurs;
  return !stopped_;
}

void StreamTurn::Stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
}

bool StreamTurn::Cut(absl::Status why) {
  CARNET_CHECK(!why.ok());
  const MutexLock lock(mutex_);
  stopped_ = true;
  why_ = std::move(why);
  if (turn_ != Turn::kGrpc && turn_ != Turn::kParked) {
    return false;
  }
  turn_ = Turn::kOurs;
  return true;
}

std::optional<absl::Status> StreamTurn::End(const absl::Status& status) {
  const MutexLock lock(mutex_);
  if (turn_ != Turn::kOurs) {
    return std::nullopt;
  }
  if (stopped_ && why_.ok()) {
    turn_ = Turn::kParked;
    return std::nullopt;
  }
  turn_ = Turn::kEnded;
  return stopped_ ? why_ : status;
}

}  // namespace carnet::coordinator
