// What this site lets its worker do: worker.yaml and the command line, checked and made absolute,
// with the digests that the coordinator is told.
#ifndef CARNET_WORKER_SETTINGS_H_
#define CARNET_WORKER_SETTINGS_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/federation.pb.h"
#include "worker/core/task_check.h"

namespace carnet::worker {

inline constexpr std::uint64_t kTrainerMemoryBytesDefault = std::uint64_t{4} << 30;
inline constexpr std::uint64_t kTrainerDiskBytesDefault = std::uint64_t{8} << 30;
inline constexpr absl::Duration kFitDeadlineDefault = absl::Hours(24);
inline constexpr std::size_t kClaimsMax = 4096;

struct Trainer {
  std::vector<std::string> command;      // absolute program first
  std::vector<std::string> environment;  // names
  std::filesystem::path base;            // the files' folder
  std::vector<std::string> files;        // relative to `base`
  bool built_in = false;
};

struct Settings {
  std::map<std::string, Trainer> trainers;
  std::map<std::string, std::filesystem::path> data;  // dataset/shard -> absolute path
  v1::PrivacyMode weakest_mode = v1::PRIVACY_MODE_TRUSTED;
  std::uint32_t k_min = 1;
  std::uint64_t trainer_memory_bytes_max = kTrainerMemoryBytesDefault;
  std::uint64_t trainer_disk_bytes_max = kTrainerDiskBytesDefault;
  absl::Duration fit_deadline_max = kFitDeadlineDefault;
  std::string chip_eccn;
  bool isolation_off = false;
};

// config_path: worker.yaml; relative paths in it are relative to its folder. data:
// "dataset/shard=PATH", relative to the working directory. program: this binary, for the built-in
// trainers `softmax` and `mlp`. Errors: INVALID_ARGUMENT, naming file and field or the argument.
// Those of base/files.h.
absl::StatusOr<Settings> LoadSettings(const std::optional<std::filesystem::path>& config_path,
                                      const std::vector<std::string>& data,
                                      const std::filesystem::path& program);

// The digest of a trainer now: of its files, or of this binary for a built-in one.
absl::StatusOr<Digest> TrainerDigest(const Trainer& trainer, const Digest& program_sha256);

// "dataset/shard" as two names. Error INVALID_ARGUMENT.
struct ShardName {
  std::string dataset;
  std::string shard;
};
absl::StatusOr<ShardName> ParseShardName(absl::string_view text);

// Hashes and counts every shard. Errors: those of exchange/data_digest.h, with the shard's path.
absl::StatusOr<std::vector<v1::ShardClaim>> ClaimShards(
    const std::map<std::string, std::filesystem::path>& data);

// What the checks of a task need. Error: a trainer's file that cannot be read.
absl::StatusOr<Site> MakeSite(const Settings& settings, const std::vector<v1::ShardClaim>& claims,
                              const Digest& program_sha256);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_SETTINGS_H_
