// The two walls for JSON: what comes in is parsed strictly and bounded, what is hashed or signed
// goes out in the one canonical form (RFC 8785).
#ifndef CARNET_BASE_JSON_H_
#define CARNET_BASE_JSON_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace carnet {

inline constexpr std::size_t kJsonBytesMax = std::size_t{1} << 20;
inline constexpr int kJsonDepthMax = 32;

// RFC 8259 and no more. Error INVALID_ARGUMENT, with the byte offset where known: more than
// `bytes_max` bytes, nested deeper than `depth_max` (a bare scalar has depth 0), a repeated key,
// bytes after the value, a byte order mark, invalid UTF-8, an integer outside 64 bits, a number
// beyond double.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text,
                                         std::size_t bytes_max = kJsonBytesMax,
                                         int depth_max = kJsonDepthMax);

// RFC 8785 (JSON Canonicalization Scheme): no white space, keys sorted by UTF-16 code units,
// numbers as ECMAScript writes them. Error INVALID_ARGUMENT: an integer beyond ±2^53, a number that
// is not finite, text that is not UTF-8, nested deeper than kJsonDepthMax.
absl::StatusOr<std::string> CanonicalJson(const nlohmann::json& value);

// proto3 JSON with field names as in the .proto file. Fields at their default are left out unless
// `with_defaults`. Error INTERNAL: the message holds text that is not UTF-8.
absl::StatusOr<std::string> MessageToJson(const google::protobuf::Message& message,
                                          bool with_defaults = false);

// Fills `message`, which must be empty, from proto3 JSON that also passes ParseJson. Unknown fields
// and unknown enum values are refused. Error INVALID_ARGUMENT; `message` is then unspecified.
absl::Status JsonToMessage(absl::string_view text, google::protobuf::Message* message,
                           std::size_t bytes_max = kJsonBytesMax);

}  // namespace carnet

#endif  // CARNET_BASE_JSON_H_
