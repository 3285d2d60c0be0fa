// The one form of JSON that MessageToSortedJson writes, read straight into a message. Whatever is
// out of that form is left to ParseJson and FillFromJson.
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <charconv>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/message_fields.h"
#include "base/message_json.h"
#include "base/time_text.h"

namespace carnet {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A double's longest text, and more digits than an integer of JSON may have here.
constexpr std::size_t kNumberCharsMax = 32;
constexpr std::size_t kIntegerCharsMax = 18;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  bool TakeMessage(const MessageFields& type, Message* message, int depth);
  absl::string_view rest() const { return text_; }

 private:
  bool Take(char c) {
    if (text_.empty() || text_.front() != c) {
      return false;
    }
    text_.remove_prefix(1);
    return true;
  }
  bool Take(absl::string_view word) {
    if (!absl::StartsWith(text_, word)) {
      return false;
    }
    text_.remove_prefix(word.size());
    return true;
  }
  // Text without anything that would be escaped.
  bool TakePlain(absl::string_view* text);
  // The characters of a number, at most kNumberCharsMax.
  bool TakeNumber(absl::string_view* number);
  bool TakeDouble(double* value);
  template <typename Integer>
  bool TakeInteger(Integer* value);
  // Of 64 bits: as text.
  template <typename Integer>
  bool TakeQuoted(Integer* value) {
    return Take('"') && TakeInteger(value) && Take('"');
  }

  bool TakeField(const SortedField& field, Message* message, const Reflection& reflection,
                 int depth);
  bool TakeMap(const SortedField& field, Message* message, const Reflection& reflection, int depth);
  bool TakeValue(const FieldShape& shape, const MessageFields* inner, Message* message,
                 const Reflection& reflection, int depth);
  bool TakeScalar(const FieldShape& shape, Message* message, const Reflection& reflection);
  bool TakeString(const FieldShape& shape, Message* message, const Reflection& reflection);

  absl::string_view text_;
};

bool Reader::TakePlain(absl::string_view* text) {
  if (!Take('"')) {
    return false;
  }
  const std::size_t size = PlainChars(text_);
  *text = text_.substr(0, size);
  text_.remove_prefix(size);
  return Take('"');
}

template <typename Integer>
bool Reader::TakeInteger(Integer* value) {
  const char* end = text_.data() + text_.size();
  const std::from_chars_result read = std::from_chars(text_.data(), end, *value);
  if (read.ec != std::errc()) {
    return false;
  }
  absl::string_view digits = text_.substr(0, static_cast<std::size_t>(read.ptr - text_.data()));
  text_.remove_prefix(digits.size());
  // 0, or no zero in front; not -0 either.
  return digits == "0" || (digits.front() != '0' && !absl::StartsWith(digits, "-0"));
}

bool Reader::TakeNumber(absl::string_view* number) {
  std::size_t size = 0;
  while (size < text_.size() && (IsDigit(text_[size]) || text_[size] == '-' || text_[size] == '+' ||
                                 text_[size] == '.' || text_[size] == 'e')) {
    ++size;
  }
  *number = text_.substr(0, size);
  text_.remove_prefix(size);
  return size > 0 && size <= kNumberCharsMax;
}

bool Reader::TakeDouble(double* value) {
  absl::string_view number;
  if (!TakeNumber(&number)) {
    return false;
  }
  // The grammar of RFC 8259 §6 where from_chars takes more: "1.", ".5", "01" and "-.5".
  absl::string_view digits = number;
  if (digits.front() == '-') {
    digits.remove_prefix(1);
  }
  const std::size_t point = digits.find('.');
  if (digits.empty() || !IsDigit(digits.front()) ||
      (digits.size() > 1 && digits[0] == '0' && IsDigit(digits[1])) ||
      (point != absl::string_view::npos &&
       (point + 1 == digits.size() || !IsDigit(digits[point + 1])))) {
    return false;
  }
  // An integer may be beyond 64 bits, and minus zero is one.
  if (number.find_first_of(".e") == absl::string_view::npos &&
      (digits.size() > kIntegerCharsMax || number == "-0")) {
    return false;
  }
  const char* end = number.data() + number.size();
  const std::from_chars_result read = std::from_chars(number.data(), end, *value);
  return read.ec == std::errc() && read.ptr == end;
}

