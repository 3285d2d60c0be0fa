#include "base/time_text.h"

#include <array>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace carnet {
namespace {

using google::protobuf::Timestamp;

// "2026-01-02T03:04:05": where its numbers stand, and what is between them.
constexpr absl::string_view kPattern = "dddd-dd-ddTdd:dd:dd";
constexpr std::size_t kNanosDigitsMax = 9;
constexpr std::int64_t kYear1 = -62'135'596'800;  // seconds since 1970 at its begin
constexpr std::int64_t kYear1000 = -30'610'224'000;
constexpr std::int64_t kYear10000 = 253'402'300'800;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

int NumberAt(absl::string_view text, std::size_t first, std::size_t count) {
  int number = 0;
  for (const char c : text.substr(first, count)) {
    number = number * 10 + (c - '0');
  }
  return number;
}

// Whether `text` begins as a time of a year of four digits does.
bool HasPattern(absl::string_view text) {
  if (text.size() <= kPattern.size() || text[0] == '0') {
    return false;
  }
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    if (kPattern[i] == 'd' ? !IsDigit(text[i]) : text[i] != kPattern[i]) {
      return false;
    }
  }
  return true;
}

// What is behind the seconds: "Z", or a point, digits and "Z".
bool ReadNanos(absl::string_view text, std::int32_t* nanos) {
  *nanos = 0;
  if (text == "Z") {
    return true;
  }
  if (text.size() < 3 || text.size() > kNanosDigitsMax + 2 || text.front() != '.' ||
      text.back() != 'Z') {
    return false;
  }
  const absl::string_view digits = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < kNanosDigitsMax; ++i) {
    if (i < digits.size() && !IsDigit(digits[i])) {
      return false;
    }
    *nanos = *nanos * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  return true;
}

void AppendTwo(std::int64_t number, char before, std::string* text) {
  text->push_back(before);
  text->push_back(static_cast<char>('0' + number / 10));
  text->push_back(static_cast<char>('0' + number % 10));
}

// Years of less than four digits, which no record of ours has, in absl's words.
std::string UnusualText(const Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%S", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

bool ReadUnusual(absl::string_view text, Timestamp* time) {
  absl::Time parsed;
  if (!absl::ParseTime(absl::RFC3339_full, text, &parsed, nullptr)) {
    return false;
  }
  const std::int64_t seconds = absl::ToUnixSeconds(parsed);
  time->set_seconds(seconds);
  time->set_nanos(
      static_cast<std::int32_t>(absl::ToInt64Nanoseconds(parsed - absl::FromUnixSeconds(seconds))));
  return true;
}

}  // namespace

bool IsTime(const Timestamp& time) {
  return time.seconds() >= kYear1 && time.seconds() < kYear10000 && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

std::string TimeText(const Timestamp& time) {
  std::string text;
  if (time.seconds() >= kYear1000) {
    const absl::CivilSecond civil = absl::CivilSecond(1970, 1, 1) + time.seconds();
    text.reserve(32);
    AppendTwo(civil.year() / 100, ' ', &text);
    text.erase(0, 1);
    text.push_back(static_cast<char>('0' + civil.year() / 10 % 10));
    text.push_back(static_cast<char>('0' + civil.year() % 10));
    AppendTwo(civil.month(), '-', &text);
    AppendTwo(civil.day(), '-', &text);
    AppendTwo(civil.hour(), 'T', &text);
    AppendTwo(civil.minute(), ':', &text);
    AppendTwo(civil.second(), ':', &text);
  } else {
    text = UnusualText(time);
  }
  const std::int32_t nanos = time.nanos();
  if (nanos != 0 && nanos % 1'000'000 == 0) {
    absl::StrAppendFormat(&text, ".%03d", nanos / 1'000'000);
  } else if (nanos != 0 && nanos % 1000 == 0) {
    absl::StrAppendFormat(&text, ".%06d", nanos / 1000);
  } else if (nanos != 0) {
    absl::StrAppendFormat(&text, ".%09d", nanos);
  }
  text.push_back('Z');
  return text;
}

bool ReadTimeText(absl::string_view text, Timestamp* time) {
  std::int32_t nanos = 0;
  if (HasPattern(text)) {
    const int year = NumberAt(text, 0, 4);
    const int month = NumberAt(text, 5, 2);
    const int day = NumberAt(text, 8, 2);
    const absl::CivilSecond civil(year, month, day, NumberAt(text, 11, 2), NumberAt(text, 14, 2),
                                  NumberAt(text, 17, 2));
    if (!ReadNanos(text.substr(kPattern.size()), &nanos)) {
      return false;
    }
    time->set_seconds(civil - absl::CivilSecond(1970, 1, 1));
    time->set_nanos(nanos);
  } else if (!ReadUnusual(text, time)) {
    return false;
  }
  // Not the 31st of June, nor digits that say nothing.
  return IsTime(*time) && TimeText(*time) == text;
}

}  // namespace carnet
