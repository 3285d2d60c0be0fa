#include "coordinator/aggregation/verify.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "coordinator/aggregation/parallel.h"
#include "crypto/hash.h"
#include "model/blocks.h"
#include "model/norms.h"

namespace carnet::aggregation {
namespace {

constexpr std::size_t kHashBytes = std::size_t{256} * 1024;

// Threads take items in ascending order: item 0 is the digest of the ciphertext, which has to be
// one run over the file, and item b + 1 is block b. Every item that was taken is finished, so the
// first faulty block is found whatever the number of threads.
class VerifyPass {
 public:
  VerifyPass(const SealedDeltaReader& reader, const SealedDelta& delta,
             const VerifyOptions& options)
      : reader_(reader),
        options_(options),
        size_bytes_(delta.size_bytes),
        blocks_(model::BlockCount(options.format.parameters)),
        sums_(blocks_) {}

  absl::StatusOr<Verification> Run() {
    RunOnThreads(options_.threads, [this] { Work(); });
    MutexLock lock(mutex_);
    CARNET_RETURN_IF_ERROR(status_);
    if (sealed_sha256_ != options_.sealed_sha256) {
      return Verification{DeltaVerdict::kSealedDigestMismatch, 0, 0};
    }
    if (fault_.verdict != DeltaVerdict::kOk) {
      return fault_;
    }
    CARNET_ASSIGN_OR_RETURN(const DeltaVerdict end, reader_.CheckEnd());
    if (end != DeltaVerdict::kOk) {
      return Verification{end, 0, blocks_ - 1};
    }
    Verification good;
    good.norm = model::NormOfBlocks(sums_);
    if (good.norm > options_.clip * NormSlack(options_.format.codec)) {
      good.verdict = DeltaVerdict::kNormExceeded;
    }
    return good;
  }

 private:
  void Work() {
    std::vector<float> values(std::min<std::uint64_t>(StripParameters(options_.format.codec),
                                                      options_.format.parameters));
    Bytes scratch(model::EncodedBlockBytes(options_.format.codec, values.size()));
    while (!stopped_) {
      const std::uint64_t item = next_item_++;
      if (item > blocks_) {
        break;
      }
      if (options_.cancelled != nullptr && *options_.cancelled) {
        Stop(absl::CancelledError("aggregation: verification was cancelled"));
      } else if (item == 0) {
        Stop(HashAll());
      } else {
        Stop(CheckBlock(item - 1, values, scratch));
      }
    }
    crypto::Wipe(scratch);
    crypto::Wipe({reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(float)});
  }

  // Ends the pass unless `status` is OK. The first error is kept.
  void Stop(const absl::Status& status) {
    if (!status.ok()) {
      stopped_ = true;
      MutexLock lock(mutex_);
      status_.Update(status);
    }
  }

  // Also after a fault: a ciphertext that was not the announced one is that first of all.
  absl::Status HashAll() {
    crypto::Sha256Stream hash;
    Bytes buffer(std::min<std::uint64_t>(kHashBytes, size_bytes_));
    for (std::uint64_t offset = 0; offset < size_bytes_;) {
      const std::span<std::uint8_t> part = std::span<std::uint8_t>(buffer).first(
          std::min<std::uint64_t>(buffer.size(), size_bytes_ - offset));
      CARNET_RETURN_IF_ERROR(reader_.ReadSealed(offset, part));
      hash.Update(part);
      offset += part.size();
    }
    MutexLock lock(mutex_);
    sealed_sha256_ = hash.Finish();
    return absl::OkStatus();
  }

  absl::Status CheckBlock(std::uint64_t index, std::span<float> values,
                          std::span<std::uint8_t> scratch) {
    const model::Block block = model::BlockAt(options_.format.parameters, index);
    double sum = 0;
    for (std::uint64_t done = 0; done < block.count; done += values.size()) {
      const std::span<float> strip =
          values.first(std::min<std::uint64_t>(values.size(), block.count - done));
      CARNET_ASSIGN_OR_RETURN(const DeltaVerdict verdict,
                              reader_.ReadStrip(block.first + done, strip, scratch));
      if (verdict != DeltaVerdict::kOk) {
        Fault(verdict, index);
        return absl::OkStatus();
      }
      sum += model::SumOfSquares(strip);
    }
    if (!std::isfinite(sum)) {
      Fault(DeltaVerdict::kNotFinite, index);
    }
    sums_[index] = sum;
    return absl::OkStatus();
  }

  void Fault(DeltaVerdict verdict, std::uint64_t block) {
    // No further block is taken, but the digest, taken first, is always finished.
    next_item_ = blocks_ + 1;
    MutexLock lock(mutex_);
    if (fault_.verdict == DeltaVerdict::kOk || block < fault_.block) {
      fault_ = {verdict, 0, block};
    }
  }

  const SealedDeltaReader& reader_;
  const VerifyOptions& options_;
  const std::uint64_t size_bytes_;
  const std::uint64_t blocks_;
  std::vector<double> sums_;  // Each block's is written by the thread that took it.
  std::atomic<std::uint64_t> next_item_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  absl::Status status_ CARNET_GUARDED_BY(mutex_);
  Digest sealed_sha256_ CARNET_GUARDED_BY(mutex_) = {};
  Verification fault_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<Verification> VerifyDelta(const SealedDelta& delta, const VerifyOptions& options) {
  if (options.format.parameters == 0 || options.format.parameters > model::kParametersMax ||
      options.threads < 1 || options.threads > kThreadsMax || !(options.clip > 0)) {
    return absl::InvalidArgumentError("aggregation: verification options out of range");
  }
  CARNET_ASSIGN_OR_RETURN(const SealedDeltaReader::Opened opened,
                          SealedDeltaReader::Open(delta, options.format));
  if (opened.verdict != DeltaVerdict::kOk) {
    return Verification{opened.verdict, 0, 0};
  }
  return VerifyPass(*opened.reader, delta, options).Run();
}

}  // namespace carnet::aggregation
