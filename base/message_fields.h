// The fields of message types in the order in which the one form of JSON has them. Internal to
// base/: what the writer and the reader of that form share.
#ifndef CARNET_BASE_MESSAGE_FIELDS_H_
#define CARNET_BASE_MESSAGE_FIELDS_H_

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"

namespace carnet {

struct MessageFields;

// A field and what is asked of its descriptor for every value.
struct FieldShape {
  FieldShape() = default;
  explicit FieldShape(const google::protobuf::FieldDescriptor* described);

  const google::protobuf::FieldDescriptor* field = nullptr;
  google::protobuf::FieldDescriptor::CppType type =
      google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE;
  bool bytes = false;     // of strings: it holds bytes, not text
  bool repeated = false;  // maps too
  bool one_of = false;    // of several, of which at most one is there
};

struct SortedField {
  FieldShape shape;
  std::string key;  // as text: "name": with its quotes and colon
  // Of the message that it holds, or of the values of a map; null: it holds no message.
  const MessageFields* inner = nullptr;
  bool map = false;
  FieldShape map_key;    // of a map's entries
  FieldShape map_value;  // of a map's entries
};

struct MessageFields {
  bool timestamp = false;           // google.protobuf.Timestamp
  bool well_known = false;          // another type of google.protobuf, which records do not have
  std::vector<SortedField> fields;  // by the bytes of their names
};

// Looks each type up once. Thread-safe.
class FieldTables {
 public:
  // Of `type` and of all that it can hold. Lives as long as this object.
  const MessageFields& Of(const google::protobuf::Descriptor* type) CARNET_EXCLUDES(mutex_);

  // For types that are compiled in, which live for ever.
  static FieldTables& OfGenerated();

 private:
  const MessageFields* Find(const google::protobuf::Descriptor* type) CARNET_REQUIRES(mutex_);

  Mutex mutex_;
  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<MessageFields>> tables_
      CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet

#endif  // CARNET_BASE_MESSAGE_FIELDS_H_
