// Bytes and their two text forms. Decoders are strict: they accept exactly what the encoder writes,
// so that one value has one text (RFC 4648 §3.5 asks for it; two texts for one digest would be two
// identities).
#ifndef CARNET_BASE_BYTES_H_
#define CARNET_BASE_BYTES_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline constexpr std::size_t kDigestBytes = 32;
// A SHA-256 digest. Compare with ==; digests are public.
using Digest = std::array<std::uint8_t, kDigestBytes>;

// Protobuf and absl hold bytes as chars; these cross over without a copy.
inline ByteView AsBytes(absl::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline absl::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string ToString(ByteView bytes) {
  return std::string(bytes.begin(), bytes.end());
}
inline Bytes ToBytes(absl::string_view text) {
  return Bytes(text.begin(), text.end());
}

// Lower-case hex, two digits a byte.
std::string HexEncode(ByteView bytes);
// Error INVALID_ARGUMENT: an odd length or any character but 0-9a-f.
absl::StatusOr<Bytes> HexDecode(absl::string_view text);

// RFC 4648 §4, with padding.
std::string Base64Encode(ByteView bytes);
// Error INVALID_ARGUMENT: anything but the canonical text (length, alphabet, padding, trailing
// bits).
absl::StatusOr<Bytes> Base64Decode(absl::string_view text);

// RFC 4648 §5 (URL-safe), without padding.
std::string Base64UrlEncode(ByteView bytes);
absl::StatusOr<Bytes> Base64UrlDecode(absl::string_view text);

// Exactly 32 bytes as a digest. Error INVALID_ARGUMENT: another length.
absl::StatusOr<Digest> ToDigest(ByteView bytes);
// 64 hex digits as a digest. Error INVALID_ARGUMENT: anything else.
absl::StatusOr<Digest> DigestFromHex(absl::string_view text);

}  // namespace carnet

#endif  // CARNET_BASE_BYTES_H_
