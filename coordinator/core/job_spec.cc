#include "coordinator/core/job_spec.h"

#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
namespace {

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("job: ", field, ": ", what));
}

absl::Status NotYet(absl::string_view field, absl::string_view what) {
  return absl::UnimplementedError(
      absl::StrCat("job: ", field, ": ", what, " is not in this version"));
}

absl::Status CheckTexts(const v1::JobSpec& spec) {
  if (absl::Status status = ValidateJobName(spec.job()); !status.ok()) {
    return Bad("job", status.message());
  }
  if (spec.purpose().empty() || spec.purpose().size() > kJobTextBytesMax) {
    return Bad("purpose", "say what the model is for, in at most 256 bytes");
  }
  if (spec.tags_size() > kJobTagsMax) {
    return Bad("tags", "at most 64");
  }
  for (const auto& [key, value] : spec.tags()) {
    if (key.empty() || key.size() > kJobTextBytesMax || value.size() > kJobTextBytesMax) {
      return Bad("tags", "names and values have 1 to 256 bytes");
    }
  }
  if (spec.model().file().empty() || spec.model().file().size() > kJobTextBytesMax) {
    return Bad("model.file", "name the safetensors file to start from");
  }
  if (!DigestFromHex(spec.model().sha256()).ok()) {
    return Bad("model.sha256", "64 hex digits; `carnet job submit` fills it in");
  }
  return absl::OkStatus();
}

absl::Status CheckDataName(absl::string_view name, absl::string_view field) {
  const std::size_t slash = name.find('/');
  const absl::string_view dataset = name.substr(0, slash);
  if (slash == absl::string_view::npos || !ValidateDatasetName(dataset).ok()) {
    return Bad(field, "each entry is dataset/shard or dataset/*");
  }
  const absl::string_view shard = name.substr(slash + 1);
  if (shard != "*" && !ValidateShardName(shard).ok()) {
    return Bad(field, "each entry is dataset/shard or dataset/*");
  }
  return absl::OkStatus();
}

