// From what a trainer wrote to bytes that can be sealed: finite, of the job's layout, clipped,
// encoded. A stream: memory is one block, whatever the model's size.
#ifndef CARNET_WORKER_DELTA_H_
#define CARNET_WORKER_DELTA_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "model/codec.h"
#include "model/layout.h"
#include "model/safetensors.h"

namespace carnet::worker {

struct DeltaOptions {
  model::Codec codec = model::Codec::kFp32;
  double clip = 0;            // L2 norm bound of what the receiver decodes; 0: none
  model::BlockRandom random;  // for int8
};

// One thread at a time.
class EncodedDelta {
 public:
  // Reads the whole file once: every value is finite, the layout is `layout`, the norm is known.
  // Errors: INVALID_ARGUMENT the trainer's output is missing, malformed, of another layout, or not
  // finite.
  static absl::StatusOr<EncodedDelta> Open(const std::string& path, const model::Layout& layout,
                                           DeltaOptions options);

  std::uint64_t size_bytes() const;
  // The norm before clipping, as the receiver would decode it.
  double norm() const { return norm_; }
  // What every value is multiplied by: below 1 when it was clipped.
  double factor() const { return factor_; }

  // For exchange::SealToFile: bytes of the encoded delta; cheap in ascending order. Errors:
  // INVALID_ARGUMENT the file changed and is no longer finite; DATA_LOSS it cannot be read.
  absl::Status ReadAt(std::uint64_t offset, std::span<std::uint8_t> out);

 private:
  EncodedDelta(model::SafetensorsReader reader, DeltaOptions options)
      : reader_(std::move(reader)), options_(std::move(options)) {}
  std::uint64_t parameters() const { return reader_.layout().parameter_count(); }
  absl::Status Measure();
  absl::Status LoadBlock(std::uint64_t index);

  model::SafetensorsReader reader_;
  DeltaOptions options_;
  double norm_ = 0;
  double factor_ = 1;
  std::vector<float> values_;
  Bytes encoded_;
  std::optional<std::uint64_t> loaded_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_DELTA_H_
