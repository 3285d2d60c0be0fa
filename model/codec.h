// Codecs: how a delta is written as bytes. An encoded delta is its blocks (model/blocks.h) one
// after the other, without header, padding or trailer, so its size follows from codec and layout
// alone and every block can be read on its own.
//
//   fp32  block of n parameters = n little-endian IEEE 754 binary32                      (4n bytes)
//   int8  block of n parameters = scale, a little-endian binary32, then n signed bytes   (4 + n
//   bytes)
//         value = scale x byte; scale = max|x| / 127; the byte -128 is never written and is
//         refused; stochastic rounding q = floor(x / scale + u), u uniform in [0, 1) from a seeded
//         stream of 4 bytes per parameter, so the value is unbiased and a block encoded again gives
//         the same bytes.
#ifndef CARNET_MODEL_CODEC_H_
#define CARNET_MODEL_CODEC_H_

#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "model/blocks.h"

namespace carnet::model {

// The numbers stand in signed records; they never change.
enum class Codec : std::uint8_t { kFp32 = 1, kInt8 = 2 };

// "fp32" and "int8", as in job files. Error INVALID_ARGUMENT: another name.
absl::StatusOr<Codec> CodecFromName(absl::string_view name);
absl::string_view CodecName(Codec codec);

// Sizes and offsets in bytes. `parameters` is at most kParametersMax; a block
// has 1..kBlockParameters.
std::size_t EncodedBlockBytes(Codec codec, std::size_t block_parameters);
std::uint64_t EncodedBlockOffset(Codec codec, std::uint64_t block_index);
std::uint64_t EncodedBytes(Codec codec, std::uint64_t parameters);

// Fills the span with the bytes of the seeded stream that belong to block `block_index`: the same
// bytes at every call, independent of other blocks. Any error is handed to the caller of the codec.
using BlockRandom =
    std::function<absl::Status(std::uint64_t block_index, std::span<std::uint8_t> bytes)>;

// Bytes of randomness per parameter that int8 draws.
inline constexpr std::size_t kRandomBytesPerParameter = 4;

// The sum of squares of what a receiver will decode when `values` are encoded with factor 1.
// Workers clip by the norm of the decoded delta, not of the original: rounding int8 may lengthen a
// vector, and a codec is linear in `factor`, so one factor brings the decoded norm to the clip for
// either codec. Threads: pure apart from `random`. fp32 draws no randomness; `random` may be empty.
// Errors: INVALID_ARGUMENT a value is NaN or infinite; what `random` returns.
absl::StatusOr<double> DecodedSumOfSquares(Codec codec, std::uint64_t block_index,
                                           std::span<const float> values,
                                           const BlockRandom& random);

// Encodes `factor` x `values` as block `block_index` into `encoded`, which has EncodedBlockBytes
// bytes. factor: 0..1; int8 applies it to the scale, so that the rounded bytes do not depend on it.
// Errors: INVALID_ARGUMENT a value is NaN or infinite; what `random` returns. `encoded` is then
// unspecified.
absl::Status EncodeBlock(Codec codec, std::uint64_t block_index, std::span<const float> values,
                         double factor, const BlockRandom& random, std::span<std::uint8_t> encoded);

// What can be wrong with a block of bytes.
enum class DecodeVerdict : std::uint8_t {
  kOk,
  kWrongLength,  // Not EncodedBlockBytes of `values`.
  kBadScale,     // int8: a scale that is negative, NaN, infinite, or too large for 127 x scale.
  kBadByte,      // int8: the byte -128, or a byte other than 0 under a scale of 0.
};

// Decodes one block. fp32 hands on NaN and infinities: SumOfSquares (model/norms.h) finds them.
// `values` is unspecified unless the verdict is kOk. No allocation; any thread.
DecodeVerdict DecodeBlock(Codec codec, ByteView encoded, std::span<float> values);

}  // namespace carnet::model

#endif  // CARNET_MODEL_CODEC_H_
