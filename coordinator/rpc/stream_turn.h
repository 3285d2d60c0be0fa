// Whose turn it is on a stream that may be ended from outside: gRPC's, while one of its operations
// is outstanding; ours, while work of the reactor runs on an executor or the strand; or nobody's,
// because the stream was stopped. gRPC allows one end, and no operation after it, whoever comes
// first.
#ifndef CARNET_COORDINATOR_RPC_STREAM_TURN_H_
#define CARNET_COORDINATOR_RPC_STREAM_TURN_H_

#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/mutex.h"

namespace carnet::coordinator {

// Begins as ours. Whoever calls Stop calls Cut afterwards: a stopped stream ends with nothing else.
// Thread-safe.
class StreamTurn {
 public:
  enum class Next {
    kStarted,
    kParked,  // stopped: the stream is Cut's
    kEnd,     // cut meanwhile: the caller ends the stream
  };
  // Ours -> gRPC's: runs `start`, which starts one operation, unless the stream was stopped.
  Next Start(absl::FunctionRef<void()> start) CARNET_EXCLUDES(mutex_);
  // The operation is done. True: ours again. False: the reactor does nothing more.
  bool Back() CARNET_EXCLUDES(mutex_);

  // From outside. No operation is started after this.
  void Stop() CARNET_EXCLUDES(mutex_);
  // From outside: the stream ends with `why`, an error. True: the caller ends it. False: work of
  // the reactor is under way, and ends it when it is done; or it has ended.
  bool Cut(absl::Status why) CARNET_EXCLUDES(mutex_);

  // Ours -> ended, once. What to finish the stream with: `status`, or why it was cut. Nothing: it
  // was stopped, and is Cut's; or it has ended.
  std::optional<absl::Status> End(const absl::Status& status) CARNET_EXCLUDES(mutex_);

 private:
  enum class Turn { kOurs, kGrpc, kParked, kEnded };

  Mutex mutex_;
  Turn turn_ CARNET_GUARDED_BY(mutex_) = Turn::kOurs;
  bool stopped_ CARNET_GUARDED_BY(mutex_) = false;
  absl::Status why_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_STREAM_TURN_H_
