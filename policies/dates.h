// Dates of policies: whole days in a zone that is a fixed distance from UTC, so that a decision
// derives the same way on every machine and with every edition of the time zone database. Pure.
#ifndef CARNET_POLICIES_DATES_H_
#define CARNET_POLICIES_DATES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace carnet::policies {

// 2026-11-21. Error INVALID_ARGUMENT: another form, or no such day.
absl::StatusOr<absl::CivilDay> ParseDate(absl::string_view text);

// 2026-11-21T09:00:00Z. Error INVALID_ARGUMENT.
absl::StatusOr<absl::Time> ParseInstant(absl::string_view text);
// The same, seconds cut.
std::string FormatInstant(absl::Time time);

// `UTC` or a distance from it: +08:00, -03:30. Error INVALID_ARGUMENT.
absl::StatusOr<absl::TimeZone> ParseZone(absl::string_view text);

inline absl::Time StartOf(absl::CivilDay day, absl::TimeZone zone) {
  return absl::FromCivil(day, zone);
}

// 30d. Error INVALID_ARGUMENT: another form, or more than 3660 days.
absl::StatusOr<int> ParseDays(absl::string_view text);

// 60d or 24h, at most 3660 days. Error INVALID_ARGUMENT.
absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text);
// As ParseSpan reads it: whole days as days, all else as hours.
std::string SpanText(absl::Duration span);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_DATES_H_
