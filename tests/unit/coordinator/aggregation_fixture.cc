#include "tests/unit/coordinator/aggregation_fixture.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "base/files.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "model/blocks.h"

namespace carnet::aggregation {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

}  // namespace

AggregationFixture::AggregationFixture() {
  std::string pattern = (std::filesystem::temp_directory_path() / "carnet-test-XXXXXX").string();
  CARNET_CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
}

AggregationFixture::~AggregationFixture() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::vector<std::string> AggregationFixture::FileNames() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Bytes AggregationFixture::Encode(model::Codec codec, const std::vector<float>& values,
                                 const std::string& contributor) {
  Bytes encoded(model::EncodedBytes(codec, values.size()));
  const model::BlockRandom random = [&contributor](std::uint64_t block,
                                                   std::span<std::uint8_t> bytes) {
    std::mt19937 rng(
        static_cast<std::uint32_t>(block * 31 + static_cast<unsigned char>(contributor.back())));
    std::generate(bytes.begin(), bytes.end(), [&rng] { return static_cast<std::uint8_t>(rng()); });
    return absl::OkStatus();
  };
  for (std::uint64_t index = 0; index < model::BlockCount(values.size()); ++index) {
    const model::Block block = model::BlockAt(values.size(), index);
    const auto status = model::EncodeBlock(
        codec, index, std::span<const float>(values).subspan(block.first, block.count), 1.0, random,
        std::span<std::uint8_t>(encoded).subspan(model::EncodedBlockOffset(codec, index),
                                                 model::EncodedBlockBytes(codec, block.count)));
    CARNET_CHECK(status.ok());
  }
  return encoded;
}

SealedDelta AggregationFixture::Seal(const std::string& contributor, const Bytes& plain) const {
  SealedDelta delta;
  delta.contributor = contributor;
  std::string name = contributor;
  std::replace(name.begin(), name.end(), '/', '.');
  delta.file = Path(name);
  const Digest key = crypto::Sha256(AsBytes(contributor));
  delta.data_key = crypto::SecretBytes::Copy(key);
  delta.context = ToBytes("context of " + contributor);
  crypto::SealedSalt salt{};
  std::copy_n(key.rbegin(), salt.size(), salt.begin());
  const auto sealer = crypto::ChunkSealer::Create(delta.data_key, delta.context, salt);
  CARNET_CHECK(sealer.ok());
  Bytes sealed(*crypto::SealedSize(plain.size()));
  CARNET_CHECK(crypto::SealAll(*sealer, plain, sealed, 1).ok());
  delta.size_bytes = sealed.size();
  CARNET_CHECK(WriteFileAtomic(delta.file, sealed).ok());
  return delta;
}

Contribution AggregationFixture::Contribute(const std::string& contributor,
                                            const std::vector<float>& values, std::uint64_t weight,
                                            model::Codec codec) const {
  Contribution contribution;
  contribution.delta = Seal(contributor, Encode(codec, values, contributor));
  contribution.weight = weight;
  return contribution;
}

DigestedFile AggregationFixture::WriteModel(const std::string& name,
                                            const std::vector<float>& values) const {
  const auto layout = model::Layout::Create({{"w", {values.size()}}});
  CARNET_CHECK(layout.ok());
  auto writer = model::SafetensorsWriter::Create(Path(name), *layout);
  CARNET_CHECK(writer.ok() && writer->Append(values).ok() && writer->Finish().ok());
  return {Path(name), FileDigest(Path(name))};
}

Digest FileDigest(const std::filesystem::path& path) {
  const auto bytes = ReadFile(path, kFileBytesMax);
  CARNET_CHECK(bytes.ok());
  return crypto::Sha256(*bytes);
}

std::vector<float> ReadModel(const std::filesystem::path& path) {
  const auto reader = model::SafetensorsReader::Open(path);
  CARNET_CHECK(reader.ok());
  std::vector<float> values(reader->layout().parameter_count());
  CARNET_CHECK(reader->Read(0, values).ok());
  return values;
}

void FlipBit(const std::filesystem::path& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  CARNET_CHECK(byte >= 0);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 1));
}

std::vector<float> SomeValues(std::uint32_t seed, std::size_t count, float scale) {
  std::minstd_rand rng(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = scale * (static_cast<float>(rng() % 2000001) / 1000000.0F - 1.0F);
  }
  return values;
}

}  // namespace carnet::aggregation
