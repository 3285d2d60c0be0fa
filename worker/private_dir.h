// A directory for one trainer: parameters, deltas and opened models live there in the clear, so it
// is memory-backed where the machine can, readable by this user alone, and gone when the object is.
#ifndef CARNET_WORKER_PRIVATE_DIR_H_
#define CARNET_WORKER_PRIVATE_DIR_H_

#include <cstdint>
#include <filesystem>

#include "absl/status/statusor.h"
#include "base/rng.h"

namespace carnet::worker {

class PrivateDir {
 public:
  // Below /dev/shm when that is a tmpfs with `bytes_wanted` free, else below `fallback`.
  // Errors: those of base/files.h.
  static absl::StatusOr<PrivateDir> Create(const std::filesystem::path& fallback,
                                           std::uint64_t bytes_wanted, Rng& rng);
  // Removes everything in it.
  ~PrivateDir();
  PrivateDir(PrivateDir&& other) noexcept;
  PrivateDir& operator=(PrivateDir&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool memory_backed() const { return memory_backed_; }

 private:
  PrivateDir(std::filesystem::path path, bool memory_backed)
      : path_(std::move(path)), memory_backed_(memory_backed) {}
  std::filesystem::path path_;
  bool memory_backed_;
};

// Whether Create would give a memory-backed directory now.
bool MemoryBackedAvailable(std::uint64_t bytes_wanted);
// Removes what crashed workers of this user left below /dev/shm: directories of Carnet whose
// process is gone.
void SweepPrivateDirs();

}  // namespace carnet::worker

#endif  // CARNET_WORKER_PRIVATE_DIR_H_
