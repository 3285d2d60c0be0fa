// The trainer of the current job: started once, kept over its rounds, with a private directory of
// its own.
#ifndef CARNET_WORKER_TRAINER_HOST_H_
#define CARNET_WORKER_TRAINER_HOST_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/rng.h"
#include "model/layout.h"
#include "worker/core/task_check.h"
#include "worker/private_dir.h"
#include "worker/settings.h"
#include "worker/state_dir.h"
#include "worker/trainer.h"

namespace carnet::worker {

// Names inside the private directory.
inline constexpr char kParametersFile[] = "in.safetensors";
inline constexpr char kDeltaFile[] = "out.safetensors";
inline constexpr char kLayoutFile[] = "layout.json";

struct TrainerHostOptions {
  const Settings& settings;
  const StateDir& state;
  const Clock& clock;
  Rng& rng;
  Isolation isolation = Isolation::kNone;
  Digest program_sha256{};
  // What was stated to the coordinator: then a trainer runs in memory-backed directories only.
  bool memory_backed_only = false;
};

// One thread, which must outlive it (worker/isolation.h).
class TrainerHost {
 public:
  explicit TrainerHost(TrainerHostOptions options) : options_(options) {}

  // The private directory for a model of `model_bytes` of this job; what another job left goes
  // first. Errors: RESOURCE_EXHAUSTED no memory-backed room for it. Those of base/files.h.
  absl::StatusOr<std::filesystem::path> Directory(const std::string& job_id,
                                                  std::uint64_t model_bytes);

  // The running trainer of the job whose Directory was asked for; starts it if needed, and only if
  // its digest is still the job's. Errors: those of TrainerProcess::Start; `failure` says what to
  // tell home.
  absl::StatusOr<TrainerProcess*> Process(const CheckedJob& job, const model::Layout& layout,
                                          const CancelFlag& cancel, TrainerFailure* failure);

  absl::Duration fit_deadline_max() const { return options_.settings.fit_deadline_max; }

  // Ends the trainer and removes its directory.
  void End();

 private:
  absl::StatusOr<TrainerLaunch> Launch(const CheckedJob& job, const Trainer& trainer) const;

  const TrainerHostOptions options_;
  std::string job_id_;
  std::optional<PrivateDir> directory_;
  std::unique_ptr<TrainerProcess> process_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_TRAINER_HOST_H_
