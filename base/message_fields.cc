#include "base/message_fields.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <utility>

namespace carnet {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

FieldShape::FieldShape(const FieldDescriptor* described)
    : field(described),
      type(described->cpp_type()),
      bytes(described->type() == FieldDescriptor::TYPE_BYTES),
      repeated(described->is_repeated()),
      one_of(described->real_containing_oneof() != nullptr) {}

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
    SortedField sorted;
    sorted.shape = FieldShape(field);
    sorted.key = "\"" + field->name() + "\":";
    sorted.map = field->is_map();
    if (sorted.map) {
      sorted.map_key = FieldShape(field->message_type()->map_key());
      sorted.map_value = FieldShape(field->message_type()->map_value());
    }
    const FieldDescriptor* value = sorted.map ? sorted.map_value.field : field;
    sorted.inner = value->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                       ? Find(value->message_type())
                       : nullptr;
    made.fields.push_back(std::move(sorted));
  }
  std::sort(made.fields.begin(), made.fields.end(), [](const SortedField& a, const SortedField& b) {
    return a.shape.field->name() < b.shape.field->name();
  });
  return &made;
}

}  // namespace carnet
