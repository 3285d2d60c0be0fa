// The messages' side of base/json.h.
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include "base/json.h"
#include "base/status.h"

namespace carnet {

absl::StatusOr<std::string> MessageToJson(const google::protobuf::Message& message,
                                          bool with_defaults) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = with_defaults;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    return absl::InternalError("json: this message cannot be written");
  }
  return text;
}

absl::Status JsonToMessage(absl::string_view text, google::protobuf::Message* message,
                           std::size_t bytes_max) {
  // protobuf's own parser takes repeated keys and more; ours does not.
  CARNET_RETURN_IF_ERROR(ParseJson(text, bytes_max));
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), message, options);
  if (!parsed.ok()) {
    const auto words = parsed.message();
    return WithOperatorDetail(
        absl::InvalidArgumentError("json: not a message of the expected type"),
        absl::string_view(words.data(), words.size()));
  }
  return absl::OkStatus();
}

}  // namespace carnet