// Adds to a repeated field, else sets.
#define CARNET_PUT(Type, value)                                         \
  (shape.repeated ? reflection.Add##Type(message, shape.field, (value)) \
                  : reflection.Set##Type(message, shape.field, (value)))

bool Reader::TakeScalar(const FieldShape& shape, Message* message, const Reflection& reflection) {
  switch (shape.type) {
    case FieldDescriptor::CPPTYPE_INT32: {
      std::int32_t number = 0;
      return TakeInteger(&number) && (CARNET_PUT(Int32, number), true);
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      std::uint32_t number = 0;
      return TakeInteger(&number) && (CARNET_PUT(UInt32, number), true);
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t number = 0;
      return TakeQuoted(&number) && (CARNET_PUT(Int64, number), true);
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      std::uint64_t number = 0;
      return TakeQuoted(&number) && (CARNET_PUT(UInt64, number), true);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double number = 0;
      return TakeDouble(&number) && (CARNET_PUT(Double, number), true);
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool yes = Take("true");
      return (yes || Take("false")) && (CARNET_PUT(Bool, yes), true);
    }
    default:
      return false;
  }
}

bool Reader::TakeString(const FieldShape& shape, Message* message, const Reflection& reflection) {
  std::string value;
  if (shape.type == FieldDescriptor::CPPTYPE_STRING && !shape.bytes) {
    return TakeJsonString(&text_, &value) && (CARNET_PUT(String, std::move(value)), true);
  }
  absl::string_view text;
  if (!TakePlain(&text)) {
    return false;
  }
  if (shape.bytes) {
    return DecodeBase64(text, &value) && (CARNET_PUT(String, std::move(value)), true);
  }
  const EnumValueDescriptor* named = shape.field->enum_type()->FindValueByName(std::string(text));
  return named != nullptr && (CARNET_PUT(Enum, named), true);
}

#undef CARNET_PUT

bool Reader::TakeValue(const FieldShape& shape, const MessageFields* inner, Message* message,
                       const Reflection& reflection, int depth) {
  switch (shape.type) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return TakeMessage(*inner,
                         shape.repeated ? reflection.AddMessage(message, shape.field)
                                        : reflection.MutableMessage(message, shape.field),
                         depth);
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
      return TakeString(shape, message, reflection);
    default:
      return TakeScalar(shape, message, reflection);
  }
}

bool Reader::TakeMap(const SortedField& map, Message* message, const Reflection& reflection,
                     int depth) {
  if (map.map_key.type != FieldDescriptor::CPPTYPE_STRING || !Take('{')) {
    return false;
  }
  std::string before;
  for (bool first = true; !(first && Take('}')); first = false) {
    std::string key;
    // In order, so that none comes twice.
    if (!TakeJsonString(&text_, &key) || (!first && key <= before) || !Take(':')) {
      return false;
    }
    before = key;
    Message* added = reflection.AddMessage(message, map.shape.field);
    const Reflection& of_entry = *added->GetReflection();
    of_entry.SetString(added, map.map_key.field, std::move(key));
    if (!TakeValue(map.map_value, map.inner, added, of_entry, depth + 1)) {
      return false;
    }
    if (Take('}')) {
      return true;
    }
    if (!Take(',')) {
      return false;
    }
  }
  return true;
}

bool Reader::TakeField(const SortedField& field, Message* message, const Reflection& reflection,
                       int depth) {
  if (field.shape.one_of &&
      reflection.HasOneof(*message, field.shape.field->real_containing_oneof())) {
    return false;
  }
  if (!field.shape.repeated) {
    return TakeValue(field.shape, field.inner, message, reflection, depth);
  }
  if (depth >= kJsonDepthMax) {
    return false;
  }
  if (field.map) {
    return TakeMap(field, message, reflection, depth);
  }
  if (!Take('[')) {
    return false;
  }
  if (Take(']')) {
    return true;
  }
  do {
    if (!TakeValue(field.shape, field.inner, message, reflection, depth + 1)) {
      return false;
    }
  } while (Take(','));
  return Take(']');
}

bool Reader::TakeMessage(const MessageFields& type, Message* message, int depth) {
  if (type.timestamp) {
    absl::string_view text;
    return TakePlain(&text) &&
           ReadTimeText(text, google::protobuf::DynamicCastToGenerated<google::protobuf::Timestamp>(
                                  message));
  }
  if (type.well_known || depth >= kJsonDepthMax || !Take('{')) {
    return false;
  }
  if (Take('}')) {
    return true;
  }
  const Reflection& reflection = *message->GetReflection();
  // In order, so that none comes twice.
  auto field = type.fields.begin();
  do {
    while (field != type.fields.end() && !absl::StartsWith(text_, field->key)) {
      ++field;
    }
    if (field == type.fields.end()) {
      return false;
    }
    text_.remove_prefix(field->key.size());
    if (!TakeField(*field, message, reflection, depth + 1)) {
      return false;
    }
    ++field;
  } while (Take(','));
  return Take('}');
}

}  // namespace

bool TakeSortedJson(absl::string_view* text, Message* message, int depth) {
  const Descriptor* type = message->GetDescriptor();
  if (type->file()->pool() != google::protobuf::DescriptorPool::generated_pool()) {
    return false;
  }
  Reader reader(*text);
  if (!reader.TakeMessage(FieldTables::OfGenerated().Of(type), message, depth)) {
    return false;
  }
  *text = reader.rest();
  return true;
}

}  // namespace carnet
