#include "base/message_json.h"

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/message_fields.h"
#include "base/status.h"
#include "base/time_text.h"

namespace carnet {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

absl::Status Unwritable(absl::string_view why) {
  return absl::InternalError(absl::StrCat("message: ", why));
}

bool IsTimestamp(const Descriptor* descriptor) {
  return descriptor == google::protobuf::Timestamp::descriptor();
}

// As protobuf writes it, read and written again by nlohmann::json: 100 for 100.0, 0.1 for 0.1.
std::string DoubleText(double value) {
  if (std::isnan(value)) {
    return "\"NaN\"";
  }
  if (std::isinf(value)) {
    return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  }
  // Below this protobuf writes an integer by its digits; minus zero is one too.
  constexpr double kDigitsEnd = 1e15;
  if (std::abs(value) < kDigitsEnd && std::trunc(value) == value) {
    return absl::StrCat(std::signbit(value) && value == 0 ? "-" : "",
                        static_cast<std::int64_t>(value));
  }
  if (std::trunc(value) == value) {
    std::string text = absl::StrFormat("%.15g", value);
    double again = 0;
    if (!absl::SimpleAtod(text, &again) || again != value) {
      text = absl::StrFormat("%.17g", value);
    }
    if (text.find_first_of(".e") == std::string::npos) {
      return text;
    }
  }
  return json(value).dump();
}

// Protobuf takes it for a value that is not the default; read back it would be one.
bool IsNegativeZero(const Message& message, const Reflection& reflection, const FieldShape& shape) {
  return shape.type == FieldDescriptor::CPPTYPE_DOUBLE && !shape.field->has_presence() &&
         reflection.GetDouble(message, shape.field) == 0;
}

class Writer {
 public:
  absl::StatusOr<std::string> Write(const Message& message, const MessageFields& type) {
    out_.reserve(kTextBytes);
    CARNET_RETURN_IF_ERROR(Append(message, type, 0));
    return std::move(out_);
  }

 private:
  // Room for most records.
  static constexpr std::size_t kTextBytes = 2048;

  absl::Status Append(const Message& message, const MessageFields& type, int depth);
  absl::Status AppendField(const Message& message, const Reflection& reflection,
                           const SortedField& field, int depth);
  absl::Status AppendMap(const Message& message, const Reflection& reflection,
                         const SortedField& field, int depth);
  // inner: of a message. index: -1 for a field that is not repeated.
  absl::Status AppendValue(const Message& message, const Reflection& reflection,
                           const FieldShape& shape, const MessageFields* inner, int index,
                           int depth);
  absl::Status AppendText(absl::string_view text) {
    return AppendJsonString(text, &out_) ? absl::OkStatus() : Unwritable("text is not UTF-8");
  }
  void AppendBase64(absl::string_view bytes) {
    absl::Base64Escape(bytes, &base64_);
    out_.push_back('"');
    out_ += base64_;
    out_.push_back('"');
  }

  std::string out_;
  std::string base64_;  // of one value
};

bool IsThere(const Message& message, const Reflection& reflection, const FieldShape& shape) {
  return shape.repeated ? reflection.FieldSize(message, shape.field) > 0
                        : reflection.HasField(message, shape.field) &&
                              !IsNegativeZero(message, reflection, shape);
}

absl::Status Writer::Append(const Message& message, const MessageFields& type, int depth) {
  if (type.timestamp) {
    const auto& time =
        *google::protobuf::DynamicCastToGenerated<google::protobuf::Timestamp>(&message);
    return IsTime(time) ? AppendText(TimeText(time))
                        : Unwritable("a time outside of the years 1 to 9999");
  }
  if (type.well_known) {
    return Unwritable("a well-known type that records do not have");
  }
  if (depth >= kJsonDepthMax) {
    return Unwritable("nested too deep");
  }
  const Reflection& reflection = *message.GetReflection();
  char before = '{';
  for (const SortedField& field : type.fields) {
    if (!IsThere(message, reflection, field.shape)) {
      continue;
    }
    out_.push_back(before);
    before = ',';
    out_ += field.key;
    CARNET_RETURN_IF_ERROR(AppendField(message, reflection, field, depth));
  }
  out_ += before == '{' ? "{}" : "}";
  return absl::OkStatus();
}

absl::Status Writer::AppendField(const Message& message, const Reflection& reflection,
                                 const SortedField& field, int depth) {
  if (field.map) {
    return AppendMap(message, reflection, field, depth);
  }
  if (!field.shape.repeated) {
    return AppendValue(message, reflection, field.shape, field.inner, -1, depth + 1);
  }
  out_.push_back('[');
  const int size = reflection.FieldSize(message, field.shape.field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) {
      out_.push_back(',');
    }
    CARNET_RETURN_IF_ERROR(
        AppendValue(message, reflection, field.shape, field.inner, i, depth + 2));
  }
  out_.push_back(']');
  return absl::OkStatus();
}

