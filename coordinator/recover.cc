#include "coordinator/recover.h"

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "base/status.h"
#include "coordinator/blobs/sealed_header.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/retention.h"
#include "exchange/artifact.h"
#include "ledger/walk.h"

namespace carnet::coordinator {
namespace {

absl::Status CheckNeeded(const State& state, const Blobs& blobs, const crypto::KeyFiles& keys) {
  for (const auto& [id, size] : NeededBlobs(state)) {
    const absl::StatusOr<std::uint64_t> found = blobs.SizeOf(id);
    if (!found.ok() || (size != 0 && *found != size)) {
      return WithRemedy(
          WithOperatorDetail(
              absl::DataLossError("a file that the ledger's state needs is missing or cut short"),
              blobs.PathOf(id).string()),
          "restore it from a backup of the state folder; its name is its SHA-256");
    }
  }
  for (const std::string& id : NeededKeys(state)) {
    CARNET_ASSIGN_OR_RETURN(const bool exists, keys.Exists(id));
    if (!exists) {
      return WithRemedy(
          WithOperatorDetail(absl::DataLossError("a key that the ledger's state needs is missing"),
                             id),
          "restore keys/ from a backup of the state folder");
    }
  }
  return absl::OkStatus();
}

// Whether a sealed file that no record names may still be named: its header is of a round or
// staging under way.
bool MayStillCount(const State& state, const v1::ArtifactHeader& header) {
  if (header.kind() == exchange::kKindShard) {
    const auto staging = state.stagings.find(header.job_id());
    return staging != state.stagings.end() && staging->second.phase == StagingPhase::kOrdered;
  }
  const Job* job = state.FindJob(header.job_id());
  return header.kind() == exchange::kKindDelta && job != nullptr && job->round.has_value() &&
         job->round->opened.round() == header.round() &&
         job->round->opened.attempt() == header.attempt();
}

}  // namespace

absl::StatusOr<State> FoldLedger(const ledger::LogView& log) {
  State state;
  CARNET_RETURN_IF_ERROR(
      ledger::ForEachOpened(log, std::max(1U, std::thread::hardware_concurrency()),
                            [&](std::uint64_t index, const ledger::Record& record) -> absl::Status {
                              return Apply(state, index, record.predicate);
                            }));
  return state;
}

absl::StatusOr<std::map<std::string, Bytes>> CheckAndSweep(const State& state, Blobs& blobs,
                                                           const crypto::KeyFiles& keys) {
  CARNET_RETURN_IF_ERROR(CheckNeeded(state, blobs, keys));
  std::map<std::string, Bytes> uploaded;
  CARNET_ASSIGN_OR_RETURN(const std::set<BlobId> present, blobs.List());
  for (const BlobId& id : present) {
    const absl::StatusOr<exchange::Header> header = ReadSealedHeader(blobs, id);
    if (header.ok() && MayStillCount(state, header->fields)) {
      blobs.MarkPending(id);
      if (header->fields.kind() == exchange::kKindShard) {
        uploaded[header->fields.job_id()] = id.sha256;
      }
    }
  }
  CARNET_RETURN_IF_ERROR(blobs.Sweep(KeptBlobs(state)));
  CARNET_RETURN_IF_ERROR(keys.RemoveLeftovers());
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> key_ids, keys.List());
  const std::set<std::string> needed = NeededKeys(state);
  for (const std::string& id : key_ids) {
    // Keys of rounds that never opened, and ordered destructions that Reconcile would only repeat.
    if (absl::StartsWith(id, "k-") && needed.count(id) == 0) {
      CARNET_RETURN_IF_ERROR(keys.Destroy(id));
    }
  }
  return uploaded;
}

}  // namespace carnet::coordinator
