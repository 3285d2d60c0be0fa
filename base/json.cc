#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json_text.h"
#include "base/status.h"
#include "base/utf8.h"

namespace carnet {
namespace {

using nlohmann::json;

// 2^53: up to here every integer is a double of its own (RFC 8785 §3.2.2.3 and I-JSON, RFC 7493
// §2.2).
constexpr std::int64_t kIntegerMax = std::int64_t{1} << 53;

// Builds the value from the events of nlohmann's parser, which stops at the first `false`.
class StrictHandler final : public nlohmann::json_sax<json> {
 public:
  explicit StrictHandler(int depth_max) : depth_max_(depth_max) {}

  json TakeRoot() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return Put(json(nullptr)); }
  bool boolean(bool value) override { return Put(json(value)); }
  bool number_integer(number_integer_t value) override { return Put(json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Put(json(value)); }
  bool number_float(number_float_t value, const string_t& text) override {
    // What has neither point nor exponent is an integer that did not fit.
    if (text.find_first_of(".eE") == string_t::npos && text != "-0") {
      return Fail("an integer outside 64 bits");
    }
    return Put(json(value));
  }
  bool string(string_t& value) override { return Put(json(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return Fail("binary data"); }

  bool start_object(std::size_t /*elements*/) override { return Open(json::object()); }
  bool key(string_t& name) override {
    json& object = *open_.back();
    if (object.contains(name)) {
      return Fail("a repeated key");
    }
    slot_ = &object[name];
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*elements*/) override { return Open(json::array()); }
  bool end_array() override { return Close(); }

  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return Fail(absl::StrCat("not JSON at byte ", position));
  }

 private:
  bool Fail(std::string what) {
    error_ = std::move(what);
    return false;
  }
  // Where the next value goes: the root, the member whose key was read, or the end of the array.
  json* Place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool Put(json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(json value) {
    if (open_.size() >= static_cast<std::size_t>(depth_max_)) {
      return Fail("nested too deep");
    }
    // Pointers stay valid: a container does not move while a deeper one is open.
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const int depth_max_;
  json root_;
  std::vector<json*> open_;
  json* slot_ = nullptr;
  std::string error_;
};

absl::Status Refused(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("json: ", what));
}

// ECMAScript's Number::toString (ECMA-262 §6.1.6.1.20), which RFC 8785 §3.2.2.3 asks for.
std::string NumberText(double value) {
  if (value == 0) {
    return "0";
  }
  std::array<char, 32> buffer{};
  const std::to_chars_result written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value),
                    std::chars_format::scientific);
  CARNET_CHECK(written.ec == std::errc());
  const absl::string_view text(buffer.data(),
                               static_cast<std::size_t>(written.ptr - buffer.data()));
  // d.ddde±xx: the shortest digits that read back as the same double.
  const std::size_t mark = text.find('e');
  std::string digits(1, text[0]);
  if (mark > 2) {
    digits.append(text.substr(2, mark - 2).data(), mark - 2);
  }
  const char* first = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  int exponent = 0;
  CARNET_CHECK(std::from_chars(first, written.ptr, exponent).ec == std::errc());
  const int count = static_cast<int>(digits.size());  // k in the specification
  const int point = exponent + 1;                     // n
  std::string result = value < 0 ? "-" : "";
  if (point > 21 || point < -5) {
    result.push_back(digits[0]);
    if (count > 1) {
      absl::StrAppend(&result, ".", digits.substr(1));
    }
    absl::StrAppend(&result, "e", exponent < 0 ? "-" : "+", std::abs(exponent));
  } else if (point <= 0) {
    absl::StrAppend(&result, "0.", std::string(static_cast<std::size_t>(-point), '0'), digits);
  } else if (point >= count) {
    absl::StrAppend(&result, digits, std::string(static_cast<std::size_t>(point - count), '0'));
  } else {
    absl::StrAppend(&result, digits.substr(0, static_cast<std::size_t>(point)), ".",
                    digits.substr(static_cast<std::size_t>(point)));
  }
  return result;
}

absl::Status AppendString(absl::string_view text, std::string* out) {
  return AppendJsonString(text, out) ? absl::OkStatus() : Refused("text that is not UTF-8");
}

// The key as UTF-16 code units, by which members are sorted (RFC 8785 §3.2.3).
std::u16string Utf16(absl::string_view text) {
  std::u16string units;
  while (const auto character = TakeCodePoint(text)) {
    if (*character < 0x10000) {
      units.push_back(static_cast<char16_t>(*character));
    } else {
      const char32_t rest = *character - 0x10000;
      units.push_back(static_cast<char16_t>(0xD800U + (rest >> 10U)));
      units.push_back(static_cast<char16_t>(0xDC00U + (rest & 0x3FFU)));
    }
  }
  return units;
}

absl::Status AppendNumber(const json& value, std::string* out) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(kIntegerMax)) {
      return Refused("an integer beyond 2^53");
    }
    absl::StrAppend(out, number);
    return absl::OkStatus();
  }
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (number > kIntegerMax || number < -kIntegerMax) {
      return Refused("an integer beyond 2^53");
    }
    absl::StrAppend(out, number);
    return absl::OkStatus();
  }
  const auto number = value.get<double>();
  if (!std::isfinite(number)) {
    return Refused("a number that is not finite");
  }
  out->append(NumberText(number));
  return absl::OkStatus();
}

