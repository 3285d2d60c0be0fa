#include "worker/settings.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/data_digest.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kBuiltIn = {"softmax", "mlp"};
constexpr std::size_t kEnvironmentNamesMax = 64;
constexpr std::size_t kTrainersMax = 64;

absl::Status ConfigError(absl::string_view what, absl::string_view detail) {
  return WithOperatorDetail(
      absl::InvalidArgumentError(absl::StrCat("worker configuration: ", what)), detail);
}

bool IsEnvironmentName(absl::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

absl::StatusOr<Trainer> LoadTrainer(const std::string& name, const v1::TrainerConfig& config,
                                    const fs::path& base) {
  CARNET_RETURN_IF_ERROR(ValidateTrainerName(name));
  Trainer trainer;
  trainer.base = base;
  trainer.files.assign(config.files().begin(), config.files().end());
  trainer.environment.assign(config.environment().begin(), config.environment().end());
  if (config.command().empty() || trainer.files.empty()) {
    return ConfigError("a trainer needs `command` and `files`", name);
  }
  if (trainer.environment.size() > kEnvironmentNamesMax ||
      !std::all_of(trainer.environment.begin(), trainer.environment.end(), IsEnvironmentName)) {
    return ConfigError("`environment` lists at most 64 names of variables", name);
  }
  for (const std::string& argument : config.command()) {
    // The trainer runs in a directory of its own, so its files are named by absolute paths.
    const bool is_file =
        std::find(trainer.files.begin(), trainer.files.end(), argument) != trainer.files.end();
    trainer.command.push_back(is_file ? (base / argument).lexically_normal().string() : argument);
  }
  if (!fs::path(trainer.command.front()).is_absolute()) {
    return ConfigError("`command` starts with an absolute path or one of `files`", name);
  }
  return trainer;
}

absl::Status AddData(const std::string& name, const fs::path& path, Settings* settings) {
  CARNET_RETURN_IF_ERROR(ParseShardName(name));
  std::error_code error;
  const fs::path absolute = fs::canonical(path, error);
  if (error) {
    return FileError(error.value(), "find", path);
  }
  if (!settings->data.emplace(name, absolute).second) {
    return ConfigError("a shard is named twice", name);
  }
  if (settings->data.size() > kClaimsMax) {
    return ConfigError("more than 4096 shards", name);
  }
  return absl::OkStatus();
}

absl::Status ApplyConfig(const v1::WorkerConfig& config, const fs::path& base, Settings* settings) {
  if (config.trainers_size() > static_cast<int>(kTrainersMax)) {
    return ConfigError("more than 64 trainers", "trainers");
  }
  for (const auto& entry : config.trainers()) {
    CARNET_ASSIGN_OR_RETURN(settings->trainers[entry.first],
                            LoadTrainer(entry.first, entry.second, base));
  }
  for (const auto& entry : config.data()) {
    CARNET_RETURN_IF_ERROR(AddData(entry.first, base / entry.second, settings));
  }
  if (config.floors().mode() != v1::PRIVACY_MODE_UNSPECIFIED) {
    settings->weakest_mode = config.floors().mode();
  }
  settings->k_min = std::max<std::uint32_t>(config.floors().k(), 1);
  if (config.has_trainer_memory_max()) {
    settings->trainer_memory_bytes_max = config.trainer_memory_max().bytes();
  }
  if (config.has_trainer_disk_max()) {
    settings->trainer_disk_bytes_max = config.trainer_disk_max().bytes();
  }
  if (config.has_fit_deadline_max()) {
    settings->fit_deadline_max = absl::Milliseconds(config.fit_deadline_max().millis());
  }
  if (settings->trainer_memory_bytes_max == 0 || settings->trainer_disk_bytes_max == 0 ||
      settings->fit_deadline_max <= absl::ZeroDuration()) {
    return ConfigError("a limit of 0 lets no trainer run",
                       "trainer_memory_max, trainer_disk_max, fit_deadline_max");
  }
  settings->chip_eccn = config.chip_eccn();
  settings->isolation_off = config.trainer_isolation_off();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ShardName> ParseShardName(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  if (parts.size() != 2 || !ValidateDatasetName(parts[0]).ok() ||
      !ValidateShardName(parts[1]).ok()) {
    return absl::InvalidArgumentError("data: a shard is named DATASET/SHARD");
  }
  return ShardName{parts[0], parts[1]};
}

absl::StatusOr<Settings> LoadSettings(const std::optional<fs::path>& config_path,
                                      const std::vector<std::string>& data,
                                      const fs::path& program) {
  Settings settings;
  for (const char* name : kBuiltIn) {
    settings.trainers[name] = {.command = {program.string(), "trainer", name},
                               .environment = {},
                               .base = {},
                               .files = {},
                               .built_in = true};
  }
  if (config_path.has_value()) {
    CARNET_ASSIGN_OR_RETURN(const auto config, LoadYamlFile<v1::WorkerConfig>(*config_path));
    std::error_code error;
    const fs::path absolute = fs::absolute(*config_path, error);
    CARNET_RETURN_IF_ERROR(ApplyConfig(config, absolute.parent_path(), &settings));
  }
  for (const std::string& argument : data) {
    const std::vector<std::string> parts = absl::StrSplit(argument, absl::MaxSplits('=', 1));
    if (parts.size() != 2 || parts[1].empty()) {
      return WithOperatorDetail(absl::InvalidArgumentError("data: expected DATASET/SHARD=PATH"),
                                argument);
    }
    CARNET_RETURN_IF_ERROR(AddData(parts[0], parts[1], &settings));
  }
  return settings;
}

absl::StatusOr<Digest> TrainerDigest(const Trainer& trainer, const Digest& program_sha256) {
  if (trainer.built_in) {
    return program_sha256;
  }
  return exchange::FilesDigest(trainer.base, trainer.files);
}

absl::StatusOr<std::vector<v1::ShardClaim>> ClaimShards(
    const std::map<std::string, fs::path>& data) {
  std::vector<v1::ShardClaim> claims;
  for (const auto& entry : data) {
    CARNET_ASSIGN_OR_RETURN(const ShardName name, ParseShardName(entry.first));
    CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::PathDigest(entry.second));
    CARNET_ASSIGN_OR_RETURN(const std::uint64_t rows, exchange::CountRows(entry.second));
    v1::ShardClaim claim;
    claim.set_dataset(name.dataset);
    claim.set_shard(name.shard);
    claim.set_sha256(ToString(digest));
    claim.set_rows(rows);
    claims.push_back(std::move(claim));
  }
  return claims;
}

absl::StatusOr<Site> MakeSite(const Settings& settings, const std::vector<v1::ShardClaim>& claims,
                              const Digest& program_sha256) {
  Site site;
  site.weakest_mode = settings.weakest_mode;
  site.k_min = settings.k_min;
  for (const auto& entry : settings.trainers) {
    CARNET_ASSIGN_OR_RETURN(site.trainers[entry.first],
                            TrainerDigest(entry.second, program_sha256));
  }
  for (const v1::ShardClaim& claim : claims) {
    CARNET_ASSIGN_OR_RETURN(site.shards[absl::StrCat(claim.dataset(), "/", claim.shard())],
                            ToDigest(AsBytes(claim.sha256())));
  }
  return site;
}

}  // namespace carnet::worker
