// Logs: one JSON object a line on stderr, {"ts", "level", "event", fields…}. `event` is a fixed
// name, so that logs can be counted and searched. Never payloads, keys or a peer's free text; cut
// ids and numbers only.
#ifndef CARNET_BASE_LOG_H_
#define CARNET_BASE_LOG_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// The longest text of a field, in bytes; longer ones are cut and end in "…".
inline constexpr std::size_t kLogTextBytesMax = 1024;

struct LogField {
  using Value = std::variant<std::string, std::int64_t, std::uint64_t, double, bool>;

  LogField(absl::string_view name, absl::string_view text) : key(name), value(std::string(text)) {}
  LogField(absl::string_view name, const char* text) : key(name), value(std::string(text)) {}
  LogField(absl::string_view name, const std::string& text) : key(name), value(text) {}
  LogField(absl::string_view name, bool flag) : key(name), value(flag) {}
  LogField(absl::string_view name, double number) : key(name), value(number) {}
  template <std::signed_integral T>
  LogField(absl::string_view name, T number)
      : key(name), value(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
  LogField(absl::string_view name, T number)
      : key(name), value(static_cast<std::uint64_t>(number)) {}
  // The operator's view of an error: code, message, detail and remedy in one text.
  LogField(absl::string_view name, const absl::Status& status);

  std::string key;
  Value value;
};

// Thread-safe; lines of several threads do not mix. event: [a-z0-9._-], a fixed name.
// The keys ts, level and event are taken. Never fails: what cannot be written is lost.
void Log(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields = {});

// The lowest level written; kInfo at start. Thread-safe.
void SetLogLevel(LogLevel level);
// debug, info, warning or error. Error INVALID_ARGUMENT: anything else.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text);

// Where lines go (without their newline) in place of stderr; null goes back to it. Called under a
// lock, so it must not log. For programs that own the terminal, and for tests.
void SetLogSink(std::function<void(absl::string_view line)> sink);

}  // namespace carnet

#endif  // CARNET_BASE_LOG_H_
