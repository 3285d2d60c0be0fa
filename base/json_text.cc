#include "base/json_text.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"

namespace carnet {
namespace {

// What stands for the character behind a backslash; NUL: nothing that the writer writes.
char Unescaped(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case 'b':
      return '\b';
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'f':
      return '\f';
    case 'r':
      return '\r';
    default:
      return '\0';
  }
}

// One byte in each of the eight places of a word.
constexpr std::uint64_t InEach(unsigned char byte) {
  return 0x0101010101010101 * byte;
}

// The high bit of each byte of `word` that is not plain, and maybe of bytes above the lowest such.
std::uint64_t NotPlain(std::uint64_t word) {
  // The high bit of each byte that is less than `than`, which is at most 128: the subtraction
  // borrows there.
  const auto less = [](std::uint64_t bytes, unsigned char than) {
    return (bytes - InEach(than)) & ~bytes;
  };
  const std::uint64_t controls = less(word, 0x20);
  const std::uint64_t quotes = less(word ^ InEach('"'), 1);
  const std::uint64_t backslashes = less(word ^ InEach('\\'), 1);
  return (word | controls | quotes | backslashes) & InEach(0x80);
}

// What follows a backslash.
bool TakeEscaped(absl::string_view* json, std::string* text) {
  if (json->empty()) {
    return false;
  }
  if (const char plain = Unescaped(json->front()); plain != '\0') {
    text->push_back(plain);
    json->remove_prefix(1);
    return true;
  }
  // \u0000 to \u001f: what else is escaped so is not the writer's.
  constexpr absl::string_view kHex = "0123456789abcdef";
  if (!absl::ConsumePrefix(json, "u00") || json->size() < 2 ||
      ((*json)[0] != '0' && (*json)[0] != '1') || !absl::StrContains(kHex, (*json)[1])) {
    return false;
  }
  text->push_back(
      static_cast<char>(((*json)[0] - '0') * 16 + static_cast<int>(kHex.find((*json)[1]))));
  json->remove_prefix(2);
  return true;
}

}  // namespace

std::size_t PlainChars(absl::string_view text) {
  std::size_t count = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t word = 0; count + sizeof(word) <= text.size(); count += sizeof(word)) {
      std::memcpy(&word, text.data() + count, sizeof(word));
      if (const std::uint64_t found = NotPlain(word); found != 0) {
        return count + static_cast<std::size_t>(std::countr_zero(found)) / 8;
      }
    }
  }
  while (count < text.size() && IsPlain(text[count])) {
    ++count;
  }
  return count;
}

bool AppendJsonString(absl::string_view text, std::string* out) {
  const std::size_t plain = PlainChars(text);
  // Most text is plain to its end.
  if (!IsUtf8(text.substr(plain))) {
    return false;
  }
  out->push_back('"');
  out->append(text.data(), plain);
  for (const char c : text.substr(plain)) {
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\b':
        out->append("\\b");
        break;
      case '\t':
        out->append("\\t");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\f':
        out->append("\\f");
        break;
      case '\r':
        out->append("\\r");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned int>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
  return true;
}

bool TakeJsonString(absl::string_view* json, std::string* text) {
  if (!absl::ConsumePrefix(json, "\"")) {
    return false;
  }
  bool ascii = true;
  while (true) {
    const std::size_t plain = PlainChars(*json);
    text->append(json->data(), plain);
    json->remove_prefix(plain);
    if (absl::ConsumePrefix(json, "\"")) {
      return ascii || IsUtf8(*text);
    }
    if (absl::ConsumePrefix(json, "\\")) {
      if (!TakeEscaped(json, text)) {
        return false;
      }
      continue;
    }
    if (json->empty() || static_cast<unsigned char>(json->front()) < 0x80) {
      return false;  // it does not end, or a control that is not escaped
    }
    ascii = false;
    text->push_back(json->front());
    json->remove_prefix(1);
  }
}

}  // namespace carnet
