// Messages as JSON by reflection: what records are written and read with, a hundred times for every
// time that anything else is. The text is proto3 JSON (field names as in the .proto file, fields at
// their default left out) in one form only: no white space, keys sorted by their bytes.
#ifndef CARNET_BASE_MESSAGE_JSON_H_
#define CARNET_BASE_MESSAGE_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace carnet {

// The one form of `message`: what nlohmann::json writes of MessageToJson's text (json.h). Of the
// well-known types only Timestamp is known. Error INTERNAL: text that is not UTF-8, another
// well-known type, nested deeper than kJsonDepthMax.
absl::StatusOr<std::string> MessageToSortedJson(const google::protobuf::Message& message);

// Fills `message`, which must be empty, from parsed proto3 JSON, and takes values only as the
// function above writes them: 64-bit integers as text, enum values by name, bytes in base64 with
// padding, times in UTC; no nulls, no camelCase names. Error INVALID_ARGUMENT naming the field;
// `message` is then unspecified.
absl::Status FillFromJson(const nlohmann::json& value, google::protobuf::Message* message);

// Takes off the front of `text` what MessageToSortedJson wrote of a message of this type, and fills
// `message`, which must be empty. It reads each byte once, many times as fast as the two steps
// above. depth: objects and lists that are open around it; at most kJsonDepthMax of them in all.
// False: `text` does not begin so; `text` and `message` are unspecified. It may still be JSON that
// FillFromJson takes. True: ParseJson and FillFromJson make the same message of what was taken.
bool TakeSortedJson(absl::string_view* text, google::protobuf::Message* message, int depth = 0);

}  // namespace carnet

#endif  // CARNET_BASE_MESSAGE_JSON_H_