absl::Status Writer::AppendMap(const Message& message, const Reflection& reflection,
                               const SortedField& map, int depth) {
  if (map.map_key.type != FieldDescriptor::CPPTYPE_STRING) {
    return Unwritable("a map whose keys are no text");
  }
  std::vector<const Message*> entries;
  for (int i = 0; i < reflection.FieldSize(message, map.shape.field); ++i) {
    entries.push_back(&reflection.GetRepeatedMessage(message, map.shape.field, i));
  }
  const auto key_of = [&](const Message& entry) {
    return entry.GetReflection()->GetString(entry, map.map_key.field);
  };
  std::sort(entries.begin(), entries.end(),
            [&](const Message* a, const Message* b) { return key_of(*a) < key_of(*b); });
  out_.push_back('{');
  for (const Message* entry : entries) {
    if (entry != entries.front()) {
      out_.push_back(',');
    }
    CARNET_RETURN_IF_ERROR(AppendText(key_of(*entry)));
    out_.push_back(':');
    CARNET_RETURN_IF_ERROR(
        AppendValue(*entry, *entry->GetReflection(), map.map_value, map.inner, -1, depth + 2));
  }
  out_.push_back('}');
  return absl::OkStatus();
}

absl::Status Writer::AppendValue(const Message& message, const Reflection& r,
                                 const FieldShape& shape, const MessageFields* inner, int index,
                                 int depth) {
  const FieldDescriptor& field = *shape.field;
  const bool one = index < 0;
  switch (shape.type) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out_ += (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index))
                  ? "true"
                  : "false";
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(
          &out_, one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(
          &out_, one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(
          &out_, "\"",
          one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index), "\"");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(
          &out_, "\"",
          one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index), "\"");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out_ += DoubleText(one ? r.GetDouble(message, &field)
                             : r.GetRepeatedDouble(message, &field, index));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value =
          one ? r.GetEnum(message, &field) : r.GetRepeatedEnum(message, &field, index);
      if (field.enum_type()->FindValueByNumber(value->number()) == nullptr) {
        return Unwritable("an enum value without a name");
      }
      return AppendText(value->name());
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text =
          one ? r.GetStringReference(message, &field, &scratch)
              : r.GetRepeatedStringReference(message, &field, index, &scratch);
      if (shape.bytes) {
        AppendBase64(text);
        return absl::OkStatus();
      }
      return AppendText(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Append(
          one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index),
          *inner, depth);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Unwritable("a float, which records do not have");
  }
  return Unwritable("an unknown type of field");
}

absl::Status Bad(const FieldDescriptor& field, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("message: ", field.name(), ": ", wanted));
}

// Adds to a repeated field, else sets.
#define CARNET_PUT(Type, message, field, value)                                                \
  ((field).is_repeated() ? (message)->GetReflection()->Add##Type((message), &(field), (value)) \
                         : (message)->GetReflection()->Set##Type((message), &(field), (value)))

// An integer of 64 bits as text, in the only spelling that it has.
template <typename Integer>
bool ReadText(const json& value, Integer* out) {
  return value.is_string() && absl::SimpleAtoi(value.get_ref<const std::string&>(), out) &&
         absl::StrCat(*out) == value.get_ref<const std::string&>();
}

template <typename Integer>
bool ReadNumber(const json& value, Integer* out) {
  if (!value.is_number_integer()) {
    return false;
  }
  // nlohmann keeps what is not negative as unsigned.
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    *out = static_cast<Integer>(number);
    return number <= static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
  }
  const auto number = value.get<std::int64_t>();
  *out = static_cast<Integer>(number);
  return std::numeric_limits<Integer>::is_signed &&
         number >= static_cast<std::int64_t>(std::numeric_limits<Integer>::min());
}

bool ReadDouble(const json& value, double* out) {
  if (value.is_number()) {
    *out = value.get<double>();
    return std::isfinite(*out);
  }
  if (!value.is_string()) {
    return false;
  }
  const std::string& text = value.get_ref<const std::string&>();
  *out = text == "NaN"         ? std::numeric_limits<double>::quiet_NaN()
         : text == "-Infinity" ? -std::numeric_limits<double>::infinity()
                               : std::numeric_limits<double>::infinity();
  return text == "NaN" || text == "Infinity" || text == "-Infinity";
}

bool ReadTime(const json& value, google::protobuf::Timestamp* out) {
  return value.is_string() && ReadTimeText(value.get_ref<const std::string&>(), out);
}

