// Sharing a loop out among the machine's cores. For edges: pure code takes it as a parameter.
#ifndef CARNET_BASE_PARALLEL_H_
#define CARNET_BASE_PARALLEL_H_

#include <cstddef>
#include <functional>

namespace carnet {

// Calls work(0) to work(count - 1), each once, on the calling thread and on threads of its own, one
// a core in all, and returns when all have returned. `work` must not throw.
void ParallelForEach(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace carnet

#endif  // CARNET_BASE_PARALLEL_H_
