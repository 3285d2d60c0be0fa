// UTF-8 (RFC 3629), strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef CARNET_BASE_UTF8_H_
#define CARNET_BASE_UTF8_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace carnet {

// Takes the first character off `text`. Nothing where `text` is empty or does not start with valid
// UTF-8; `text` is then unchanged.
std::optional<char32_t> TakeCodePoint(absl::string_view& text);

bool IsUtf8(absl::string_view text);

// Characters that a reader does not see, or that change how other text reads: control characters
// but tab, line feed and carriage return; bidirectional marks and overrides; zero-width and other
// invisible characters; the line separators U+0085, U+2028 and U+2029; noncharacters and private
// use.
bool IsDeceptive(char32_t character);

// "U+202E".
std::string CodePointName(char32_t character);

}  // namespace carnet

#endif  // CARNET_BASE_UTF8_H_
