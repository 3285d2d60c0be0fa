#include "base/utf8.h"

#include <catch2/catch.hpp>

namespace carnet {
namespace {

TEST_CASE("UTF-8: accepts each length at its bounds") {
  // U+007F, U+0080, U+07FF, U+0800, U+D7FF, U+E000, U+FFFF, U+10000, U+10FFFF
  for (const char* good :
       {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(IsUtf8(good));
  }
}

// Markus Kuhn's UTF-8 stress test, sections 3 to 5.
TEST_CASE("UTF-8: refuses overlong forms, surrogates, stray and missing bytes") {
  for (const char* bad :
       {"\x80", "\xBF", "\xC2", "\xE0\xA0", "\xF0\x90\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF",
        "\xE0\x9F\xBF", "\xF0\x80\x80\xAF", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "a\xC3("}) {
    CHECK_FALSE(IsUtf8(bad));
  }
}

TEST_CASE("UTF-8: characters come off one by one") {
  absl::string_view text = "a\xC3\x9F\xF0\x9F\x98\x80\xFF";
  CHECK(TakeCodePoint(text) == U'a');
  CHECK(TakeCodePoint(text) == U'\u00DF');
  CHECK(TakeCodePoint(text) == U'\U0001F600');
  CHECK_FALSE(TakeCodePoint(text).has_value());
  CHECK(text == "\xFF");
}

TEST_CASE("UTF-8: knows the characters that deceive a reader") {
  for (const char32_t bad :
       {U'\0', U'\x1B', U'\x7F', char32_t{0x85}, char32_t{0xAD}, U'\u061C', U'\u200B', U'\u200D',
        U'\u200E', U'\u202A', U'\u202E', U'\u2028', U'\u2060', U'\u2066', U'\u2069', U'\uFEFF',
        U'\U000E0041', U'\U0001FFFE', U'\U00100000'}) {
    CAPTURE(CodePointName(bad));
    CHECK(IsDeceptive(bad));
  }
  for (const char32_t good : {U'\t', U'\n', U'\r', U' ', U'a', U'\u00DF', U'\u0645', U'\u05D0',
                              U'\u4E2D', U'\U0001F600', U'\u2026'}) {
    CAPTURE(CodePointName(good));
    CHECK_FALSE(IsDeceptive(good));
  }
}

}  // namespace
}  // namespace carnet