absl::Status CheckData(const v1::JobSpec& spec) {
  if (spec.data().empty() || spec.data_size() > kJobDataMax) {
    return Bad("data", "name 1 to 256 registered shards, e.g. digits/*");
  }
  for (const std::string& name : spec.data()) {
    CARNET_RETURN_IF_ERROR(CheckDataName(name, "data"));
  }
  if (absl::Status status = ValidateTrainerName(spec.trainer().name()); !status.ok()) {
    return Bad("trainer.name", status.message());
  }
  const std::string& digest = spec.trainer().digest();
  const bool built_in = spec.trainer().name() == "softmax" || spec.trainer().name() == "mlp";
  if (digest.empty() && !built_in) {
    return Bad("trainer.digest",
               "required for a trainer that is not built in (`carnet trainer digest` prints it)");
  }
  if (!digest.empty() &&
      !(absl::StartsWith(digest, "sha256:") && DigestFromHex(digest.substr(7)).ok())) {
    return Bad("trainer.digest", "sha256: and 64 hex digits");
  }
  if (spec.local().steps() < 1 || spec.local().steps() > kLocalStepsMax) {
    return Bad("local.steps", "1 to 1000000");
  }
  if (spec.local().settings_size() > kJobSettingsMax) {
    return Bad("local.settings", "at most 64");
  }
  for (const auto& [key, value] : spec.local().settings()) {
    if (key.empty() || key.size() > kJobTextBytesMax || value.size() > kJobTextBytesMax) {
      return Bad("local.settings", "names and values have 1 to 256 bytes");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRounds(const v1::RoundsSpec& rounds) {
  if (rounds.count() < 1 || rounds.count() > kRoundsMax) {
    return Bad("rounds.count", "1 to 100000");
  }
  const std::uint32_t min = rounds.cohort().min();
  const std::uint32_t target = rounds.cohort().target();
  if (min < 1 || target < min || target > kCohortMax) {
    return Bad("rounds.cohort", "1 <= min <= target <= 128");
  }
  if (rounds.close().when() != "all") {
    std::uint32_t when = 0;
    if (!absl::SimpleAtoi(rounds.close().when(), &when) || when < min || when > target) {
      return Bad("rounds.close.when", "all, or a number from cohort.min to cohort.target");
    }
  }
  const std::int64_t deadline = rounds.close().deadline().millis();
  if (deadline < kRoundDeadlineMillisMin || deadline > kRoundDeadlineMillisMax) {
    return Bad("rounds.close.deadline", "1s to 7d");
  }
  return absl::OkStatus();
}

absl::Status CheckStrategy(const v1::JobSpec& spec) {
  if (spec.strategy().combine() != "mean") {
    return NotYet("strategy.combine", "anything but mean");
  }
  if (spec.strategy().weights() != "examples" && spec.strategy().weights() != "uniform") {
    return Bad("strategy.weights", "examples or uniform");
  }
  if (spec.strategy().server_optimizer().has_momentum()) {
    const v1::MomentumOptimizer& momentum = spec.strategy().server_optimizer().momentum();
    if (!std::isfinite(momentum.learning_rate()) || momentum.learning_rate() <= 0) {
      return Bad("strategy.server_optimizer.momentum.learning_rate", "more than 0");
    }
    if (!(momentum.momentum() >= 0) || momentum.momentum() >= 1) {
      return Bad("strategy.server_optimizer.momentum.momentum", "0 to below 1");
    }
  }
  if (!std::isfinite(spec.delta().clip()) || spec.delta().clip() < 0) {
    return Bad("delta.clip", "more than 0, or absent");
  }
  if (spec.privacy().mode() != v1::PRIVACY_MODE_TRUSTED) {
    return NotYet("privacy.mode", "anything but trusted");
  }
  if (spec.privacy().has_differential_privacy()) {
    return NotYet("privacy.differential_privacy", "differential privacy");
  }
  return absl::OkStatus();
}

absl::Status CheckMetrics(const v1::JobSpec& spec) {
  if (spec.metrics_size() > kJobMetricsMax) {
    return Bad("metrics", "at most 32");
  }
  std::set<std::string> names;
  for (const std::string& name : spec.metrics()) {
    if (!ValidateJobName(name).ok() || !names.insert(name).second) {
      return Bad("metrics", "names of [a-z0-9-], each once");
    }
  }
  if (spec.has_evaluate()) {
    if (!ValidateDatasetName(spec.evaluate().data()).ok()) {
      return Bad("evaluate.data", "the name of a registered dataset");
    }
    if (spec.evaluate().at() != "home") {
      return NotYet("evaluate.at", "any place but home");
    }
    if (spec.evaluate().every() < 1) {
      return Bad("evaluate.every", "at least 1; `carnet job submit` writes the default");
    }
  }
  if (spec.has_stop()) {
    if (!spec.has_evaluate() || names.count(spec.stop().metric()) == 0) {
      return Bad("stop.metric", "one of `metrics`, in a job that has `evaluate`");
    }
    const bool lower = LowerIsBetter(spec.stop().metric());
    if (!std::isfinite(spec.stop().at_least()) || (lower && spec.stop().at_least() != 0)) {
      return Bad("stop.at_least", lower ? "nothing: a loss has `at_most`" : "a finite number");
    }
    if (!std::isfinite(spec.stop().at_most()) || (!lower && spec.stop().at_most() != 0)) {
      return Bad("stop.at_most", lower ? "a finite number" : "nothing: only a loss has `at_most`");
    }
  }
  if (spec.budget().gpu_hours() > 0 || spec.budget().money().micros() != 0) {
    return NotYet("budget", "a bound on GPU hours or money");
  }
  return absl::OkStatus();
}

}  // namespace

bool LowerIsBetter(absl::string_view metric) {
  return metric == "loss";
}

v1::JobSpec WithDefaults(v1::JobSpec spec) {
  v1::RoundsSpec* rounds = spec.mutable_rounds();
  if (rounds->cohort().target() == 0) {
    rounds->mutable_cohort()->set_target(rounds->cohort().min());
  }
  if (rounds->close().when().empty()) {
    rounds->mutable_close()->set_when("all");
  }
  if (!rounds->close().has_deadline()) {
    rounds->mutable_close()->mutable_deadline()->set_millis(10 * 60 * 1000);
  }
  v1::StrategySpec* strategy = spec.mutable_strategy();
  if (strategy->combine().empty()) {
    strategy->set_combine("mean");
  }
  if (strategy->weights().empty()) {
    strategy->set_weights("examples");
  }
  if (strategy->server_optimizer().optimizer_case() == v1::ServerOptimizerSpec::OPTIMIZER_NOT_SET) {
    strategy->mutable_server_optimizer()->mutable_none();
  }
  if (spec.delta().codec() == v1::CODEC_UNSPECIFIED) {
    spec.mutable_delta()->set_codec(v1::CODEC_FP32);
  }
  if (spec.privacy().mode() == v1::PRIVACY_MODE_UNSPECIFIED) {
    spec.mutable_privacy()->set_mode(v1::PRIVACY_MODE_TRUSTED);
  }
  if (spec.has_evaluate()) {
    if (spec.evaluate().every() == 0) {
      spec.mutable_evaluate()->set_every(1);
    }
    if (spec.evaluate().at().empty()) {
      spec.mutable_evaluate()->set_at("home");
    }
  }
  if (spec.keep().last() == 0) {
    spec.mutable_keep()->set_last(3);
  }
  return spec;
}

absl::Status ValidateJob(const v1::JobSpec& spec) {
  CARNET_RETURN_IF_ERROR(CheckTexts(spec));
  CARNET_RETURN_IF_ERROR(CheckData(spec));
  CARNET_RETURN_IF_ERROR(CheckRounds(spec.rounds()));
  CARNET_RETURN_IF_ERROR(CheckStrategy(spec));
  return CheckMetrics(spec);
}

absl::StatusOr<Digest> JobSpecDigest(const v1::JobSpec& spec) {
  CARNET_ASSIGN_OR_RETURN(const std::string json, MessageToJson(spec));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json parsed, ParseJson(json));
  CARNET_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(parsed));
  return crypto::Sha256(AsBytes(canonical));
}

std::uint32_t CloseCount(const v1::JobSpec& spec, std::uint32_t members) {
  std::uint32_t when = 0;
  if (!absl::SimpleAtoi(spec.rounds().close().when(), &when)) {
    return members;
  }
  return std::min(when, members);
}

}  // namespace carnet::coordinator
