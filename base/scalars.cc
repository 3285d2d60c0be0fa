// The scalar forms of base/config_loader.h.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "base/config_loader.h"
#include "base/status.h"

namespace carnet {
namespace {

struct Unit {
  absl::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 9> kByteUnits = {{{"B", 1},
                                             {"KB", 1'000},
                                             {"MB", 1'000'000},
                                             {"GB", 1'000'000'000},
                                             {"TB", 1'000'000'000'000},
                                             {"KiB", 1ULL << 10U},
                                             {"MiB", 1ULL << 20U},
                                             {"GiB", 1ULL << 30U},
                                             {"TiB", 1ULL << 40U}}};

constexpr std::array<Unit, 5> kDurationUnits = {
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

constexpr std::uint64_t kMicros = 1'000'000;
constexpr std::size_t kMoneyDecimalsMax = 6;
constexpr std::size_t kCurrencyChars = 3;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes the digits at the start of `text`; empty where there are none or they start with a needless
// zero.
absl::string_view TakeDigits(absl::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) {
    ++count;
  }
  if (count > 1 && text[0] == '0') {
    return {};
  }
  const absl::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// The product, unless it is larger than `max`.
bool Multiply(std::uint64_t a, std::uint64_t b, std::uint64_t max, std::uint64_t* product) {
  if (b != 0 && a > max / b) {
    return false;
  }
  *product = a * b;
  return true;
}

template <std::size_t N>
bool ParseWithUnit(absl::string_view text, const std::array<Unit, N>& units, bool space,
                   std::uint64_t max, std::uint64_t* value) {
  const absl::string_view digits = TakeDigits(text);
  std::uint64_t number = 0;
  if (digits.empty() || !absl::SimpleAtoi(digits, &number)) {
    return false;
  }
  if (space) {
    if (!absl::StartsWith(text, " ")) {
      return false;
    }
    text.remove_prefix(1);
  }
  for (const Unit& unit : units) {
    if (text == unit.name) {
      return Multiply(number, unit.factor, max, value);
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseByteSize(absl::string_view text) {
  std::uint64_t bytes = 0;
  if (!ParseWithUnit(text, kByteUnits, /*space=*/true, std::numeric_limits<std::uint64_t>::max(),
                     &bytes)) {
    return absl::InvalidArgumentError(
        "a size such as '200 GB': a whole number, a space and B, KB, MB, GB, TB, KiB, MiB, GiB or "
        "TiB");
  }
  return bytes;
}

absl::StatusOr<std::int64_t> ParseDurationMillis(absl::string_view text) {
  std::uint64_t millis = 0;
  if (!ParseWithUnit(text, kDurationUnits, /*space=*/false,
                     static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
                     &millis)) {
    return absl::InvalidArgumentError(
        "a duration such as '10m': a whole number and ms, s, m, h or d, without a space");
  }
  return static_cast<std::int64_t>(millis);
}

absl::StatusOr<MoneyValue> ParseMoney(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "an amount such as '500 EUR' or '2.10 USD': at most six decimals, a space and three "
      "capitals");
  const absl::string_view digits = TakeDigits(text);
  std::uint64_t whole = 0;
  std::uint64_t micros = 0;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (digits.empty() || !absl::SimpleAtoi(digits, &whole) ||
      !Multiply(whole, kMicros, kMax, &micros)) {
    return refused;
  }
  if (absl::StartsWith(text, ".")) {
    text.remove_prefix(1);
    std::uint64_t place = kMicros;
    std::size_t decimals = 0;
    for (; !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) {
      if (++decimals > kMoneyDecimalsMax) {
        return refused;
      }
      place /= 10;
      micros += place * static_cast<std::uint64_t>(text[0] - '0');
    }
    if (decimals == 0 || micros > kMax) {
      return refused;
    }
  }
  if (text.size() != kCurrencyChars + 1 || text[0] != ' ') {
    return refused;
  }
  text.remove_prefix(1);
  for (const char c : text) {
    if (c < 'A' || c > 'Z') {
      return refused;
    }
  }
  return MoneyValue{static_cast<std::int64_t>(micros), std::string(text)};
}

absl::StatusOr<bool> ParseYesNo(absl::string_view text) {
  if (text == "yes" || text == "true") {
    return true;
  }
  if (text == "no" || text == "false") {
    return false;
  }
  return absl::InvalidArgumentError("yes or no");
}

absl::StatusOr<std::uint64_t> ParseUint64(absl::string_view text) {
  std::uint64_t value = 0;
  absl::string_view rest = text;
  const absl::string_view digits = TakeDigits(rest);
  if (digits.empty() || !rest.empty() || !absl::SimpleAtoi(digits, &value)) {
    return absl::InvalidArgumentError("a whole number from 0 to 18446744073709551615");
  }
  return value;
}

absl::StatusOr<std::int64_t> ParseInt64(absl::string_view text) {
  std::int64_t value = 0;
  absl::string_view rest = text;
  const bool negative = absl::StartsWith(rest, "-");
  rest.remove_prefix(negative ? 1 : 0);
  const absl::string_view digits = TakeDigits(rest);
  if (digits.empty() || !rest.empty() || (negative && digits == "0") ||
      !absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(
        "a whole number from -9223372036854775808 to 9223372036854775807");
  }
  return value;
}

absl::StatusOr<double> ParseFiniteDouble(absl::string_view text) {
  double value = 0;
  const bool plain = !text.empty() &&
                     (IsDigit(text[0]) || (text.size() > 1 && text[0] == '-' && IsDigit(text[1])));
  const std::from_chars_result result =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (!plain || result.ec != std::errc() || result.ptr != text.data() + text.size() ||
      !std::isfinite(value)) {
    return absl::InvalidArgumentError("a finite decimal number");
  }
  return value;
}

}  // namespace carnet
