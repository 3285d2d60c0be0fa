#include "worker/delta.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "base/files.h"
#include "model/blocks.h"
#include "model/norms.h"
#include "tests/unit/worker/test_support.h"
#include "worker/core/seeds.h"

namespace carnet::worker {
namespace {

model::Layout LayoutOf(std::uint64_t parameters) {
  return model::Layout::Create({{"weight", {parameters}}}).value();
}

std::string Write(const TestDirectory& directory, const model::Layout& layout,
                  const std::vector<float>& values) {
  const std::string path = (directory.path() / "out.safetensors").string();
  // Not SafetensorsWriter, which refuses what a trainer may write.
  Bytes file = model::EncodeHead(layout);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  file.insert(file.end(), bytes, bytes + values.size() * sizeof(float));
  REQUIRE(WriteFileAtomic(path, file).ok());
  return path;
}

std::vector<float> Ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(static_cast<double>(i % 1001) - 500) / 1000.0F;
  }
  return values;
}

std::vector<float> Decode(EncodedDelta& delta, model::Codec codec, std::uint64_t parameters) {
  Bytes encoded(delta.size_bytes());
  // Odd pieces, as a sealer would ask for them.
  for (std::size_t offset = 0; offset < encoded.size();) {
    const std::size_t take = std::min<std::size_t>(100'003, encoded.size() - offset);
    REQUIRE(delta.ReadAt(offset, std::span(encoded).subspan(offset, take)).ok());
    offset += take;
  }
  std::vector<float> values(parameters);
  for (std::uint64_t i = 0; i < model::BlockCount(parameters); ++i) {
    const model::Block block = model::BlockAt(parameters, i);
    const auto verdict = model::DecodeBlock(
        codec,
        ByteView(encoded).subspan(static_cast<std::size_t>(model::EncodedBlockOffset(codec, i)),
                                  model::EncodedBlockBytes(codec, block.count)),
        std::span(values).subspan(static_cast<std::size_t>(block.first), block.count));
    REQUIRE(verdict == model::DecodeVerdict::kOk);
  }
  return values;
}

double Norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
}

TEST_CASE("Delta: without a clip, fp32 is what the trainer wrote, bit by bit") {
  const TestDirectory directory;
  const std::uint64_t parameters = model::kBlockParameters + 17;
  const std::vector<float> values = Ramp(parameters);
  const std::string path = Write(directory, LayoutOf(parameters), values);
  auto delta = EncodedDelta::Open(path, LayoutOf(parameters), {});
  REQUIRE(delta.ok());
  CHECK(delta->factor() == 1);
  CHECK(Decode(*delta, model::Codec::kFp32, parameters) == values);
  Bytes beyond(1);
  CHECK(delta->ReadAt(delta->size_bytes(), beyond).code() == absl::StatusCode::kOutOfRange);
}

TEST_CASE("Delta: the receiver decodes at most the clip, with either codec") {
  const TestDirectory directory;
  const std::uint64_t parameters = model::kBlockParameters + 1000;
  const std::vector<float> values = Ramp(parameters);
  const std::string path = Write(directory, LayoutOf(parameters), values);
  for (const model::Codec codec : {model::Codec::kFp32, model::Codec::kInt8}) {
    auto delta = EncodedDelta::Open(
        path, LayoutOf(parameters),
        {.codec = codec, .clip = 2.0, .random = RoundingRandom(Digest{1}, 1, "/w")});
    REQUIRE(delta.ok());
    CHECK(delta->norm() > 2.0);
    const double norm = Norm(Decode(*delta, codec, parameters));
    CHECK(norm <= 2.0 * (1 + 1e-6));
    CHECK(norm > 1.99);
  }
}

TEST_CASE("Delta: int8 gives the same bytes each time, and others for another worker") {
  const TestDirectory directory;
  const std::vector<float> values = Ramp(5000);
  const std::string path = Write(directory, LayoutOf(5000), values);
  const auto encode = [&](const char* worker) {
    auto delta = EncodedDelta::Open(
        path, LayoutOf(5000),
        {.codec = model::Codec::kInt8, .clip = 0, .random = RoundingRandom(Digest{1}, 1, worker)});
    REQUIRE(delta.ok());
    Bytes encoded(delta->size_bytes());
    REQUIRE(delta->ReadAt(0, encoded).ok());
    return encoded;
  };
  CHECK(encode("/a") == encode("/a"));
  CHECK(encode("/a") != encode("/b"));
}

TEST_CASE(
    "Delta: nothing, NaN, infinity, another layout and a damaged file are the trainer's fault") {
  const TestDirectory directory;
  const auto refused = [&](const std::string& path) {
    return EncodedDelta::Open(path, LayoutOf(100), {}).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  CHECK(refused((directory.path() / "none").string()));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = Ramp(100);
    values[99] = bad;
    CHECK(refused(Write(directory, LayoutOf(100), values)));
  }
  CHECK(refused(Write(directory, LayoutOf(101), Ramp(101))));
  CHECK(refused(Write(directory, model::Layout::Create({{"other", {100}}}).value(), Ramp(100))));
  CHECK(refused(Write(directory, LayoutOf(100), Ramp(99))));
  CHECK(refused(Write(directory, LayoutOf(100), Ramp(101))));
  const std::string good = Write(directory, LayoutOf(100), Ramp(100));
  const std::string link = (directory.path() / "link").string();
  std::filesystem::create_symlink(good, link);
  CHECK(refused(link));
  CHECK_FALSE(refused(good));
}

}  // namespace
}  // namespace carnet::worker
