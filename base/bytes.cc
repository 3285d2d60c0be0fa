#include "base/bytes.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "base/json_text.h"
#include "base/status.h"

namespace carnet {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return -1;
}

// text: two digits for each byte of `out`.
absl::Status DecodeDigits(absl::string_view text, std::span<std::uint8_t> out) {
  int wrong = 0;  // negative once a digit was none
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = HexValue(text[2 * i + 1]);
    wrong |= high | low;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return wrong >= 0 ? absl::OkStatus()
                    : absl::InvalidArgumentError("hex: only the digits 0-9 and a-f are allowed");
}

}  // namespace

std::string HexEncode(ByteView bytes) {
  return absl::BytesToHexString(AsText(bytes));
}

absl::StatusOr<Bytes> HexDecode(absl::string_view text) {
  if (text.size() % 2 != 0) {
    return absl::InvalidArgumentError("hex: odd number of digits");
  }
  Bytes bytes(text.size() / 2);
  CARNET_RETURN_IF_ERROR(DecodeDigits(text, bytes));
  return bytes;
}

std::string Base64Encode(ByteView bytes) {
  return absl::Base64Escape(AsText(bytes));
}

bool DecodeBase64(absl::string_view text, std::string* out) {
  // absl skips white space and accepts missing padding and stray bits. With as many characters as
  // the bytes need, and the padding that they need, there is room for no white space; and the last
  // group, the only one that could have stray bits, has to come back.
  if (!absl::Base64Unescape(text, out) || text.size() != (out->size() + 2) / 3 * 4) {
    return false;
  }
  const std::size_t tail = out->size() % 3;
  return tail == 0 || absl::Base64Escape(absl::string_view(*out).substr(out->size() - tail)) ==
                          text.substr(text.size() - 4);
}

absl::StatusOr<Bytes> Base64Decode(absl::string_view text) {
  std::string decoded;
  if (!DecodeBase64(text, &decoded)) {
    return absl::InvalidArgumentError("base64: not the canonical encoding of any bytes");
  }
  return ToBytes(decoded);
}

std::string Base64UrlEncode(ByteView bytes) {
  return absl::WebSafeBase64Escape(AsText(bytes));
}

absl::StatusOr<Bytes> Base64UrlDecode(absl::string_view text) {
  std::string decoded;
  if (!absl::WebSafeBase64Unescape(text, &decoded) || absl::WebSafeBase64Escape(decoded) != text) {
    return absl::InvalidArgumentError("base64url: not the canonical encoding of any bytes");
  }
  return ToBytes(decoded);
}

absl::StatusOr<Digest> ToDigest(ByteView bytes) {
  if (bytes.size() != kDigestBytes) {
    return absl::InvalidArgumentError("digest: not 32 bytes");
  }
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

absl::StatusOr<Digest> DigestFromHex(absl::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) {
    CARNET_ASSIGN_OR_RETURN(const Bytes bytes, HexDecode(text));
    return ToDigest(bytes);
  }
  CARNET_RETURN_IF_ERROR(DecodeDigits(text, digest));
  return digest;
}

}  // namespace carnet
