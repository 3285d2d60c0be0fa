#include "worker/trainers/settings.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/trainers/protocol.h"

namespace carnet::trainers {
namespace {

absl::Status SettingError(const std::string& name, absl::string_view expected) {
  return TrainerError(ErrorCode::kSettings, absl::StrCat(name, ": expected ", expected));
}

absl::Status ReadNumber(const std::string& name, const nlohmann::json& value, double& number) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return SettingError(name, "a finite number");
  }
  number = value.get<double>();
  return absl::OkStatus();
}

absl::Status ReadInteger(const std::string& name, const nlohmann::json& value, std::int64_t max,
                         std::int64_t& integer) {
  double number = -1;
  CARNET_RETURN_IF_ERROR(ReadNumber(name, value, number));
  if (number < 0 || number > static_cast<double>(max) || number != std::floor(number)) {
    return SettingError(name, absl::StrCat("an integer from 0 to ", max));
  }
  integer = static_cast<std::int64_t>(number);
  return absl::OkStatus();
}

absl::Status RequireSize(const std::string& name, const nlohmann::json& value,
                         std::int64_t expected) {
  std::int64_t given = 0;
  CARNET_RETURN_IF_ERROR(ReadInteger(name, value, kNetworkDimensionMax, given));
  if (given != expected) {
    return SettingError(name, absl::StrCat(expected, ", as in the model"));
  }
  return absl::OkStatus();
}

absl::Status ReadSetting(const std::string& name, const nlohmann::json& value, NetworkKind kind,
                         const NetworkShape& shape, Settings& settings) {
  if (name == "learning_rate") {
    return ReadNumber(name, value, settings.learning_rate);
  }
  if (name == "batch_size") {
    return ReadInteger(name, value, kBatchSizeMax, settings.batch_size);
  }
  if (name == "features_scale") {
    return ReadNumber(name, value, settings.features_scale);
  }
  if (name == "features") {
    return RequireSize(name, value, shape.features);
  }
  if (name == "classes") {
    return RequireSize(name, value, shape.classes);
  }
  if (name == "hidden" && kind == NetworkKind::kMlp) {
    return RequireSize(name, value, shape.hidden);
  }
  return TrainerError(ErrorCode::kSettings, absl::StrCat("unknown setting ", name));
}

}  // namespace

absl::StatusOr<Settings> ParseSettings(const nlohmann::json& object, NetworkKind kind,
                                       const NetworkShape& shape) {
  Settings settings;
  for (const auto& item : object.items()) {
    CARNET_RETURN_IF_ERROR(ReadSetting(item.key(), item.value(), kind, shape, settings));
  }
  if (!(settings.learning_rate > 0)) {
    return SettingError("learning_rate", "a number above 0; it is required");
  }
  if (settings.features_scale == 0) {
    return SettingError("features_scale", "a number other than 0");
  }
  return settings;
}

}  // namespace carnet::trainers
