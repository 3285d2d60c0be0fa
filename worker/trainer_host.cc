#include "worker/trainer_host.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

// Base model, delta, and as much again for what a trainer keeps beside them.
constexpr std::uint64_t kModelCopies = 4;
constexpr std::uint64_t kDirectorySlackBytes = std::uint64_t{16} << 20;

// AddressSanitizer reserves terabytes of address space, which counts as memory.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLimitMemory = false;
#else
constexpr bool kLimitMemory = true;
#endif

}  // namespace

absl::StatusOr<std::filesystem::path> TrainerHost::Directory(const std::string& job_id,
                                                             std::uint64_t model_bytes) {
  if (job_id_ != job_id) {
    End();
  }
  if (!directory_.has_value()) {
    const std::uint64_t wanted = model_bytes * kModelCopies + kDirectorySlackBytes;
    if (options_.memory_backed_only && !MemoryBackedAvailable(wanted)) {
      return WithRemedy(
          absl::ResourceExhaustedError("trainer: no memory-backed room for its directory"),
          "make /dev/shm larger");
    }
    CARNET_ASSIGN_OR_RETURN(PrivateDir directory,
                            PrivateDir::Create(options_.state.trainer(), wanted, options_.rng));
    directory_.emplace(std::move(directory));
    job_id_ = job_id;
  }
  return directory_->path();
}

absl::StatusOr<TrainerLaunch> TrainerHost::Launch(const CheckedJob& job,
                                                  const Trainer& trainer) const {
  TrainerLaunch launch;
  launch.program.command = trainer.command;
  for (const std::string& name : trainer.environment) {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) {
      launch.program.environment.push_back(absl::StrCat(name, "=", value));
    }
  }
  launch.program.working_directory = directory_->path();
  launch.program.isolation = options_.isolation;
  for (const auto& entry : options_.settings.data) {
    launch.program.read_only.push_back(entry.second);
  }
  launch.program.read_only.push_back(options_.state.shards());
  for (const std::string& file : trainer.files) {
    launch.program.read_only.push_back(trainer.base / file);
  }
  launch.program.hidden.push_back(options_.state.keys());
  launch.program.memory_bytes_max = kLimitMemory ? options_.settings.trainer_memory_bytes_max : 0;
  launch.program.file_bytes_max = options_.settings.trainer_disk_bytes_max;
  launch.log = options_.state.trainer_log();
  launch.job_id = job_id_;
  launch.layout = kLayoutFile;
  launch.settings = {job.spec.local().settings().begin(), job.spec.local().settings().end()};
  return launch;
}

absl::StatusOr<TrainerProcess*> TrainerHost::Process(const CheckedJob& job,
                                                     const model::Layout& layout,
                                                     const CancelFlag& cancel,
                                                     TrainerFailure* failure) {
  CARNET_CHECK(directory_.has_value());
  if (process_ != nullptr && process_->running()) {
    return process_.get();
  }
  process_.reset();
  failure->failure = v1::TASK_FAILURE_TRAINER_UNKNOWN;
  const auto trainer = options_.settings.trainers.find(job.spec.trainer().name());
  if (trainer == options_.settings.trainers.end()) {
    return absl::NotFoundError("trainer: not named in the configuration");
  }
  // Read again: its files may have changed since the worker started.
  CARNET_ASSIGN_OR_RETURN(const Digest digest,
                          TrainerDigest(trainer->second, options_.program_sha256));
  if (digest != job.trainer_digest) {
    return absl::FailedPreconditionError("trainer: its files have changed");
  }
  failure->failure = v1::TASK_FAILURE_DISK;
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(directory_->path() / kLayoutFile, AsBytes(layout.ToJson())));
  CARNET_ASSIGN_OR_RETURN(const TrainerLaunch launch, Launch(job, trainer->second));
  CARNET_ASSIGN_OR_RETURN(process_, TrainerProcess::Start(launch, options_.clock, cancel, failure));
  return process_.get();
}

void TrainerHost::End() {
  if (process_ != nullptr) {
    process_->Stop();
    process_.reset();
  }
  directory_.reset();
  job_id_.clear();
}

}  // namespace carnet::worker
