#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace carnet {
namespace {

using nlohmann::ordered_json;

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};

Mutex sink_mutex;
// Never freed: threads may log while the process ends.
std::function<void(absl::string_view)>& Sink() CARNET_REQUIRES(sink_mutex) {
  static auto* const sink = new std::function<void(absl::string_view)>();
  return *sink;
}

spdlog::logger& StderrLogger() {
  static auto* const logger = [] {
    auto* made = new spdlog::logger("carnet", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    // A line that cannot be written is lost; the default would print about it.
    made->set_error_handler([](const std::string&) {});
    return made;
  }();
  return *logger;
}

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string Cut(std::string text) {
  if (text.size() > kLogTextBytesMax) {
    text.resize(kLogTextBytesMax);
    text.append("…");
  }
  return text;
}

ordered_json ToJson(const LogField::Value& value) {
  return std::visit(
      [](const auto& held) -> ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return Cut(held);
        } else {
          return held;
        }
      },
      value);
}

std::string Line(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  ordered_json line;
  line["ts"] = FormatTimestamp(SystemClock().Now());
  line["level"] = LevelName(level);
  line["event"] = std::string(event);
  for (const LogField& field : fields) {
    line[field.key] = ToJson(field.value);
  }
  // Bytes that are no UTF-8, and characters that were cut in two, become U+FFFD; other control
  // characters are escaped, so a line stays a line.
  return line.dump(-1, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

}  // namespace

LogField::LogField(absl::string_view name, const absl::Status& status)
    : key(name),
      value(absl::StatusCodeToString(status.code()) +
            (status.ok() ? std::string() : ": " + DescribeForOperator(status))) {}

void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  if (level < lowest_level.load(std::memory_order_relaxed)) {
    return;
  }
  try {
    const std::string line = Line(level, event, fields);
    const MutexLock lock(sink_mutex);
    if (Sink()) {
      Sink()(line);
    } else {
      StderrLogger().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    }
  } catch (const std::exception&) {
    // Out of memory or a closed stderr: nothing better can be said, and logging must not end the
    // process.
    return;
  }
}

void SetLogLevel(LogLevel level) {
  lowest_level.store(level, std::memory_order_relaxed);
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == LevelName(level)) {
      return level;
    }
  }
  return absl::InvalidArgumentError("log level: expected debug, info, warning or error");
}

void SetLogSink(std::function<void(absl::string_view line)> sink) {
  const MutexLock lock(sink_mutex);
  Sink() = std::move(sink);
}

}  // namespace carnet
