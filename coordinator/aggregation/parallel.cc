#include "coordinator/aggregation/parallel.h"

#include <system_error>
#include <thread>
#include <vector>

#include "base/status.h"

namespace carnet::aggregation {

void RunOnThreads(int threads, const std::function<void()>& work) {
  CARNET_CHECK(threads >= 1 && threads <= kThreadsMax);
  std::vector<std::thread> others;
  others.reserve(static_cast<std::size_t>(threads) - 1);
  try {
    for (int i = 1; i < threads; ++i) {
      others.emplace_back(work);
    }
  } catch (const std::system_error&) {
    // No more threads to be had: those that run, and this one, do the work.
  }
  work();
  for (std::thread& other : others) {
    other.join();
  }
}

}  // namespace carnet::aggregation
