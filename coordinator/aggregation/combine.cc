#include "coordinator/aggregation/combine.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "coordinator/aggregation/kernels.h"
#include "coordinator/aggregation/parallel.h"
#include "crypto/hash.h"
#include "model/blocks.h"
#include "model/safetensors.h"

namespace carnet::aggregation {
namespace {

constexpr char kContributorUrl[] = "carnet/contributor";

absl::Status StorageFault(const std::string& contributor) {
  absl::Status status = absl::DataLossError(
      absl::StrCat("aggregation: storage fault in the contribution of ", contributor));
  status.SetPayload(kContributorUrl, absl::Cord(contributor));
  return status;
}

// What is read and hashed in the same pass: the base model, the velocity.
struct HashedInput {
  model::SafetensorsReader reader;
  crypto::Sha256Stream hash;
  Digest expected{};

  static absl::StatusOr<HashedInput> Open(const DigestedFile& file) {
    CARNET_ASSIGN_OR_RETURN(model::SafetensorsReader reader,
                            model::SafetensorsReader::Open(file.path));
    if (!reader.file_layout().DataInNameOrder()) {
      return absl::InvalidArgumentError("aggregation: a model's data is not in the order of names");
    }
    HashedInput input{std::move(reader), {}, file.sha256};
    input.hash.Update(input.reader.head());
    return input;
  }
};

// What is written and hashed. Not movable: the writer's observer points into it.
struct HashedOutput {
  crypto::Sha256Stream hash;
  std::optional<model::SafetensorsWriter> writer;

  absl::Status Open(const std::filesystem::path& path, const model::Layout& layout) {
    auto created = model::SafetensorsWriter::Create(path, layout,
                                                    [this](ByteView bytes) { hash.Update(bytes); });
    CARNET_RETURN_IF_ERROR(created);
    writer.emplace(std::move(created).value());
    return absl::OkStatus();
  }
};

ByteView BytesOf(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}

// A thread's memory, taken once. `values` and `scratch` held plaintext of single deltas and are
// wiped.
struct Workspace {
  Workspace(const CombineOptions& options, std::size_t block, bool has_velocity)
      : values(std::min(block, StripParameters(options.codec))),
        scratch(model::EncodedBlockBytes(options.codec, values.size())),
        sums(values.size()),
        base(block),
        model(block),
        velocity_before(has_velocity ? block : 0),
        velocity_after(options.optimizer.has_state() ? block : 0) {}
  ~Workspace() {
    crypto::Wipe(scratch);
    crypto::Wipe({reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(float)});
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::vector<float> values;
  Bytes scratch;
  std::vector<double> sums;
  std::vector<float> base;
  std::vector<float> model;
  std::vector<float> velocity_before;
  std::vector<float> velocity_after;
};

// Threads take blocks in ascending order, compute them side by side, and commit them (hash and
// write) one after the other in that order. A thread that waits for its turn holds one block, which
// bounds the memory.
class CombinePass {
 public:
  CombinePass(std::span<const Contribution> contributions, const CombineOptions& options)
      : contributions_(contributions), options_(options) {}

  absl::Status Open() {
    CARNET_ASSIGN_OR_RETURN(HashedInput base, HashedInput::Open(options_.base_model));
    base_.emplace(std::move(base));
    if (options_.velocity.has_value()) {
      CARNET_ASSIGN_OR_RETURN(HashedInput velocity, HashedInput::Open(*options_.velocity));
      if (!(velocity.reader.layout() == layout())) {
        return absl::InvalidArgumentError("aggregation: the velocity has another layout");
      }
      velocity_.emplace(std::move(velocity));
    }
    readers_.reserve(contributions_.size());
    for (const Contribution& contribution : contributions_) {
      CARNET_RETURN_IF_ERROR(OpenContribution(contribution));
      total_weight_ += contribution.weight;
    }
    CARNET_RETURN_IF_ERROR(model_.Open(options_.model_out, layout()));
    return options_.optimizer.has_state() ? velocity_out_.Open(options_.velocity_out, layout())
                                          : absl::OkStatus();
  }

  absl::StatusOr<Combined> Run() {
    RunOnThreads(options_.threads, [this] { Work(); });
    {
      MutexLock lock(mutex_);
      CARNET_RETURN_IF_ERROR(status_);
    }
    if (base_->hash.Finish() != base_->expected) {
      return absl::DataLossError("aggregation: the base model is not the one of the round");
    }
    if (velocity_.has_value() && velocity_->hash.Finish() != velocity_->expected) {
      return absl::DataLossError("aggregation: the velocity is not the one of the job");
    }
    return Finish();
  }

