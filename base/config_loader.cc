#include "base/config_loader.h"

#include <google/protobuf/descriptor.h>

#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/files.h"

namespace carnet {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

// PrivacyMode -> PRIVACY_MODE_
std::string EnumPrefix(const EnumDescriptor& type) {
  std::string prefix;
  const std::string& name = type.name();
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && absl::ascii_isupper(static_cast<unsigned char>(name[i])) &&
        !absl::ascii_isupper(static_cast<unsigned char>(name[i - 1]))) {
      prefix.push_back('_');
    }
    prefix.push_back(absl::ascii_toupper(static_cast<unsigned char>(name[i])));
  }
  return prefix + "_";
}

// How the value is written in a file: words joined by hyphens.
std::string EnumWord(const EnumDescriptor& type, const EnumValueDescriptor& value) {
  const std::string prefix = EnumPrefix(type);
  std::string word = value.name();
  if (absl::StartsWith(word, prefix)) {
    word.erase(0, prefix.size());
  }
  absl::AsciiStrToLower(&word);
  return absl::StrReplaceAll(word, {{"_", "-"}});
}

std::string SnakeCase(absl::string_view text) {
  std::string snake;
  for (const char c : text) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) {
      snake.push_back('_');
    }
    snake.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return snake;
}

std::string Hint(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = yaml::DidYouMean(word, candidates);
  return near.empty() ? "" : absl::StrCat(" (did you mean '", near, "'?)");
}

// Sets one value: the field itself, or one more element of a repeated field.
class Target {
 public:
  Target(Message* message, const FieldDescriptor* field) : message_(message), field_(field) {}

  const FieldDescriptor& field() const { return *field_; }

#define CARNET_SETTER(name, type)                                               \
  void Put##name(type value) {                                                  \
    if (field_->is_repeated()) {                                                \
      message_->GetReflection()->Add##name(message_, field_, std::move(value)); \
    } else {                                                                    \
      message_->GetReflection()->Set##name(message_, field_, std::move(value)); \
    }                                                                           \
  }
  CARNET_SETTER(Bool, bool)
  CARNET_SETTER(Int32, std::int32_t)
  CARNET_SETTER(Int64, std::int64_t)
  CARNET_SETTER(UInt32, std::uint32_t)
  CARNET_SETTER(UInt64, std::uint64_t)
  CARNET_SETTER(Float, float)
  CARNET_SETTER(Double, double)
  CARNET_SETTER(String, std::string)
  CARNET_SETTER(EnumValue, int)
#undef CARNET_SETTER

  Message* MakeMessage() {
    return field_->is_repeated() ? message_->GetReflection()->AddMessage(message_, field_)
                                 : message_->GetReflection()->MutableMessage(message_, field_);
  }

 private:
  Message* message_;
  const FieldDescriptor* field_;
};

class Loader {
 public:
  explicit Loader(absl::string_view filename) : filename_(filename) {}

  absl::Status FillMessage(const yaml::Node& node, Message* message) const;

 private:
  absl::Status Error(yaml::Position position, absl::string_view what,
                     absl::string_view expected) const {
    return yaml::ErrorAt(filename_, position, what, expected);
  }
  absl::Status WrongKind(const yaml::Node& node, absl::string_view name,
                         absl::string_view expected) const {
    return Error(node.position, absl::StrCat("'", name, "' is ", yaml::KindName(node.kind)),
                 expected);
  }

  absl::StatusOr<const FieldDescriptor*> FindField(const yaml::Entry& entry,
                                                   const Descriptor& type) const;
  absl::Status FillField(const yaml::Entry& entry, const FieldDescriptor* field,
                         Message* message) const;
  absl::Status FillMap(const yaml::Node& node, const FieldDescriptor* field,
                       Message* message) const;
  absl::Status FillValue(const yaml::Node& node, Target target) const;
  absl::Status FillScalar(const yaml::Node& node, Target target) const;
  absl::Status FillInteger(const yaml::Node& node, Target target) const;
  absl::Status FillNumber(const yaml::Node& node, Target target) const;
  absl::Status FillEnum(const yaml::Node& node, Target target) const;
  absl::Status FillBytes(const yaml::Node& node, Target target) const;
  absl::Status FillSubMessage(const yaml::Node& node, absl::string_view name,
                              Message* message) const;
  // Whether `message` is one of the types that are written as one value; then it is filled.
  absl::StatusOr<bool> FillSpecial(const yaml::Node& node, absl::string_view name,
                                   Message* message) const;
  absl::Status FillOneofWord(const yaml::Node& node, absl::string_view name,
                             Message* message) const;

