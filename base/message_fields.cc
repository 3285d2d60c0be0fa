#include "base/message_fields.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>

namespace carnet {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

const MessageFields& FieldTables::Of(const Descriptor* type) {
  const MutexLock lock(mutex_);
  return *Find(type);
}

FieldTables& FieldTables::OfGenerated() {
  static auto* const tables = new FieldTables();
  return *tables;
}

const MessageFields* FieldTables::Find(const Descriptor* type) {
  std::unique_ptr<MessageFields>& table = tables_[type];
  if (table != nullptr) {
    return table.get();
  }
  // In place before its fields are looked at: a type may hold itself.
  table = std::make_unique<MessageFields>();
  MessageFields& made = *table;
  made.timestamp = type == google::protobuf::Timestamp::descriptor();
  made.well_known = !made.timestamp && type->file()->package() == "google.protobuf";
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const FieldDescriptor* value = field->is_map() ? field->message_type()->map_value() : field;
    const bool holds_message = value->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    made.fields.push_back({.field = field,
                           .key = "\"" + field->name() + "\":",
                           .inner = holds_message ? Find(value->message_type()) : nullptr});
  }
  std::sort(made.fields.begin(), made.fields.end(), [](const SortedField& a, const SortedField& b) {
    return a.field->name() < b.field->name();
  });
  return &made;
}

}  // namespace carnet
