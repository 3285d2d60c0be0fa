#include "policies/dates.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace carnet::policies {
namespace {

constexpr int kDaysMax = 3660;
constexpr int kZoneHoursMax = 14;
constexpr int kMinutesPerHour = 60;
constexpr int kSecondsPerMinute = 60;
constexpr int kYearMin = 1970;

// Whether `text` is like `shape`, where 0 stands for any digit.
bool HasShape(absl::string_view text, absl::string_view shape) {
  return text.size() == shape.size() &&
         std::equal(text.begin(), text.end(), shape.begin(), [](char c, char wanted) {
           return wanted == '0' ? absl::ascii_isdigit(static_cast<unsigned char>(c)) : c == wanted;
         });
}

int Number(absl::string_view digits) {
  int number = 0;
  return absl::SimpleAtoi(digits, &number) ? number : -1;
}

}  // namespace

absl::StatusOr<absl::CivilDay> ParseDate(absl::string_view text) {
  if (HasShape(text, "0000-00-00")) {
    const int year = Number(text.substr(0, 4));
    const int month = Number(text.substr(5, 2));
    const int day = Number(text.substr(8, 2));
    const absl::CivilDay date(year, month, day);
    // CivilDay carries what does not fit: 2026-02-30 would become 2026-03-02.
    if (year >= kYearMin && date.month() == month && date.day() == day && date.year() == year) {
      return date;
    }
  }
  return absl::InvalidArgumentError("expected a day such as 2026-11-21");
}

absl::StatusOr<absl::Time> ParseInstant(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (HasShape(text, "0000-00-00T00:00:00Z") && ParseDate(text.substr(0, 10)).ok() &&
      absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return time;
  }
  return absl::InvalidArgumentError("expected a time such as 2026-11-21T09:00:00Z");
}

std::string FormatInstant(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<absl::TimeZone> ParseZone(absl::string_view text) {
  if (text == "UTC") {
    return absl::UTCTimeZone();
  }
  if (HasShape(text, "+00:00") || HasShape(text, "-00:00")) {
    const int hours = Number(text.substr(1, 2));
    const int minutes = Number(text.substr(4, 2));
    if (hours <= kZoneHoursMax && minutes < kMinutesPerHour) {
      const int seconds = (hours * kMinutesPerHour + minutes) * kSecondsPerMinute;
      return absl::FixedTimeZone(text[0] == '-' ? -seconds : seconds);
    }
  }
  return absl::InvalidArgumentError(
      "expected UTC or a fixed distance from it, such as +08:00: names of zones mean other times "
      "with other editions of their database");
}

absl::StatusOr<int> ParseDays(absl::string_view text) {
  const absl::string_view digits = text.substr(0, text.empty() ? 0 : text.size() - 1);
  const bool shaped = !digits.empty() && digits.size() <= 4 && text.back() == 'd' &&
                      std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  const int days = shaped ? Number(digits) : -1;
  if (days < 0 || days > kDaysMax) {
    return absl::InvalidArgumentError("expected a number of days such as 30d");
  }
  return days;
}

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text) {
  constexpr int kHoursPerDay = 24;
  std::string days(text);
  const bool hours = !days.empty() && days.back() == 'h';
  if (hours) {
    days.back() = 'd';
  }
  const absl::StatusOr<int> count = ParseDays(days);
  if (!count.ok()) {
    return absl::InvalidArgumentError("expected a number of days or hours, such as 60d or 24h");
  }
  return absl::Hours(*count) * (hours ? 1 : kHoursPerDay);
}

std::string SpanText(absl::Duration span) {
  constexpr std::int64_t kHoursPerDay = 24;
  const std::int64_t hours = absl::ToInt64Hours(span);
  return hours % kHoursPerDay == 0 ? absl::StrCat(hours / kHoursPerDay, "d")
                                   : absl::StrCat(hours, "h");
}

}  // namespace carnet::policies