  const absl::string_view filename_;
};

absl::StatusOr<const FieldDescriptor*> Loader::FindField(const yaml::Entry& entry,
                                                         const Descriptor& type) const {
  if (const FieldDescriptor* field = type.FindFieldByName(entry.key); field != nullptr) {
    return field;
  }
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    names.push_back(type.field(i)->name());
  }
  const std::string snake = SnakeCase(entry.key);
  if (snake != entry.key) {
    return Error(entry.key_position,
                 absl::StrCat("the key '", entry.key.substr(0, 64), "' has capital letters"),
                 absl::StrCat("keys in snake_case", Hint(snake, names)));
  }
  const std::string hint = Hint(entry.key, names);
  return Error(
      entry.key_position, absl::StrCat("unknown key '", entry.key.substr(0, 64), "'", hint),
      names.empty() ? "no keys here" : absl::StrCat("one of ", absl::StrJoin(names, ", ")));
}

absl::Status Loader::FillMessage(const yaml::Node& node, Message* message) const {
  const Descriptor& type = *message->GetDescriptor();
  for (const yaml::Entry& entry : node.entries) {
    CARNET_ASSIGN_OR_RETURN(const FieldDescriptor* field, FindField(entry, type));
    const OneofDescriptor* oneof = field->real_containing_oneof();
    if (oneof != nullptr && message->GetReflection()->HasOneof(*message, oneof)) {
      const FieldDescriptor* first =
          message->GetReflection()->GetOneofFieldDescriptor(*message, oneof);
      return Error(entry.key_position,
                   absl::StrCat("'", field->name(), "' beside '", first->name(), "'"),
                   "only one of the two");
    }
    CARNET_RETURN_IF_ERROR(FillField(entry, field, message));
  }
  return absl::OkStatus();
}

absl::Status Loader::FillField(const yaml::Entry& entry, const FieldDescriptor* field,
                               Message* message) const {
  const yaml::Node& node = entry.value;
  if (field->is_map()) {
    return node.is_map() ? FillMap(node, field, message) : WrongKind(node, field->name(), "a map");
  }
  if (!field->is_repeated()) {
    return FillValue(node, Target(message, field));
  }
  if (!node.is_list()) {
    return WrongKind(node, field->name(), "a list");
  }
  for (const yaml::Node& item : node.items) {
    CARNET_RETURN_IF_ERROR(FillValue(item, Target(message, field)));
  }
  return absl::OkStatus();
}

absl::Status Loader::FillMap(const yaml::Node& node, const FieldDescriptor* field,
                             Message* message) const {
  const FieldDescriptor* key_field = field->message_type()->map_key();
  // yes and true would be two texts of one key, which the check for repeated keys does not see.
  CARNET_CHECK(key_field->cpp_type() != FieldDescriptor::CPPTYPE_BOOL);
  for (const yaml::Entry& entry : node.entries) {
    Message* made = message->GetReflection()->AddMessage(message, field);
    yaml::Node key;
    key.position = entry.key_position;
    key.text = entry.key;
    CARNET_RETURN_IF_ERROR(FillValue(key, Target(made, key_field)));
    CARNET_RETURN_IF_ERROR(
        FillValue(entry.value, Target(made, field->message_type()->map_value())));
  }
  return absl::OkStatus();
}

absl::Status Loader::FillValue(const yaml::Node& node, Target target) const {
  if (target.field().cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return FillSubMessage(node, target.field().name(), target.MakeMessage());
  }
  if (!node.is_scalar()) {
    return WrongKind(node, target.field().name(), "a value");
  }
  return FillScalar(node, target);
}

