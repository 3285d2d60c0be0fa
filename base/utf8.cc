#include "base/utf8.h"

#include <array>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace carnet {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array<Range, 22> kDeceptive = {{
    {0x00, 0x08},         // C0 controls but tab and line feed
    {0x0B, 0x0C},         //
    {0x0E, 0x1F},         //
    {0x7F, 0x9F},         // delete and C1 controls, next line among them
    {0xAD, 0xAD},         // soft hyphen
    {0x034F, 0x034F},     // combining grapheme joiner
    {0x061C, 0x061C},     // Arabic letter mark
    {0x115F, 0x1160},     // Hangul fillers
    {0x17B4, 0x17B5},     // Khmer inherent vowels
    {0x180B, 0x180F},     // Mongolian selectors
    {0x200B, 0x200F},     // zero-width characters, direction marks
    {0x2028, 0x202E},     // separators, bidirectional embeddings and overrides
    {0x2060, 0x206F},     // joiners, invisible operators, isolates
    {0x3164, 0x3164},     // Hangul filler
    {0xE000, 0xF8FF},     // private use
    {0xFDD0, 0xFDEF},     // noncharacters
    {0xFE00, 0xFE0F},     // variation selectors
    {0xFEFF, 0xFEFF},     // byte order mark
    {0xFFA0, 0xFFA0},     // half-width Hangul filler
    {0xFFF0, 0xFFFB},     // specials
    {0xE0000, 0xE0FFF},   // tags and variation selectors
    {0xF0000, 0x10FFFF},  // private use
}};

// The least character that a sequence of that many bytes may hold.
constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};

}  // namespace

std::optional<char32_t> TakeCodePoint(absl::string_view& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const auto lead = static_cast<std::uint8_t>(text[0]);
  std::size_t length = 1;
  char32_t character = lead;
  if (lead >= 0xF0 && lead < 0xF8) {
    length = 4;
    character = lead & 0x07U;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3;
    character = lead & 0x0FU;
  } else if (lead >= 0xC0 && lead < 0xE0) {
    length = 2;
    character = lead & 0x1FU;
  } else if (lead >= 0x80) {
    return std::nullopt;
  }
  if (text.size() < length) {
    return std::nullopt;
  }
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if ((next & 0xC0U) != 0x80U) {
      return std::nullopt;
    }
    character = (character << 6U) | (next & 0x3FU);
  }
  if (character < kLeast[length] || character > 0x10FFFF ||
      (character >= 0xD800 && character <= 0xDFFF)) {
    return std::nullopt;
  }
  text.remove_prefix(length);
  return character;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    if (!TakeCodePoint(text).has_value()) {
      return false;
    }
  }
  return true;
}

bool IsDeceptive(char32_t character) {
  for (const Range& range : kDeceptive) {
    if (character >= range.first && character <= range.last) {
      return true;
    }
  }
  return (character & 0xFFFEU) == 0xFFFEU;
}

std::string CodePointName(char32_t character) {
  return absl::StrFormat("U+%04X", static_cast<std::uint32_t>(character));
}

}  // namespace carnet
