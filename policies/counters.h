// Counters of people: `people.<code>.<category>`, and the window that they count in. Pure.
#ifndef CARNET_POLICIES_COUNTERS_H_
#define CARNET_POLICIES_COUNTERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace carnet::policies {

// Stands between a counter's name and its window: people.CN.personal@01-01+08:00.
inline constexpr char kCounterWindowMark = '@';
// The window of a counter that names none.
inline constexpr int kCounterDays = 365;

// Since when people count. Days begin at midnight of `zone`.
struct CounterWindow {
  enum class Kind { kLastDays, kSinceDay, kSinceDayOfYear };
  Kind kind = Kind::kLastDays;
  int days = kCounterDays;  // kLastDays: the days before today, and today
  absl::CivilDay since;     // kSinceDay; of kSinceDayOfYear month and day, the newest such day
  std::string zone;         // as ParseZone reads it; empty: UTC

  // As it stands behind the mark; empty: the window of a counter that names none.
  std::string ToString() const;
};

struct Counter {
  std::string code;      // whose people: DE
  std::string category;  // which data about them: health
  CounterWindow window;

  // people.<code>.<category>
  std::string Name() const;
  // With the window, in its one form.
  std::string Path() const;
};

// `30d`, `01-01`, `2026-01-01`, each perhaps with a distance from UTC: `01-01+08:00`. Error
// INVALID_ARGUMENT: another form, no days, a day that not every year has.
absl::StatusOr<CounterWindow> ParseCounterWindow(absl::string_view text);

// Error INVALID_ARGUMENT: another form, no such country or category.
absl::StatusOr<Counter> ParseCounter(absl::string_view path);

// The one form of `path`, which ParseCounter reads.
std::string CanonicalCounter(absl::string_view path);

// The first moment that counts at `at`.
absl::Time WindowStart(const CounterWindow& window, absl::Time at);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_COUNTERS_H_
