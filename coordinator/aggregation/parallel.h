// Threads for one pass over blocks.
#ifndef CARNET_COORDINATOR_AGGREGATION_PARALLEL_H_
#define CARNET_COORDINATOR_AGGREGATION_PARALLEL_H_

#include <functional>

namespace carnet::aggregation {

inline constexpr int kThreadsMax = 64;

// Calls `work` once on each of `threads` threads, the caller's among them, and returns when all
// calls have. `work` takes its share from a common counter, so when the system gives fewer threads
// the pass is slower and otherwise the same. REQUIRES: 1 <= threads <= kThreadsMax; `work` does not
// throw.
void RunOnThreads(int threads, const std::function<void()>& work);

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_PARALLEL_H_
