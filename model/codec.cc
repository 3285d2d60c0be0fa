#include "model/codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/status.h"
#include "model/norms.h"

namespace carnet::model {
namespace {

static_assert(std::endian::native == std::endian::little, "parameters are copied as they are");
static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);

constexpr std::size_t kScaleBytes = sizeof(float);
constexpr float kQuantumMax = 127.0F;

absl::Status NotFinite() {
  return absl::InvalidArgumentError("codec: a value is NaN or infinite");
}

// max|x| / 127, so that 127 x scale is finite. 0 when all values are 0, or so small that the scale
// is.
float BlockScale(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::fabs(value));
  }
  float scale = largest / kQuantumMax;
  if (!std::isfinite(scale * kQuantumMax)) {
    scale = std::nextafter(scale, 0.0F);
  }
  return scale;
}

// Rounds `values` / `scale` stochastically; q = floor(x / scale + u) with u = draw / 2^32.
absl::Status Quantize(std::uint64_t block_index, std::span<const float> values, float scale,
                      const BlockRandom& random, std::span<std::int8_t> quanta) {
  if (scale == 0) {
    std::fill(quanta.begin(), quanta.end(), std::int8_t{0});
    return absl::OkStatus();
  }
  Bytes draws(values.size() * kRandomBytesPerParameter);
  CARNET_RETURN_IF_ERROR(random(block_index, draws));
  constexpr double kDrawUnit = 1.0 / 4294967296.0;
  const double divisor = scale;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t draw = 0;
    std::memcpy(&draw, draws.data() + i * kRandomBytesPerParameter, sizeof(draw));
    const double rounded = std::floor(static_cast<double>(values[i]) / divisor + draw * kDrawUnit);
    // The scale was rounded, so the largest value may come out a hair above 127.
    quanta[i] = static_cast<std::int8_t>(std::clamp(rounded, -127.0, 127.0));
  }
  return absl::OkStatus();
}

absl::Status EncodeInt8(std::uint64_t block_index, std::span<const float> values, double factor,
                        const BlockRandom& random, std::span<std::uint8_t> encoded) {
  const float scale = BlockScale(values);
  const std::span<std::int8_t> quanta(reinterpret_cast<std::int8_t*>(encoded.data() + kScaleBytes),
                                      values.size());
  CARNET_RETURN_IF_ERROR(Quantize(block_index, values, scale, random, quanta));
  const float scaled = static_cast<float>(static_cast<double>(scale) * factor);
  if (scaled == 0) {
    std::fill(quanta.begin(), quanta.end(), std::int8_t{0});
  }
  std::memcpy(encoded.data(), &scaled, kScaleBytes);
  return absl::OkStatus();
}

DecodeVerdict DecodeInt8(ByteView encoded, std::span<float> values) {
  float scale = 0;
  std::memcpy(&scale, encoded.data(), kScaleBytes);
  // Also refuses NaN, whose comparisons are false, and -0, which would be a second text for 0.
  if (!(scale >= 0) || std::signbit(scale) || !std::isfinite(scale * kQuantumMax)) {
    return DecodeVerdict::kBadScale;
  }
  const auto* quanta = reinterpret_cast<const std::int8_t*>(encoded.data() + kScaleBytes);
  bool refused = false;
  bool all_zero = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    refused |= quanta[i] == std::numeric_limits<std::int8_t>::min();
    all_zero &= quanta[i] == 0;
    values[i] = scale * static_cast<float>(quanta[i]);
  }
  return refused || (scale == 0 && !all_zero) ? DecodeVerdict::kBadByte : DecodeVerdict::kOk;
}

}  // namespace

absl::StatusOr<Codec> CodecFromName(absl::string_view name) {
  for (const Codec codec : {Codec::kFp32, Codec::kInt8}) {
    if (name == CodecName(codec)) {
      return codec;
    }
  }
  return absl::InvalidArgumentError("codec: expected fp32 or int8");
}

absl::string_view CodecName(Codec codec) {
  return codec == Codec::kFp32 ? "fp32" : "int8";
}

std::size_t EncodedBlockBytes(Codec codec, std::size_t block_parameters) {
  CARNET_CHECK(block_parameters <= kBlockParameters);
  return codec == Codec::kFp32 ? block_parameters * sizeof(float) : kScaleBytes + block_parameters;
}

std::uint64_t EncodedBlockOffset(Codec codec, std::uint64_t block_index) {
  CARNET_CHECK(block_index <= kParametersMax / kBlockParameters);
  return block_index * EncodedBlockBytes(codec, kBlockParameters);
}

std::uint64_t EncodedBytes(Codec codec, std::uint64_t parameters) {
  CARNET_CHECK(parameters > 0 && parameters <= kParametersMax);
  const Block last = BlockAt(parameters, BlockCount(parameters) - 1);
  return EncodedBlockOffset(codec, last.index) + EncodedBlockBytes(codec, last.count);
}

absl::StatusOr<double> DecodedSumOfSquares(Codec codec, std::uint64_t block_index,
                                           std::span<const float> values,
                                           const BlockRandom& random) {
  if (!AllFinite(values)) {
    return NotFinite();
  }
  if (codec == Codec::kFp32) {
    return SumOfSquares(values);
  }
  Bytes encoded(EncodedBlockBytes(codec, values.size()));
  CARNET_RETURN_IF_ERROR(EncodeInt8(block_index, values, 1.0, random, encoded));
  std::vector<float> decoded(values.size());
  CARNET_CHECK(DecodeInt8(encoded, decoded) == DecodeVerdict::kOk);
  return SumOfSquares(decoded);
}

absl::Status EncodeBlock(Codec codec, std::uint64_t block_index, std::span<const float> values,
                         double factor, const BlockRandom& random,
                         std::span<std::uint8_t> encoded) {
  CARNET_CHECK(encoded.size() == EncodedBlockBytes(codec, values.size()));
  CARNET_CHECK(factor >= 0 && factor <= 1);
  if (!AllFinite(values)) {
    return NotFinite();
  }
  if (codec == Codec::kInt8) {
    return EncodeInt8(block_index, values, factor, random, encoded);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>(static_cast<double>(values[i]) * factor);
    std::memcpy(encoded.data() + i * sizeof(float), &value, sizeof(float));
  }
  return absl::OkStatus();
}

DecodeVerdict DecodeBlock(Codec codec, ByteView encoded, std::span<float> values) {
  if (encoded.size() != EncodedBlockBytes(codec, values.size())) {
    return DecodeVerdict::kWrongLength;
  }
  if (codec == Codec::kInt8) {
    return DecodeInt8(encoded, values);
  }
  if (!values.empty()) {
    std::memcpy(values.data(), encoded.data(), encoded.size());
  }
  return DecodeVerdict::kOk;
}

}  // namespace carnet::model
