#include "coordinator/core/live_uses.h"

#include <algorithm>

namespace carnet::coordinator {

LiveUses::Heard LiveUses::Hear(const std::string& worker_id, const std::string& instance,
                               const std::string& turn, const std::string& fresh) {
  const auto [known, first] = workers_.try_emplace(worker_id, Worker{instance, fresh, {}});
  Worker& worker = known->second;
  if (first || worker.instance == instance) {
    return {LiveUse::kNewest, worker.turn};
  }
  if (std::find(worker.superseded.begin(), worker.superseded.end(), instance) !=
      worker.superseded.end()) {
    return {turn == worker.turn ? LiveUse::kTwo : LiveUse::kSuperseded, worker.turn};
  }
  if (worker.superseded.size() == kSupersededMax) {
    worker.superseded.pop_front();
  }
  worker.superseded.push_back(worker.instance);
  worker.instance = instance;
  worker.turn = fresh;
  return {LiveUse::kNewest, worker.turn};
}

}  // namespace carnet::coordinator
