// YAML files into protobuf messages, strictly: the message type is the schema, and every difference
// between the two is an error with file, line and column.
//
// Keys are field names as in the .proto file (snake_case). How values are written:
//
// - string: any text; a number, yes or NO is taken as the text it is
// - bool: yes, no, true or false, not in quotes
// - int32 to uint64: decimal, range checked, no plus sign, no leading zeros, not in quotes
// - float, double: a finite decimal number, not in quotes
// - bytes: hex digits, also as sha256:<64 digits>
// - enum: the value's name in lower case without the enum's prefix, words joined by '_' or '-':
//   PRIVACY_MODE_SECAGG_HELPER is secagg-helper; the value numbered 0 cannot be written
// - repeated: a list; map: a map; message: a map
// - oneof: at most one of its members. Where a message holds one oneof, the name of a member that
// has
//   no fields of its own can stand for the whole message: `server_optimizer: none`
// - carnet.v1.ByteSize: `200 GB`, a whole number, a space and B, KB, MB, GB, TB (decimal) or KiB,
// MiB,
//   GiB, TiB (binary)
// - carnet.v1.Duration: `10m`, a whole number and ms, s, m, h or d
// - carnet.v1.Money: `500 EUR` or `2.10 USD`, at most six decimals, a space and three capitals
#ifndef CARNET_BASE_CONFIG_LOADER_H_
#define CARNET_BASE_CONFIG_LOADER_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "base/yaml.h"

namespace carnet {

// Fills `message`, which must be empty, from `node`. On error `message` is unspecified.
// Error INVALID_ARGUMENT: `<filename>:<line>:<column>: what; what was expected`.
absl::Status YamlToMessage(const yaml::Node& node, absl::string_view filename,
                           google::protobuf::Message* message);

absl::Status LoadYamlInto(absl::string_view text, absl::string_view filename,
                          google::protobuf::Message* message);
// The errors of LoadYamlInto and of ReadFile (base/files.h).
absl::Status LoadYamlFileInto(const std::filesystem::path& path,
                              google::protobuf::Message* message);

template <typename Message>
absl::StatusOr<Message> LoadYaml(absl::string_view text, absl::string_view filename) {
  Message message;
  CARNET_RETURN_IF_ERROR(LoadYamlInto(text, filename, &message));
  return message;
}

template <typename Message>
absl::StatusOr<Message> LoadYamlFile(const std::filesystem::path& path) {
  Message message;
  CARNET_RETURN_IF_ERROR(LoadYamlFileInto(path, &message));
  return message;
}

// The special scalar forms, for flags and for trees that are no messages. Error INVALID_ARGUMENT:
// fixed words that say what was expected.
absl::StatusOr<std::uint64_t> ParseByteSize(absl::string_view text);
absl::StatusOr<std::int64_t> ParseDurationMillis(absl::string_view text);
struct MoneyValue {
  std::int64_t micros = 0;
  std::string currency;
};
absl::StatusOr<MoneyValue> ParseMoney(absl::string_view text);
absl::StatusOr<bool> ParseYesNo(absl::string_view text);
absl::StatusOr<std::int64_t> ParseInt64(absl::string_view text);
absl::StatusOr<std::uint64_t> ParseUint64(absl::string_view text);
// Decimal and finite; neither hex, inf nor nan.
absl::StatusOr<double> ParseFiniteDouble(absl::string_view text);

}  // namespace carnet

#endif  // CARNET_BASE_CONFIG_LOADER_H_
