// The files that records name: models, optimizer states, sealed artifacts and deltas,
// content-addressed. A file is durable under its digest before the record that names it is
// appended.
//   blobs/model/<sha256>      safetensors            blobs/optimizer/<sha256>  safetensors
//   blobs/sealed/<sha256>     sealed models, shards  blobs/delta/<sha256>      sealed deltas; both
//   with <sha256>.header blobs/partial/<name>      being written; swept at start
#ifndef CARNET_COORDINATOR_BLOBS_BLOBS_H_
#define CARNET_COORDINATOR_BLOBS_BLOBS_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "coordinator/core/retention.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// One process writes (the state lock). Calls for different files are thread-safe; errors are those
// of base/files.h.
class Blobs {
 public:
  // Makes the folders where they do not exist, and removes what a crash left half-written.
  static absl::StatusOr<std::unique_ptr<Blobs>> Open(const std::filesystem::path& directory);

  std::filesystem::path PathOf(const BlobId& id) const;
  // Where to write a file before it is added; `name` is the caller's, unique among what is under
  // way.
  std::filesystem::path PartialPath(const std::string& name) const;

  // Takes over the fsynced file `from` under `id`; durable on return. The same content again is
  // fine. Until a Sweep sees it among what is kept, the file is pending: no record names it yet,
  // and no Sweep takes it.
  absl::Status Add(const std::filesystem::path& from, const BlobId& id);
  // For a file that an earlier run added and whose record may still come.
  void MarkPending(const BlobId& id);
  // No record will name it: the next Sweep takes it unless it is among what is kept.
  void UnmarkPending(const BlobId& id);
  // The header that belongs to a sealed blob; before Add. Makes the blob pending.
  absl::Status AddHeader(const BlobId& id, const std::string& header);
  absl::StatusOr<std::string> ReadHeader(const BlobId& id) const;

  // Error NOT_FOUND: no such blob.
  absl::StatusOr<std::uint64_t> SizeOf(const BlobId& id) const;
  bool Has(const BlobId& id) const { return SizeOf(id).ok(); }
  // Idempotent.
  absl::Status Remove(const BlobId& id);
  absl::StatusOr<std::set<BlobId>> List() const;
  // Removes every file that is neither in `kept` nor pending.
  absl::Status Sweep(const std::set<BlobId>& kept);

 private:
  explicit Blobs(std::filesystem::path directory) : directory_(std::move(directory)) {}
  const std::filesystem::path directory_;
  Mutex mutex_;
  std::set<BlobId> pending_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_BLOBS_BLOBS_H_
