// Bytes of a delta from a worker: refused, or decoded to values that int8 keeps finite.
#include <vector>

#include "base/status.h"
#include "model/codec.h"
#include "model/norms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using carnet::model::Codec;
  using carnet::model::DecodeBlock;
  using carnet::model::DecodeVerdict;
  const carnet::ByteView encoded(data, size_bytes);
  std::vector<float> fp32(size_bytes / sizeof(float));
  if (fp32.size() <= carnet::model::kBlockParameters) {
    const bool decoded = DecodeBlock(Codec::kFp32, encoded, fp32) == DecodeVerdict::kOk;
    CARNET_CHECK(decoded == (size_bytes % sizeof(float) == 0));
  }
  std::vector<float> int8(size_bytes > sizeof(float) ? size_bytes - sizeof(float) : 0);
  if (int8.size() <= carnet::model::kBlockParameters &&
      DecodeBlock(Codec::kInt8, encoded, int8) == DecodeVerdict::kOk) {
    CARNET_CHECK(carnet::model::AllFinite(int8));
  }
  return 0;
}
