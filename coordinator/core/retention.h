// Which files and keys the live state needs, and which have served. Pure. Files go by these rules,
// never because nobody mentions them yet.
#ifndef CARNET_COORDINATOR_CORE_RETENTION_H_
#define CARNET_COORDINATOR_CORE_RETENTION_H_

#include <map>
#include <set>
#include <string>

#include "base/bytes.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

enum class BlobKind { kModel, kOptimizer, kSealed, kDelta };
// model, optimizer, sealed, delta: the names of their folders.
const char* BlobKindName(BlobKind kind);

struct BlobId {
  BlobKind kind = BlobKind::kModel;
  Bytes sha256;  // 32 bytes
  auto operator<=>(const BlobId&) const = default;
};

// Files that the state cannot go on without: at start each must exist, with this size where it is
// not 0.
std::map<BlobId, std::uint64_t> NeededBlobs(const State& state);

// Files kept when the last record came: those needed, each job's `keep`, and retained rounds.
std::set<BlobId> KeptBlobs(const State& state);

// Names of the rounds (job/round/attempt) and stagings whose artifacts may still arrive.
std::set<std::string> OpenArtifacts(const State& state);

// Ids of the keys whose files must exist.
std::set<std::string> NeededKeys(const State& state);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_RETENTION_H_