// False: not of this type, in the one spelling that it has.
bool PutNumber(const json& value, const FieldDescriptor& field, Message* message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      std::int32_t number = 0;
      return ReadNumber(value, &number) && (CARNET_PUT(Int32, message, field, number), true);
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      std::uint32_t number = 0;
      return ReadNumber(value, &number) && (CARNET_PUT(UInt32, message, field, number), true);
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t number = 0;
      return ReadText(value, &number) && (CARNET_PUT(Int64, message, field, number), true);
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      std::uint64_t number = 0;
      return ReadText(value, &number) && (CARNET_PUT(UInt64, message, field, number), true);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double number = 0;
      return ReadDouble(value, &number) && (CARNET_PUT(Double, message, field, number), true);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return value.is_boolean() && (CARNET_PUT(Bool, message, field, value.get<bool>()), true);
    default:
      return false;
  }
}

bool PutText(const json& value, const FieldDescriptor& field, Message* message) {
  if (!value.is_string()) {
    return false;
  }
  const std::string& text = value.get_ref<const std::string&>();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const EnumValueDescriptor* named = field.enum_type()->FindValueByName(text);
    return named != nullptr && (CARNET_PUT(Enum, message, field, named), true);
  }
  if (field.type() != FieldDescriptor::TYPE_BYTES) {
    CARNET_PUT(String, message, field, text);
    return true;
  }
  std::string bytes;
  return DecodeBase64(text, &bytes) && (CARNET_PUT(String, message, field, bytes), true);
}

absl::Status Fill(const json& value, Message* message, int depth);

absl::Status PutMessage(const json& value, const FieldDescriptor& field, Message* message,
                        int depth) {
  const Reflection& reflection = *message->GetReflection();
  Message* inner = field.is_repeated() ? reflection.AddMessage(message, &field)
                                       : reflection.MutableMessage(message, &field);
  if (!IsTimestamp(inner->GetDescriptor())) {
    return Fill(value, inner, depth);
  }
  return ReadTime(value,
                  google::protobuf::DynamicCastToGenerated<google::protobuf::Timestamp>(inner))
             ? absl::OkStatus()
             : Bad(field, "a time in UTC, e.g. 2026-01-02T03:04:05Z");
}

absl::Status Put(const json& value, const FieldDescriptor& field, Message* message, int depth) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return PutMessage(value, field, message, depth);
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
      return PutText(value, field, message)
                 ? absl::OkStatus()
                 : Bad(field, "text was expected: base64 for bytes, a name for an enum");
    default:
      return PutNumber(value, field, message)
                 ? absl::OkStatus()
                 : Bad(field, "a number was expected, as text beyond 32 bits, or true or false");
  }
}

#undef CARNET_PUT

absl::Status PutMap(const json& value, const FieldDescriptor& field, Message* message, int depth) {
  if (!value.is_object()) {
    return Bad(field, "an object");
  }
  const Descriptor& entry = *field.message_type();
  if (entry.map_key()->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return Bad(field, "a type that records do not have");
  }
  for (const auto& [key, member] : value.get_ref<const json::object_t&>()) {
    Message* added = message->GetReflection()->AddMessage(message, &field);
    added->GetReflection()->SetString(added, entry.map_key(), key);
    CARNET_RETURN_IF_ERROR(Put(member, *entry.map_value(), added, depth));
  }
  return absl::OkStatus();
}

absl::Status Fill(const json& value, Message* message, int depth) {
  if (!value.is_object() || depth >= kJsonDepthMax) {
    return absl::InvalidArgumentError("message: an object was expected, not nested too deep");
  }
  const Descriptor& descriptor = *message->GetDescriptor();
  if (descriptor.file()->package() == "google.protobuf") {
    return absl::InvalidArgumentError("message: a well-known type that records do not have");
  }
  for (const auto& [name, member] : value.get_ref<const json::object_t&>()) {
    const FieldDescriptor* field = descriptor.FindFieldByName(name);
    if (field == nullptr) {
      return absl::InvalidArgumentError("message: an unknown field");
    }
    if (field->real_containing_oneof() != nullptr &&
        message->GetReflection()->HasOneof(*message, field->real_containing_oneof())) {
      return Bad(*field, "only one of several fields");
    }
    if (field->is_map()) {
      CARNET_RETURN_IF_ERROR(PutMap(member, *field, message, depth + 2));
    } else if (field->is_repeated()) {
      if (!member.is_array()) {
        return Bad(*field, "a list");
      }
      for (const json& element : member) {
        CARNET_RETURN_IF_ERROR(Put(element, *field, message, depth + 2));
      }
    } else {
      CARNET_RETURN_IF_ERROR(Put(member, *field, message, depth + 1));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> MessageToSortedJson(const Message& message) {
  // Types that are made while a program runs may be gone before it ends.
  FieldTables passing;
  const Descriptor* type = message.GetDescriptor();
  const bool compiled = type->file()->pool() == google::protobuf::DescriptorPool::generated_pool();
  FieldTables& tables = compiled ? FieldTables::OfGenerated() : passing;
  return Writer().Write(message, tables.Of(type));
}

absl::Status FillFromJson(const json& value, Message* message) {
  return Fill(value, message, 0);
}

}  // namespace carnet
