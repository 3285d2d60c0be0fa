#include "coordinator/core/retention.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/retained.h"

namespace carnet::coordinator {
namespace {

void AddSealed(const v1::SealedArtifact& artifact, std::map<BlobId, std::uint64_t>* blobs) {
  (*blobs)[{BlobKind::kSealed, ToBytes(artifact.sealed_sha256())}] = artifact.sealed_bytes();
}

// The golden-set metric that `best` goes by: the stop metric, else the first one that the job
// names.
std::string BestMetric(const v1::JobSpec& spec) {
  if (spec.has_stop()) {
    return spec.stop().metric();
  }
  return spec.metrics().empty() ? "" : spec.metrics(0);
}

void AddKept(const Job& job, std::set<BlobId>* kept) {
  const v1::KeepSpec& keep = job.submitted.spec().keep();
  const auto add = [&](const RoundResult& result) {
    kept->insert({BlobKind::kModel, result.model_sha256});
  };
  const std::size_t last = std::min<std::size_t>(keep.last(), job.results.size());
  std::for_each(job.results.end() - static_cast<std::ptrdiff_t>(last), job.results.end(), add);
  for (const RoundResult& result : job.results) {
    if (keep.every() > 0 && result.round % keep.every() == 0) {
      add(result);
    }
  }
  const std::string metric = BestMetric(job.submitted.spec());
  std::vector<const RoundResult*> evaluated;
  for (const RoundResult& result : job.results) {
    if (result.evaluation.count(metric) != 0) {
      evaluated.push_back(&result);
    }
  }
  const double sign = LowerIsBetter(metric) ? -1 : 1;
  std::stable_sort(evaluated.begin(), evaluated.end(),
                   [&](const RoundResult* a, const RoundResult* b) {
                     return sign * a->evaluation.at(metric) > sign * b->evaluation.at(metric);
                   });
  for (std::size_t i = 0; i < std::min<std::size_t>(keep.best(), evaluated.size()); ++i) {
    add(*evaluated[i]);
  }
}

}  // namespace

const char* BlobKindName(BlobKind kind) {
  switch (kind) {
    case BlobKind::kModel:
      return "model";
    case BlobKind::kOptimizer:
      return "optimizer";
    case BlobKind::kSealed:
      return "sealed";
    case BlobKind::kDelta:
      return "delta";
  }
  CARNET_CHECK(false);
}

std::map<BlobId, std::uint64_t> NeededBlobs(const State& state) {
  std::map<BlobId, std::uint64_t> blobs;
  for (const auto& [id, job] : state.jobs) {
    blobs[{BlobKind::kModel, job.model_sha256}] = 0;
    if (job.phase != JobPhase::kRunning) {
      continue;
    }
    if (!job.optimizer_state_sha256.empty()) {
      blobs[{BlobKind::kOptimizer, job.optimizer_state_sha256}] = 0;
    }
    if (job.round.has_value()) {
      AddSealed(job.round->opened.model(), &blobs);
      for (const auto& [worker_id, contribution] : job.round->contributions) {
        if (job.round->storage_faults.count(worker_id) == 0) {
          blobs[{BlobKind::kDelta, ToBytes(contribution.sealed_sha256)}] =
              contribution.sealed_bytes;
        }
      }
    }
    if (job.evaluation.has_value()) {
      AddSealed(job.evaluation->opened.model(), &blobs);
    }
  }
  return blobs;
}

std::set<BlobId> KeptBlobs(const State& state) {
  return KeptBlobsAt(state, state.last);
}

std::set<BlobId> KeptBlobsAt(const State& state, absl::Time now) {
  std::set<BlobId> kept;
  for (const auto& [id, size] : NeededBlobs(state)) {
    kept.insert(id);
  }
  for (const auto& [id, job] : state.jobs) {
    AddKept(job, &kept);
  }
  for (const RetainedRound& round : RetainedBlobs(state, now)) {
    kept.insert(round.deltas.begin(), round.deltas.end());
    if (round.base_model.has_value()) {
      kept.insert(*round.base_model);
    }
  }
  return kept;
}

std::set<std::string> OpenArtifacts(const State& state) {
  std::set<std::string> names;
  for (const auto& [id, job] : state.jobs) {
    if (job.phase == JobPhase::kRunning && job.round.has_value()) {
      names.insert(
          absl::StrCat(id, "/", job.round->opened.round(), "/", job.round->opened.attempt()));
    }
  }
  for (const auto& [id, staging] : state.stagings) {
    if (staging.phase == StagingPhase::kOrdered) {
      names.insert(id);
    }
  }
  return names;
}

std::set<std::string> NeededKeys(const State& state) {
  std::set<std::string> ids;
  for (const auto& [id, key] : state.keys) {
    if (key.phase == KeyPhase::kLive) {
      ids.insert(id);
    }
  }
  return ids;
}

}  // namespace carnet::coordinator