absl::Status Append(const json& value, int depth, std::string* out);

absl::Status AppendObject(const json& value, int depth, std::string* out) {
  std::vector<std::pair<std::u16string, const std::pair<const std::string, json>*>> members;
  for (const auto& member : value.get_ref<const json::object_t&>()) {
    members.emplace_back(Utf16(member.first), &member);
  }
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  out->push_back('{');
  bool first = true;
  for (const auto& member : members) {
    if (!std::exchange(first, false)) {
      out->push_back(',');
    }
    CARNET_RETURN_IF_ERROR(AppendString(member.second->first, out));
    out->push_back(':');
    CARNET_RETURN_IF_ERROR(Append(member.second->second, depth + 1, out));
  }
  out->push_back('}');
  return absl::OkStatus();
}

absl::Status Append(const json& value, int depth, std::string* out) {
  if (value.is_structured() && depth >= kJsonDepthMax) {
    return Refused("nested too deep");
  }
  switch (value.type()) {
    case json::value_t::null:
      out->append("null");
      return absl::OkStatus();
    case json::value_t::boolean:
      out->append(value.get<bool>() ? "true" : "false");
      return absl::OkStatus();
    case json::value_t::string:
      return AppendString(value.get_ref<const std::string&>(), out);
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return AppendNumber(value, out);
    case json::value_t::object:
      return AppendObject(value, depth, out);
    case json::value_t::array: {
      out->push_back('[');
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) {
          out->push_back(',');
        }
        CARNET_RETURN_IF_ERROR(Append(value[i], depth + 1, out));
      }
      out->push_back(']');
      return absl::OkStatus();
    }
    default:
      return Refused("a value that JSON does not have");
  }
}

}  // namespace

absl::StatusOr<json> ParseJson(absl::string_view text, std::size_t bytes_max, int depth_max) {
  if (text.size() > bytes_max) {
    return Refused(absl::StrCat("more than ", bytes_max, " bytes"));
  }
  // nlohmann's lexer skips a byte order mark and takes NUL for the end of the text.
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) {
    return Refused("a byte order mark");
  }
  if (text.find('\0') != absl::string_view::npos) {
    return Refused("a NUL byte");
  }
  StrictHandler handler(depth_max);
  try {
    if (!json::sax_parse(text.begin(), text.end(), &handler)) {
      return Refused(handler.error());
    }
  } catch (const std::exception&) {
    return Refused("the parser failed");
  }
  return handler.TakeRoot();
}

absl::StatusOr<std::string> CanonicalJson(const json& value) {
  std::string text;
  CARNET_RETURN_IF_ERROR(Append(value, 0, &text));
  return text;
}

}  // namespace carnet