absl::Status Loader::FillScalar(const yaml::Node& node, Target target) const {
  switch (target.field().cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (target.field().type() == FieldDescriptor::TYPE_BYTES) {
        return FillBytes(node, target);
      }
      target.PutString(node.text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM:
      return FillEnum(node, target);
    default:
      break;
  }
  if (node.quoted) {
    return Error(node.position, absl::StrCat("'", target.field().name(), "' is quoted text"),
                 "a value without quotes");
  }
  if (target.field().cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    const absl::StatusOr<bool> value = ParseYesNo(node.text);
    if (!value.ok()) {
      return Error(node.position, absl::StrCat("'", target.field().name(), "' is neither"),
                   value.status().message());
    }
    target.PutBool(*value);
    return absl::OkStatus();
  }
  return FillNumber(node, target);
}

absl::Status Loader::FillNumber(const yaml::Node& node, Target target) const {
  const FieldDescriptor::CppType type = target.field().cpp_type();
  if (type != FieldDescriptor::CPPTYPE_DOUBLE && type != FieldDescriptor::CPPTYPE_FLOAT) {
    return FillInteger(node, target);
  }
  const absl::StatusOr<double> value = ParseFiniteDouble(node.text);
  const bool fits =
      value.ok() && (type == FieldDescriptor::CPPTYPE_DOUBLE ||
                     (*value <= static_cast<double>(std::numeric_limits<float>::max()) &&
                      *value >= static_cast<double>(std::numeric_limits<float>::lowest())));
  if (!fits) {
    return Error(node.position, absl::StrCat("'", target.field().name(), "' is no such number"),
                 "a finite decimal number");
  }
  if (type == FieldDescriptor::CPPTYPE_DOUBLE) {
    target.PutDouble(*value);
  } else {
    target.PutFloat(static_cast<float>(*value));
  }
  return absl::OkStatus();
}

absl::Status Loader::FillInteger(const yaml::Node& node, Target target) const {
  const auto refused = [&](const auto lowest, const auto highest) {
    return Error(node.position, absl::StrCat("'", target.field().name(), "' is no such number"),
                 absl::StrCat("a whole number from ", lowest, " to ", highest));
  };
  const absl::StatusOr<std::int64_t> with_sign = ParseInt64(node.text);
  const absl::StatusOr<std::uint64_t> without = ParseUint64(node.text);
  switch (target.field().cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      using Limits = std::numeric_limits<std::int32_t>;
      if (!with_sign.ok() || *with_sign < Limits::min() || *with_sign > Limits::max()) {
        return refused(Limits::min(), Limits::max());
      }
      target.PutInt32(static_cast<std::int32_t>(*with_sign));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      using Limits = std::numeric_limits<std::int64_t>;
      if (!with_sign.ok()) {
        return refused(Limits::min(), Limits::max());
      }
      target.PutInt64(*with_sign);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      using Limits = std::numeric_limits<std::uint32_t>;
      if (!without.ok() || *without > Limits::max()) {
        return refused(Limits::min(), Limits::max());
      }
      target.PutUInt32(static_cast<std::uint32_t>(*without));
      return absl::OkStatus();
    }
    default: {
      using Limits = std::numeric_limits<std::uint64_t>;
      CARNET_CHECK(target.field().cpp_type() == FieldDescriptor::CPPTYPE_UINT64);
      if (!without.ok()) {
        return refused(Limits::min(), Limits::max());
      }
      target.PutUInt64(*without);
      return absl::OkStatus();
    }
  }
}

absl::Status Loader::FillEnum(const yaml::Node& node, Target target) const {
  const EnumDescriptor& type = *target.field().enum_type();
  const std::string written = absl::StrReplaceAll(node.text, {{"_", "-"}});
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) {
      continue;
    }
    words.push_back(EnumWord(type, *type.value(i)));
    if (words.back() == written) {
      target.PutEnumValue(type.value(i)->number());
      return absl::OkStatus();
    }
  }
  return Error(node.position,
               absl::StrCat("'", target.field().name(), "' is none of the known words",
                            Hint(written, words)),
               absl::StrCat("one of ", absl::StrJoin(words, ", ")));
}

absl::Status Loader::FillBytes(const yaml::Node& node, Target target) const {
  constexpr absl::string_view kSha256 = "sha256:";
  absl::string_view digits = node.text;
  const bool digest = absl::StartsWith(digits, kSha256);
  digits.remove_prefix(digest ? kSha256.size() : 0);
  const absl::StatusOr<Bytes> bytes = HexDecode(digits);
  if (!bytes.ok() || (digest && bytes->size() != kDigestBytes)) {
    return Error(node.position, absl::StrCat("'", target.field().name(), "' is not hex"),
                 "an even number of the digits 0-9 and a-f, or sha256: and 64 of them");
  }
  target.PutString(ToString(*bytes));
  return absl::OkStatus();
}

