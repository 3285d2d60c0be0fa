#include "policies/counters.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "policies/dates.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"

namespace carnet::policies {
namespace {

// A year that 29 February is not in: a window must begin in every year.
constexpr char kCommonYear[] = "2001-";

absl::Status NoWindow() {
  return absl::InvalidArgumentError(
      "expected 30d (the last 30 days), 01-01 (since that day of the year) or 2026-01-01 (since "
      "that day), with a distance from UTC if need be: 01-01+08:00");
}

absl::TimeZone ZoneOf(const CounterWindow& window) {
  const absl::StatusOr<absl::TimeZone> zone = ParseZone(window.zone.empty() ? "UTC" : window.zone);
  CARNET_CHECK(zone.ok());
  return *zone;
}

// The distance from UTC behind `text`, taken off; empty for none and for UTC itself.
absl::StatusOr<std::string> TakeZone(absl::string_view* text) {
  constexpr std::size_t kZoneBytes = 6;
  if (text->size() <= kZoneBytes || (*text)[text->size() - 3] != ':') {
    return std::string();
  }
  const absl::string_view zone = text->substr(text->size() - kZoneBytes);
  CARNET_RETURN_IF_ERROR(ParseZone(zone));
  text->remove_suffix(kZoneBytes);
  return zone.substr(1) == "00:00" ? std::string() : std::string(zone);
}

}  // namespace

std::string CounterWindow::ToString() const {
  switch (kind) {
    case Kind::kSinceDay:
      return absl::StrCat(absl::FormatCivilTime(since), zone);
    case Kind::kSinceDayOfYear:
      return absl::StrCat(absl::FormatCivilTime(since).substr(5), zone);
    case Kind::kLastDays:
      break;
  }
  return days == kCounterDays && zone.empty() ? "" : absl::StrCat(days, "d", zone);
}

std::string Counter::Name() const {
  return absl::StrCat("people.", code, ".", category);
}

std::string Counter::Path() const {
  const std::string behind = window.ToString();
  return behind.empty() ? Name() : absl::StrCat(Name(), std::string(1, kCounterWindowMark), behind);
}

absl::StatusOr<CounterWindow> ParseCounterWindow(absl::string_view text) {
  CounterWindow window;
  CARNET_ASSIGN_OR_RETURN(window.zone, TakeZone(&text));
  if (const absl::StatusOr<int> days = ParseDays(text); days.ok() && *days > 0) {
    window.days = *days;
    return window;
  }
  if (const absl::StatusOr<absl::CivilDay> day = ParseDate(text); day.ok()) {
    window.kind = CounterWindow::Kind::kSinceDay;
    window.since = *day;
    return window;
  }
  const absl::StatusOr<absl::CivilDay> of_year = ParseDate(absl::StrCat(kCommonYear, text));
  if (!of_year.ok()) {
    return NoWindow();
  }
  window.kind = CounterWindow::Kind::kSinceDayOfYear;
  window.since = *of_year;
  return window;
}

absl::StatusOr<Counter> ParseCounter(absl::string_view path) {
  const std::size_t mark = path.find(kCounterWindowMark);
  const std::vector<std::string> parts = absl::StrSplit(path.substr(0, mark), '.');
  const std::vector<std::string>& categories = CounterCategories();
  if (parts.size() != 3 || parts[0] != "people" || !CheckJurisdiction(parts[1]).ok() ||
      std::find(categories.begin(), categories.end(), parts[2]) == categories.end()) {
    return absl::InvalidArgumentError("expected people.<country>.<category>");
  }
  Counter counter{parts[1], parts[2], {}};
  if (mark != absl::string_view::npos) {
    CARNET_ASSIGN_OR_RETURN(counter.window, ParseCounterWindow(path.substr(mark + 1)));
  }
  return counter;
}

std::string CanonicalCounter(absl::string_view path) {
  const absl::StatusOr<Counter> counter = ParseCounter(path);
  CARNET_CHECK(counter.ok());
  return counter->Path();
}

absl::Time WindowStart(const CounterWindow& window, absl::Time at) {
  const absl::TimeZone zone = ZoneOf(window);
  const absl::CivilDay today = absl::ToCivilDay(at, zone);
  switch (window.kind) {
    case CounterWindow::Kind::kSinceDay:
      return StartOf(window.since, zone);
    case CounterWindow::Kind::kSinceDayOfYear: {
      const absl::CivilDay here(today.year(), window.since.month(), window.since.day());
      return StartOf(here <= today ? here
                                   : absl::CivilDay(today.year() - 1, window.since.month(),
                                                    window.since.day()),
                     zone);
    }
    case CounterWindow::Kind::kLastDays:
      break;
  }
  return StartOf(today - window.days, zone);
}

}  // namespace carnet::policies
