// Whether two processes use one worker's keys at the same time. A worker's process makes an
// instance when it starts, and a restart makes another: the newest one counts. One that was
// superseded and is alive all the same shows that somebody has a copy of the keys. Pure; in memory
// only, like everything that a session knows.
#ifndef CARNET_COORDINATOR_CORE_LIVE_USES_H_
#define CARNET_COORDINATOR_CORE_LIVE_USES_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>

namespace carnet::coordinator {

// Why the worker is revoked then.
inline constexpr char kTwoLiveUses[] = "two-live-uses";
// Superseded instances that are remembered of one worker; the oldest gives way.
inline constexpr std::size_t kSupersededMax = 8;

enum class LiveUse {
  kNewest,      // go on: the only one, or the one that began last
  kSuperseded,  // another one began after it; it may be gone, and this an old message of it
  kTwo,         // it was superseded, and read an answer that was given after that
};

// A message of a process that ended may arrive after the first one of the process that took its
// place: the network holds on to things. So every answer carries the worker's turn, which is new
// whenever an instance supersedes another, and a superseded instance is found out only when it says
// that turn: it is alive, for it read it. A restarted worker is never taken for two.
class LiveUses {
 public:
  struct Heard {
    LiveUse use = LiveUse::kNewest;
    std::string turn;  // for the answer
  };
  // `worker_id` speaks as `instance`, and says the last `turn` that it was given (empty: none, or
  // what it speaks on carries none). `fresh`: random bytes, which become the turn if it is a new
  // instance.
  Heard Hear(const std::string& worker_id, const std::string& instance, const std::string& turn,
             const std::string& fresh);
  // It is revoked: nothing of it counts any more.
  void Forget(const std::string& worker_id) { workers_.erase(worker_id); }

  // Entries: one for each worker that spoke and was not forgotten.
  std::size_t size() const { return workers_.size(); }

 private:
  struct Worker {
    std::string instance;  // the newest
    std::string turn;
    std::deque<std::string> superseded;  // at most kSupersededMax
  };
  std::map<std::string, Worker> workers_;  // by id
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_LIVE_USES_H_
