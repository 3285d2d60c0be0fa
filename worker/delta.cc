#include "worker/delta.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "model/blocks.h"
#include "model/norms.h"

namespace carnet::worker {

absl::StatusOr<EncodedDelta> EncodedDelta::Open(const std::string& path,
                                                const model::Layout& layout, DeltaOptions options) {
  std::error_code error;
  // A link would let a trainer hand in a file that it may not read.
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error)) || error) {
    return absl::InvalidArgumentError("delta: the trainer wrote none");
  }
  auto reader = model::SafetensorsReader::Open(path);
  if (!reader.ok()) {
    return absl::InvalidArgumentError("delta: the trainer's file is not a safetensors file");
  }
  if (!(reader->layout() == layout)) {
    return absl::InvalidArgumentError("delta: the trainer's file has another layout");
  }
  EncodedDelta delta(*std::move(reader), std::move(options));
  CARNET_RETURN_IF_ERROR(delta.Measure());
  return delta;
}

std::uint64_t EncodedDelta::size_bytes() const {
  return model::EncodedBytes(options_.codec, parameters());
}

absl::Status EncodedDelta::Measure() {
  std::vector<double> sums;
  for (std::uint64_t index = 0; index < model::BlockCount(parameters()); ++index) {
    const model::Block block = model::BlockAt(parameters(), index);
    values_.resize(block.count);
    CARNET_RETURN_IF_ERROR(reader_.Read(block.first, values_));
    CARNET_ASSIGN_OR_RETURN(const double sum, model::DecodedSumOfSquares(options_.codec, index,
                                                                         values_, options_.random));
    sums.push_back(sum);
  }
  norm_ = model::NormOfBlocks(sums);
  factor_ = options_.clip > 0 ? model::ClipFactor(norm_, options_.clip) : 1;
  return absl::OkStatus();
}

absl::Status EncodedDelta::LoadBlock(std::uint64_t index) {
  if (loaded_ == index) {
    return absl::OkStatus();
  }
  loaded_.reset();
  const model::Block block = model::BlockAt(parameters(), index);
  values_.resize(block.count);
  encoded_.resize(model::EncodedBlockBytes(options_.codec, block.count));
  CARNET_RETURN_IF_ERROR(reader_.Read(block.first, values_));
  CARNET_RETURN_IF_ERROR(
      model::EncodeBlock(options_.codec, index, values_, factor_, options_.random, encoded_));
  loaded_ = index;
  return absl::OkStatus();
}

absl::Status EncodedDelta::ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) {
  const std::uint64_t full_block_bytes =
      model::EncodedBlockBytes(options_.codec, model::kBlockParameters);
  while (!out.empty()) {
    const std::uint64_t index = offset / full_block_bytes;
    if (index >= model::BlockCount(parameters())) {
      return absl::OutOfRangeError("delta: a read past its end");
    }
    CARNET_RETURN_IF_ERROR(LoadBlock(index));
    const std::size_t within = static_cast<std::size_t>(offset % full_block_bytes);
    if (within >= encoded_.size()) {
      return absl::OutOfRangeError("delta: a read past its end");
    }
    const std::size_t take = std::min(out.size(), encoded_.size() - within);
    std::copy_n(encoded_.begin() + static_cast<std::ptrdiff_t>(within), take, out.begin());
    out = out.subspan(take);
    offset += take;
  }
  return absl::OkStatus();
}

}  // namespace carnet::worker
