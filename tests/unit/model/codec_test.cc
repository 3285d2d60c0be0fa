#include "model/codec.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "model/norms.h"

namespace carnet::model {
namespace {

// A stream that depends on seed and block alone.
BlockRandom SeededRandom(std::uint32_t seed) {
  return [seed](std::uint64_t block, std::span<std::uint8_t> bytes) {
    std::mt19937 rng(seed ^ static_cast<std::uint32_t>(block * 2654435761U));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng());
    }
    return absl::OkStatus();
  };
}

// All draws the same: u = draw / 2^32.
BlockRandom ConstantRandom(std::uint8_t byte) {
  return [byte](std::uint64_t, std::span<std::uint8_t> bytes) {
    std::fill(bytes.begin(), bytes.end(), byte);
    return absl::OkStatus();
  };
}

Bytes Encode(Codec codec, std::span<const float> values, double factor, const BlockRandom& random,
             std::uint64_t block = 0) {
  Bytes encoded(EncodedBlockBytes(codec, values.size()));
  REQUIRE(EncodeBlock(codec, block, values, factor, random, encoded).ok());
  return encoded;
}

std::vector<float> Decode(Codec codec, const Bytes& encoded, std::size_t count) {
  std::vector<float> values(count);
  REQUIRE(DecodeBlock(codec, encoded, values) == DecodeVerdict::kOk);
  return values;
}

TEST_CASE("Codec: names and sizes are the published ones") {
  CHECK(*CodecFromName("fp32") == Codec::kFp32);
  CHECK(*CodecFromName("int8") == Codec::kInt8);
  for (const char* name : {"", "FP32", "bf16", "int4", "fp32 "}) {
    CHECK(CodecFromName(name).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(EncodedBytes(Codec::kFp32, 10) == 40);
  CHECK(EncodedBytes(Codec::kInt8, 10) == 14);
  CHECK(EncodedBytes(Codec::kInt8, kBlockParameters) == 4 + kBlockParameters);
  CHECK(EncodedBytes(Codec::kInt8, kBlockParameters + 1) == 4 + kBlockParameters + 5);
  CHECK(EncodedBlockOffset(Codec::kInt8, 3) == 3 * (4 + kBlockParameters));
  CHECK(EncodedBlockOffset(Codec::kFp32, 3) == 3 * 4 * kBlockParameters);
  CHECK(EncodedBytes(Codec::kFp32, kParametersMax) == kParametersMax * 4);
}

TEST_CASE("Codec: fp32 keeps every bit when nothing is clipped") {
  const std::vector<float> values = {1.0F, -0.0F, 1e-45F, std::numeric_limits<float>::max()};
  const Bytes encoded = Encode(Codec::kFp32, values, 1.0, {});
  CHECK(HexEncode(encoded) == "0000803f0000008001000000ffff7f7f");
  const std::vector<float> decoded = Decode(Codec::kFp32, encoded, values.size());
  CHECK(std::memcmp(decoded.data(), values.data(), encoded.size()) == 0);
}

TEST_CASE("Codec: int8 known answer: scale is max/127, rounding is floor(x/scale + u)") {
  // Scale 2: 254/127. With u = 0, floor; with u just below 1, up unless exact.
  const std::vector<float> values = {254, 3, -3, 4, 0, -254};
  CHECK(HexEncode(Encode(Codec::kInt8, values, 1.0, ConstantRandom(0x00))) ==
        "00000040"
        "7f"
        "01"
        "fe"
        "02"
        "00"
        "81");
  CHECK(HexEncode(Encode(Codec::kInt8, values, 1.0, ConstantRandom(0xFF))) ==
        "00000040"
        "7f"
        "02"
        "ff"
        "02"
        "00"
        "81");
  CHECK(Decode(Codec::kInt8, Encode(Codec::kInt8, values, 1.0, ConstantRandom(0)), 6) ==
        std::vector<float>{254, 2, -4, 4, 0, -254});
}

TEST_CASE("Codec: a block of zeros is zeros, and draws nothing") {
  const BlockRandom failing = [](std::uint64_t, std::span<std::uint8_t>) {
    return absl::InternalError("no draw expected");
  };
  CHECK(Encode(Codec::kInt8, std::vector<float>(3), 1.0, failing) == Bytes(7));
  CHECK(Encode(Codec::kInt8, std::vector<float>{-0.0F}, 1.0, failing) == Bytes(5));
  // Too small for a scale: zeros as well.
  CHECK(Encode(Codec::kInt8, std::vector<float>{1e-45F}, 1.0, failing) == Bytes(5));
  CHECK(*DecodedSumOfSquares(Codec::kInt8, 0, std::vector<float>(3), failing) == 0);
}

TEST_CASE("Codec: the same block encodes to the same bytes, another block draws anew") {
  std::vector<float> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i));
  }
  const BlockRandom random = SeededRandom(7);
  CHECK(Encode(Codec::kInt8, values, 1.0, random, 5) ==
        Encode(Codec::kInt8, values, 1.0, random, 5));
  CHECK(Encode(Codec::kInt8, values, 1.0, random, 5) !=
        Encode(Codec::kInt8, values, 1.0, random, 6));
}

