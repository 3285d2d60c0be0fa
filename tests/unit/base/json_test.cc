#include "base/json.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace carnet {
namespace {

using nlohmann::json;
using Code = absl::StatusCode;

std::string Nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST_CASE("JSON: reads every kind of value") {
  const auto value =
      ParseJson(R"( {"a": [1, -2, 2.5, true, false, null, "x\u00e9\ud83d\ude00"], "b": {}} )");
  REQUIRE(value.ok());
  CHECK((*value)["a"][0] == 1);
  CHECK((*value)["a"][1] == -2);
  CHECK((*value)["a"][2] == 2.5);
  CHECK((*value)["a"][3] == true);
  CHECK((*value)["a"][5].is_null());
  CHECK((*value)["a"][6] == "x\xC3\xA9\xF0\x9F\x98\x80");
  CHECK((*value)["b"].is_object());
  CHECK(*ParseJson("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK(*ParseJson("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("JSON: whatever is more than RFC 8259, or twice, is refused") {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "}",
                          "[1,]",
                          "{\"a\":1,}",
                          "{a:1}",
                          "{'a':1}",
                          "01",
                          "+1",
                          "1.",
                          ".5",
                          "NaN",
                          "Infinity",
                          "-",
                          "1 2",
                          "{} {}",
                          "[1]x",
                          "nul",
                          "\"\x01\"",
                          "\"\\x\"",
                          "\"\\ud800\"",
                          "\"\\udc00\\ud800\"",
                          "\"\xFF\"",
                          "\"\xC0\xAF\"",
                          "\"\xED\xA0\x80\"",
                          "\xEF\xBB\xBF{}",
                          "/* c */ 1",
                          "// c\n1",
                          "{\"a\":1,\"a\":2}",
                          "{\"a\":{\"b\":1,\"\\u0062\":2}}",
                          "1e999",
                          "18446744073709551616",
                          "-9223372036854775809",
                          "\"unterminated",
                          "[[1]"}) {
    CAPTURE(bad);
    const auto value = ParseJson(bad);
    CHECK(value.status().code() == Code::kInvalidArgument);
    CHECK(value.status().message().substr(0, 6) == "json: ");
    CHECK(value.status().message().size() < 80);
  }
  CHECK_FALSE(ParseJson(absl::string_view("{}\0garbage", 10)).ok());
  CHECK_FALSE(ParseJson(absl::string_view("\"a\0b\"", 5)).ok());
}

TEST_CASE("JSON: the same key in two objects is not a repetition") {
  CHECK(ParseJson(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})").ok());
}

TEST_CASE("JSON: size and depth are limited") {
  CHECK(ParseJson("[1]", 3).ok());
  CHECK(ParseJson("[1] ", 3).status().message() == "json: more than 3 bytes");
  CHECK(ParseJson(Nested(kJsonDepthMax)).ok());
  CHECK(ParseJson(Nested(kJsonDepthMax + 1)).status().message() == "json: nested too deep");
  CHECK(ParseJson(std::string(kJsonBytesMax, '[')).status().message() == "json: nested too deep");
  CHECK(ParseJson("1", 10, 0).ok());
  CHECK_FALSE(ParseJson("[]", 10, 0).ok());
}

// RFC 8785 §3.2.2 and §3.2.3: the example object and its canonical form.
TEST_CASE("Canonical JSON: gives the example of RFC 8785") {
  const auto value = ParseJson(R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  })");
  REQUIRE(value.ok());
  CHECK(*CanonicalJson(*value) ==
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
        "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785 §3.2.3: keys sort by UTF-16 code units, so U+1F600 comes before U+FB33.
TEST_CASE("Canonical JSON: sorts keys by UTF-16 code units") {
  const auto value = ParseJson(
      R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",)"
      R"("1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",)"
      R"("\u00f6":"Latin Small Letter O With Diaeresis"})");
  REQUIRE(value.ok());
  CHECK(*CanonicalJson(*value) ==
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
        "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
        "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
        "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

// RFC 8785 appendix B.
TEST_CASE("Canonical JSON: writes numbers as ECMAScript does") {
  const std::pair<std::uint64_t, const char*> table[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& row : table) {
    CAPTURE(row.second);
    CHECK(*CanonicalJson(json(std::bit_cast<double>(row.first))) == row.second);
  }
}

TEST_CASE("Canonical JSON: refuses what another reader might read otherwise") {
  CHECK(*CanonicalJson(json(std::int64_t{1} << 53)) == "9007199254740992");
  CHECK_FALSE(CanonicalJson(json((std::int64_t{1} << 53) + 1)).ok());
  CHECK_FALSE(CanonicalJson(json(-(std::int64_t{1} << 53) - 1)).ok());
  CHECK_FALSE(CanonicalJson(json(std::numeric_limits<std::uint64_t>::max())).ok());
  CHECK_FALSE(CanonicalJson(json(std::numeric_limits<double>::infinity())).ok());
  CHECK_FALSE(CanonicalJson(json(std::nan(""))).ok());
  CHECK_FALSE(CanonicalJson(json("\xFF")).ok());
  CHECK_FALSE(CanonicalJson(json{{"\xC0\xAF", 1}}).ok());
  json deep = 1;
  for (int i = 0; i <= kJsonDepthMax; ++i) {
    deep = json::array({deep});
  }
  CHECK_FALSE(CanonicalJson(deep).ok());
}

TEST_CASE("Canonical JSON: is a fixed point of parsing") {
  const char* text = R"({"":"","a":[{},[],[[1,"\u0000\u001f\\\""]],-5,0.1]})";
  REQUIRE(ParseJson(text).ok());
  CHECK(*CanonicalJson(*ParseJson(text)) == text);
}

}  // namespace
}  // namespace carnet
