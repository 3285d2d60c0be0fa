// Commands that the organisation's own policy engine is asked about before they are decided.
#include <utility>

#include "coordinator/engine/engine.h"

namespace carnet::coordinator {

// A question that is under way already, of Reconcile or of another command, is not asked twice.
void Engine::AskFirst(Waiting waiting, const std::set<std::string>& questions) {
  if (asking_commands_ >= kAskingMax) {
    waiting.callback(absl::ResourceExhaustedError("too many commands wait: try again later"));
    return;
  }
  ++asking_commands_;
  waiting.asked = true;
  const auto asking = std::make_shared<Asking>(Asking{std::move(waiting), questions.size()});
  for (const std::string& input : questions) {
    asking_[AskKey(input)].push_back(asking);
  }
  for (const std::string& input : questions) {
    const std::string key = AskKey(input);
    const bool failed = failed_effects_.erase(key) > 0;  // and waits for the next tick
    if (failed || running_.effects.count(key) == 0) {
      StartEffect(Effect{key, AskBridge{input}});
    }
  }
}

void Engine::OnAnswered(const std::string& key) {
  const auto found = asking_.find(key);
  if (found == asking_.end()) {
    return;
  }
  const std::vector<std::shared_ptr<Asking>> askers = std::move(found->second);
  asking_.erase(found);
  for (const std::shared_ptr<Asking>& asking : askers) {
    if (--asking->open == 0) {
      --asking_commands_;
      DecideNow(std::move(asking->waiting));
    }
  }
}

}  // namespace carnet::coordinator