TEST_CASE("Codec: int8 is unbiased and within one step of each value") {
  const auto seed = GENERATE(take(10, random(0U, ~0U)));
  CAPTURE(seed);
  std::minstd_rand rng(seed);
  std::vector<float> values(64);
  for (float& value : values) {
    value = static_cast<float>(rng() % 20001) / 10000.0F - 1.0F;
  }
  values[0] = 1.0F;
  const double step = 1.0 / 127.0;
  std::vector<double> sums(values.size());
  constexpr int kDraws = 2000;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto decoded = Decode(
        Codec::kInt8,
        Encode(Codec::kInt8, values, 1.0, SeededRandom(seed), static_cast<std::uint64_t>(draw)),
        values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      REQUIRE(std::fabs(decoded[i] - values[i]) <= step * 1.0001);
      sums[i] += decoded[i];
    }
  }
  // One draw's deviation is at most step/2; six of their mean's fit in this bound.
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(std::fabs(sums[i] / kDraws - values[i]) < 6 * step / 2 / std::sqrt(kDraws));
  }
}

TEST_CASE("Codec: the largest floats survive int8 without becoming infinite") {
  const float largest = std::numeric_limits<float>::max();
  const auto decoded = Decode(
      Codec::kInt8,
      Encode(Codec::kInt8, std::vector<float>{largest, -largest}, 1.0, ConstantRandom(0)), 2);
  CHECK(AllFinite(decoded));
  CHECK(decoded[0] == Approx(largest).epsilon(1e-6));
  CHECK(decoded[1] == Approx(-largest).epsilon(1e-6));
}

TEST_CASE("Codec: one factor brings the decoded norm of either codec to the clip") {
  const auto codec = GENERATE(Codec::kFp32, Codec::kInt8);
  const auto seed = GENERATE(take(20, random(0U, ~0U)));
  CAPTURE(seed, CodecName(codec));
  std::minstd_rand rng(seed);
  std::vector<float> values(1 + rng() % 5000);
  for (float& value : values) {
    value = static_cast<float>(rng() % 2001) / 100.0F - 10.0F;
  }
  // One large value makes the steps coarse, so that rounding lengthens the rest.
  values[0] = 3000.0F;
  const BlockRandom random = SeededRandom(seed);
  const auto squares = DecodedSumOfSquares(codec, 4, values, random);
  REQUIRE(squares.ok());
  const double clip = 1.5;
  const double factor = ClipFactor(std::sqrt(*squares), clip);
  const auto decoded = Decode(codec, Encode(codec, values, factor, random, 4), values.size());
  CHECK(std::sqrt(SumOfSquares(decoded)) == Approx(clip).epsilon(1e-6));
}

TEST_CASE("Codec: NaN and infinities are refused when encoding") {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> values = {1, bad};
    for (const Codec codec : {Codec::kFp32, Codec::kInt8}) {
      Bytes encoded(EncodedBlockBytes(codec, 2));
      CHECK(EncodeBlock(codec, 0, values, 1.0, ConstantRandom(0), encoded).code() ==
            absl::StatusCode::kInvalidArgument);
      CHECK(DecodedSumOfSquares(codec, 0, values, ConstantRandom(0)).status().code() ==
            absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("Codec: an error of the random stream is handed on") {
  const BlockRandom failing = [](std::uint64_t, std::span<std::uint8_t>) {
    return absl::InternalError("stream");
  };
  Bytes encoded(5);
  CHECK(EncodeBlock(Codec::kInt8, 0, std::vector<float>{1}, 1.0, failing, encoded).code() ==
        absl::StatusCode::kInternal);
}

TEST_CASE("Codec: decoding refuses wrong lengths, scales and bytes") {
  std::vector<float> values(2);
  for (const std::size_t size : {0U, 5U, 7U}) {
    CHECK(DecodeBlock(Codec::kInt8, Bytes(size), values) == DecodeVerdict::kWrongLength);
  }
  for (const std::size_t size : {0U, 7U, 9U}) {
    CHECK(DecodeBlock(Codec::kFp32, Bytes(size), values) == DecodeVerdict::kWrongLength);
  }
  const auto with_scale = [&values](float scale, std::uint8_t first) {
    Bytes encoded = {0, 0, 0, 0, first, 1};
    std::memcpy(encoded.data(), &scale, 4);
    return DecodeBlock(Codec::kInt8, encoded, values);
  };
  CHECK(with_scale(1.0F, 3) == DecodeVerdict::kOk);
  CHECK(with_scale(-1.0F, 3) == DecodeVerdict::kBadScale);
  CHECK(with_scale(-0.0F, 3) == DecodeVerdict::kBadScale);
  CHECK(with_scale(std::nanf(""), 3) == DecodeVerdict::kBadScale);
  CHECK(with_scale(std::numeric_limits<float>::infinity(), 3) == DecodeVerdict::kBadScale);
  CHECK(with_scale(std::numeric_limits<float>::max(), 3) == DecodeVerdict::kBadScale);
  CHECK(with_scale(1.0F, 0x80) == DecodeVerdict::kBadByte);
  CHECK(with_scale(0.0F, 3) == DecodeVerdict::kBadByte);
}

}  // namespace
}  // namespace carnet::model
