// The head of a safetensors file from a trainer or a user: refused, or read to a layout that the
// canonical form gives back.
#include <algorithm>

#include "base/status.h"
#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using carnet::model::HeadBytes;
  using carnet::model::Layout;
  using carnet::model::ParseHead;
  const carnet::ByteView file(data, size_bytes);
  const auto layout = Layout::FromJson(carnet::AsText(file));
  if (layout.ok()) {
    CARNET_CHECK(Layout::FromJson(layout->ToJson()).value() == *layout);
  }
  const auto head_bytes = HeadBytes(file);
  if (!head_bytes.ok() || *head_bytes > size_bytes) {
    return 0;
  }
  const auto parsed = ParseHead(file.first(*head_bytes), size_bytes);
  if (parsed.ok()) {
    const carnet::Bytes canonical = carnet::model::EncodeHead(parsed->layout);
    const auto again = ParseHead(canonical, carnet::model::CanonicalFileBytes(parsed->layout));
    CARNET_CHECK(again.ok() && again->layout == parsed->layout && again->DataInNameOrder());
  }
  return 0;
}
