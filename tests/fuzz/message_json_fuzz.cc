// The one form of a record's JSON: what the quick reader takes, the strict parser takes too, and
// both make the same message of it. The first byte picks the type.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/json.h"
#include "base/message_json.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"

using google::protobuf::Message;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  if (size_bytes == 0) {
    return 0;
  }
  const google::protobuf::FileDescriptor& file = *carnet::v1::Genesis::descriptor()->file();
  const Message& prototype = *google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      file.message_type(data[0] % file.message_type_count()));
  const absl::string_view text(reinterpret_cast<const char*>(data) + 1, size_bytes - 1);
  absl::string_view rest = text;
  const std::unique_ptr<Message> quick(prototype.New());
  if (!carnet::TakeSortedJson(&rest, quick.get())) {
    return 0;
  }
  const auto parsed = carnet::ParseJson(text.substr(0, text.size() - rest.size()), size_bytes);
  CARNET_CHECK(parsed.ok());
  const std::unique_ptr<Message> strict(prototype.New());
  CARNET_CHECK(carnet::FillFromJson(*parsed, strict.get()).ok());
  const auto one = carnet::MessageToSortedJson(*quick);
  const auto other = carnet::MessageToSortedJson(*strict);
  CARNET_CHECK(one.ok() == other.ok() && (!one.ok() || *one == *other));
  return 0;
}
