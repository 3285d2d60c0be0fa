// Text in JSON: what all writers and readers of it share.
#ifndef CARNET_BASE_JSON_TEXT_H_
#define CARNET_BASE_JSON_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace carnet {

// Appends `text` in quotes, escaped as RFC 8785 §3.2.2.2 says, which is also how nlohmann::json
// writes it. False: it is not UTF-8; nothing was appended.
bool AppendJsonString(absl::string_view text, std::string* out);

// Takes off the front of `json` the text that AppendJsonString wrote, and appends it to `text`.
// False: it does not begin so (it may still be a string of JSON); both are unspecified then.
bool TakeJsonString(absl::string_view* json, std::string* text);

// Whether a byte of text stands for itself between quotes: ASCII, no control, quote or backslash.
inline bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// How many bytes in front of `text` stand for themselves (IsPlain); eight are looked at at once.
std::size_t PlainChars(absl::string_view text);

// The bytes of canonical base64 (RFC 4648 §4: padding, no stray bits, nothing else). False: it is
// none; `out` is unspecified.
bool DecodeBase64(absl::string_view text, std::string* out);

}  // namespace carnet

#endif  // CARNET_BASE_JSON_TEXT_H_