 private:
  const model::Layout& layout() const { return base_->reader.layout(); }

  absl::Status OpenContribution(const Contribution& contribution) {
    auto opened =
        SealedDeltaReader::Open(contribution.delta, {options_.codec, layout().parameter_count()});
    const bool gone = absl::IsNotFound(opened.status()) || absl::IsUnavailable(opened.status()) ||
                      absl::IsDataLoss(opened.status());
    if (gone || (opened.ok() && opened->verdict != DeltaVerdict::kOk)) {
      return StorageFault(contribution.delta.contributor);
    }
    CARNET_RETURN_IF_ERROR(opened);
    readers_.push_back(*std::move(opened->reader));
    return absl::OkStatus();
  }

  void Work() {
    const std::uint64_t parameters = layout().parameter_count();
    const std::uint64_t blocks = model::BlockCount(parameters);
    Workspace workspace(options_, std::min(parameters, model::kBlockParameters),
                        velocity_.has_value());
    while (!stopped_) {
      const std::uint64_t index = next_block_++;
      if (index >= blocks) {
        return;
      }
      const model::Block block = model::BlockAt(parameters, index);
      absl::Status status = options_.cancelled != nullptr && *options_.cancelled
                                ? absl::CancelledError("aggregation: cancelled")
                                : ComputeBlock(block, workspace);
      if (status.ok() && !WaitForTurn(index)) {
        return;
      }
      if (status.ok()) {
        status = Commit(block, workspace);
      }
      if (!status.ok()) {
        Stop(index, std::move(status));
      }
    }
  }

  // Everything about a block that does not depend on other blocks.
  absl::Status ComputeBlock(const model::Block& block, Workspace& workspace) const {
    const std::span<float> base = std::span<float>(workspace.base).first(block.count);
    CARNET_RETURN_IF_ERROR(base_->reader.Read(block.first, base));
    std::span<float> before;
    if (velocity_.has_value()) {
      before = std::span<float>(workspace.velocity_before).first(block.count);
      CARNET_RETURN_IF_ERROR(velocity_->reader.Read(block.first, before));
    }
    const std::size_t strip_max = workspace.values.size();
    for (std::size_t done = 0; done < block.count; done += strip_max) {
      const std::size_t count = std::min(strip_max, block.count - done);
      const std::span<double> mean = std::span<double>(workspace.sums).first(count);
      CARNET_RETURN_IF_ERROR(SumStrip(block.first + done, workspace, mean));
      DivideBy(static_cast<double>(total_weight_), mean);
      OptimizerStep step;
      step.mean = mean;
      step.base = base.subspan(done, count);
      step.model = std::span<float>(workspace.model).subspan(done, count);
      if (velocity_.has_value()) {
        step.velocity_before = before.subspan(done, count);
      }
      if (options_.optimizer.has_state()) {
        step.velocity_after = std::span<float>(workspace.velocity_after).subspan(done, count);
      }
      ApplyOptimizer(options_.optimizer, step);
    }
    return absl::OkStatus();
  }

  absl::Status SumStrip(std::uint64_t first, Workspace& workspace, std::span<double> sums) const {
    const std::span<float> values = std::span<float>(workspace.values).first(sums.size());
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      const auto verdict = readers_[i].ReadStrip(first, values, workspace.scratch);
      if (absl::IsUnavailable(verdict.status()) ||
          (verdict.ok() && *verdict != DeltaVerdict::kOk)) {
        return StorageFault(contributions_[i].delta.contributor);
      }
      CARNET_RETURN_IF_ERROR(verdict);
      const auto weight = static_cast<double>(contributions_[i].weight);
      (i == 0 ? SetWeighted : AddWeighted)(weight, values, sums);
    }
    return absl::OkStatus();
  }

  // False: the pass was stopped, by an error that whoever found it has kept.
  bool WaitForTurn(std::uint64_t block) {
    MutexLock lock(mutex_);
    while (next_commit_ != block && status_.ok()) {
      turn_or_stop_.Wait(mutex_);
    }
    return status_.ok();
  }

  absl::Status Commit(const model::Block& block, Workspace& workspace) {
    // This thread alone has the turn: what follows needs no lock.
    base_->hash.Update(BytesOf(std::span<float>(workspace.base).first(block.count)));
    CARNET_RETURN_IF_ERROR(Append(model_, std::span<float>(workspace.model).first(block.count)));
    if (velocity_.has_value()) {
      velocity_->hash.Update(
          BytesOf(std::span<float>(workspace.velocity_before).first(block.count)));
    }
    if (options_.optimizer.has_state()) {
      CARNET_RETURN_IF_ERROR(
          Append(velocity_out_, std::span<float>(workspace.velocity_after).first(block.count)));
    }
    MutexLock lock(mutex_);
    ++next_commit_;
    turn_or_stop_.NotifyAll();
    return absl::OkStatus();
  }