absl::Status Loader::FillSubMessage(const yaml::Node& node, absl::string_view name,
                                    Message* message) const {
  CARNET_ASSIGN_OR_RETURN(const bool special, FillSpecial(node, name, message));
  if (special) {
    return absl::OkStatus();
  }
  if (node.is_map()) {
    return FillMessage(node, message);
  }
  if (node.is_scalar() && message->GetDescriptor()->real_oneof_decl_count() == 1) {
    return FillOneofWord(node, name, message);
  }
  return WrongKind(node, name, "a map");
}

absl::StatusOr<bool> Loader::FillSpecial(const yaml::Node& node, absl::string_view name,
                                         Message* message) const {
  const Descriptor& type = *message->GetDescriptor();
  const bool size = type.full_name() == "carnet.v1.ByteSize";
  const bool duration = type.full_name() == "carnet.v1.Duration";
  const bool money = type.full_name() == "carnet.v1.Money";
  if (!size && !duration && !money) {
    return false;
  }
  const auto refused = [&](absl::string_view expected) {
    return Error(node.position, absl::StrCat("'", name, "' is not in the form of its kind"),
                 expected);
  };
  const Reflection& reflection = *message->GetReflection();
  if (size) {
    const auto bytes = ParseByteSize(node.text);
    if (!node.is_scalar() || !bytes.ok()) {
      return refused(ParseByteSize("").status().message());
    }
    reflection.SetUInt64(message, type.FindFieldByName("bytes"), *bytes);
  } else if (duration) {
    const auto millis = ParseDurationMillis(node.text);
    if (!node.is_scalar() || !millis.ok()) {
      return refused(ParseDurationMillis("").status().message());
    }
    reflection.SetInt64(message, type.FindFieldByName("millis"), *millis);
  } else {
    const auto amount = ParseMoney(node.text);
    if (!node.is_scalar() || !amount.ok()) {
      return refused(ParseMoney("").status().message());
    }
    reflection.SetInt64(message, type.FindFieldByName("micros"), amount->micros);
    reflection.SetString(message, type.FindFieldByName("currency"), amount->currency);
  }
  return true;
}

absl::Status Loader::FillOneofWord(const yaml::Node& node, absl::string_view name,
                                   Message* message) const {
  const OneofDescriptor& oneof = *message->GetDescriptor()->oneof_decl(0);
  std::vector<std::string> words;
  for (int i = 0; i < oneof.field_count(); ++i) {
    const FieldDescriptor* field = oneof.field(i);
    const bool empty = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                       field->message_type()->field_count() == 0;
    if (empty && field->name() == node.text) {
      message->GetReflection()->MutableMessage(message, field);
      return absl::OkStatus();
    }
    words.push_back(empty ? field->name() : absl::StrCat("{", field->name(), ": …}"));
  }
  return Error(node.position, absl::StrCat("'", name, "' is none of the known words"),
               absl::StrCat("one of ", absl::StrJoin(words, ", ")));
}

}  // namespace

absl::Status YamlToMessage(const yaml::Node& node, absl::string_view filename,
                           google::protobuf::Message* message) {
  if (!node.is_map()) {
    return yaml::ErrorAt(filename, node.position,
                         absl::StrCat("the file holds ", yaml::KindName(node.kind)), "a map");
  }
  return Loader(filename).FillMessage(node, message);
}

absl::Status LoadYamlInto(absl::string_view text, absl::string_view filename,
                          google::protobuf::Message* message) {
  CARNET_ASSIGN_OR_RETURN(const yaml::Node node, yaml::Parse(text, filename));
  return YamlToMessage(node, filename, message);
}

absl::Status LoadYamlFileInto(const std::filesystem::path& path,
                              google::protobuf::Message* message) {
  CARNET_ASSIGN_OR_RETURN(const Bytes bytes, ReadFile(path, yaml::kTextBytesMax));
  return LoadYamlInto(AsText(bytes), path.string(), message);
}

}  // namespace carnet