  static absl::Status Append(HashedOutput& output, std::span<const float> values) {
    const absl::Status status = output.writer->Append(values);
    return absl::IsInvalidArgument(status)
               ? absl::FailedPreconditionError("aggregation: the new model is not finite")
               : status;
  }

  // Keeps the error of the lowest block. Blocks are taken in ascending order and those taken are
  // finished or fail too, so the contribution that is named does not depend on the number of
  // threads.
  void Stop(std::uint64_t block, absl::Status status) {
    stopped_ = true;
    MutexLock lock(mutex_);
    if (block < stopped_at_) {
      stopped_at_ = block;
      status_ = std::move(status);
    }
    turn_or_stop_.NotifyAll();
  }

  absl::StatusOr<Combined> Finish() {
    for (const SealedDeltaReader& reader : readers_) {
      const auto end = reader.CheckEnd();
      if (!end.ok() || *end != DeltaVerdict::kOk) {
        return StorageFault(
            contributions_[static_cast<std::size_t>(&reader - readers_.data())].delta.contributor);
      }
    }
    CARNET_RETURN_IF_ERROR(model_.writer->Finish());
    if (velocity_out_.writer.has_value()) {
      const absl::Status finished = velocity_out_.writer->Finish();
      if (!finished.ok()) {
        // The model alone is no result. Its removal may fail too; the first error is the one to
        // tell.
        static_cast<void>(RemoveFileDurably(options_.model_out));
        return finished;
      }
    }
    Combined combined;
    combined.model_sha256 = model_.hash.Finish();
    combined.model_bytes = model::CanonicalFileBytes(layout());
    combined.total_weight = total_weight_;
    if (velocity_out_.writer.has_value()) {
      combined.velocity_sha256 = velocity_out_.hash.Finish();
    }
    return combined;
  }

  const std::span<const Contribution> contributions_;
  const CombineOptions& options_;
  // Constant once open, but for the hashes and the writers, which belong to the thread that has the
  // turn.
  std::vector<SealedDeltaReader> readers_;
  std::uint64_t total_weight_ = 0;
  std::optional<HashedInput> base_;
  std::optional<HashedInput> velocity_;
  HashedOutput model_;
  HashedOutput velocity_out_;

  std::atomic<std::uint64_t> next_block_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  CondVar turn_or_stop_;
  std::uint64_t next_commit_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t stopped_at_ CARNET_GUARDED_BY(mutex_) = std::numeric_limits<std::uint64_t>::max();
  absl::Status status_ CARNET_GUARDED_BY(mutex_);
};

absl::Status CheckContributions(std::span<const Contribution> contributions) {
  if (contributions.empty()) {
    return absl::FailedPreconditionError("aggregation: no contribution, so no new model");
  }
  if (contributions.size() > kContributionsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("aggregation: more than ", kContributionsMax, " contributions"));
  }
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < contributions.size(); ++i) {
    const std::uint64_t weight = contributions[i].weight;
    if (weight == 0 || weight > kTotalWeightMax - total) {
      return absl::InvalidArgumentError(
          "aggregation: weights must be at least 1, in all at most 2^53");
    }
    total += weight;
    if (i > 0 && contributions[i - 1].delta.contributor >= contributions[i].delta.contributor) {
      return absl::InvalidArgumentError(
          "aggregation: contributors must be different and in ascending order");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Combined> Combine(std::span<const Contribution> contributions,
                                 const CombineOptions& options) {
  CARNET_RETURN_IF_ERROR(CheckContributions(contributions));
  CARNET_RETURN_IF_ERROR(CheckOptimizer(options.optimizer));
  if (options.threads < 1 || options.threads > kThreadsMax) {
    return absl::InvalidArgumentError("aggregation: the number of threads is out of range");
  }
  if (options.velocity.has_value() && !options.optimizer.has_state()) {
    return absl::InvalidArgumentError("aggregation: this optimizer has no velocity");
  }
  CombinePass pass(contributions, options);
  CARNET_RETURN_IF_ERROR(pass.Open());
  return pass.Run();
}

std::optional<std::string> FaultyContributor(const absl::Status& status) {
  const absl::optional<absl::Cord> contributor = status.GetPayload(kContributorUrl);
  if (!contributor.has_value()) {
    return std::nullopt;
  }
  return std::string(*contributor);
}

}  // namespace carnet::aggregation
