// Uploads under way: one spool for each sealed header, taken over into the blobs when it is whole.
// Thread-safe; the calls block on files.
#ifndef CARNET_COORDINATOR_RPC_UPLOADS_H_
#define CARNET_COORDINATOR_RPC_UPLOADS_H_

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "coordinator/blobs/blobs.h"
#include "exchange/artifact.h"
#include "exchange/spool.h"

namespace carnet::coordinator {

// Uploads that are known at once, whole ones whose round has not ended among them.
inline constexpr std::size_t kUploadsKnownMax = 10'000;
// Whole uploads of one sender for one round: a sender that lost its file sends another.
inline constexpr std::size_t kUploadsWholeMax = 4;

// One stream's hold on a spool.
class Upload {
 public:
  // Offset to go on from; complete when there is nothing left to send.
  const exchange::Acknowledgement& first() const { return first_; }
  // Errors: those of exchange::ReceiveSpool::Write and Acknowledge. DATA_LOSS: the digest is not
  // the one announced.
  absl::StatusOr<std::optional<exchange::Acknowledgement>> Write(std::uint64_t offset,
                                                                 ByteView data, absl::Duration now);
  // What came goes, whole or not. Error: those of exchange::DropSpool; the round's end tries again.
  absl::Status Drop();
  ~Upload();

 private:
  friend class Uploads;
  Upload() = default;
  absl::StatusOr<exchange::Acknowledgement> Finish(const exchange::Acknowledgement& last);

  class Uploads* owner_ = nullptr;
  std::string key_;
  exchange::Header header_;
  Digest sealed_sha256_{};
  BlobId blob_;
  exchange::Acknowledgement first_;
  std::optional<exchange::ReceiveSpool> spool_;
};

class Uploads {
 public:
  // Makes `directory` where it does not exist. Spools of an earlier run wait for their senders, and
  // whole uploads that it took over for their records; what nothing wants goes with DropUnwanted.
  static absl::StatusOr<std::unique_ptr<Uploads>> Open(const std::filesystem::path& directory,
                                                       std::size_t active_max, Blobs& blobs);

  // Opens or resumes. The blob's kind is delta, or sealed for a shard. A sender has one upload
  // under way for a round or staging: what it had begun under another header goes. Errors:
  // RESOURCE_EXHAUSTED active_max streams (retry), or no room, or kUploadsKnownMax or
  // kUploadsWholeMax reached. ABORTED: another stream has this upload, or this sender's other one
  // (retry). Those of exchange::ReceiveSpool::Open.
  absl::StatusOr<std::unique_ptr<Upload>> Start(exchange::Header header, std::uint64_t sealed_bytes,
                                                const Digest& sealed_sha256, absl::Duration now);

  // Drops the spools of rounds and stagings that no longer wait for anything, and lets go of what
  // came whole for them: the next sweep takes what no record needs. `wanted`: job/round/attempt or
  // staging ids; the first call has those that spools of an earlier run can be of.
  void DropUnwanted(const std::set<std::string>& wanted);
  // What `wanted` calls this artifact.
  static std::string NameOf(const v1::ArtifactHeader& header);

 private:
  friend class Upload;
  // An upload that somebody began.
  struct Known {
    std::string name;  // NameOf
    std::string sender;
    BlobId blob;
    bool whole = false;  // the blob has taken it over
  };

  Uploads(std::filesystem::path directory, std::size_t active_max, Blobs& blobs)
      : directory_(std::move(directory)), active_max_(active_max), blobs_(blobs) {}
  absl::Status FindWhole();
  // Takes the place of the upload; `replaced`: headers of those of its sender that go for it.
  absl::Status Admit(const std::string& key, Known known, std::vector<std::string>* replaced)
      CARNET_EXCLUDES(mutex_);
  void OnWhole(const std::string& key) CARNET_EXCLUDES(mutex_);
  void DropSpools(const std::vector<std::string>& keys);

  const std::filesystem::path directory_;
  const std::size_t active_max_;
  Blobs& blobs_;
  Mutex mutex_;
  // By the hex of the header's digest.
  std::set<std::string> active_ CARNET_GUARDED_BY(mutex_);  // with a stream
  std::map<std::string, Known> known_ CARNET_GUARDED_BY(mutex_);
  std::set<std::string> leftovers_ CARNET_GUARDED_BY(mutex_);  // of an earlier run: spools, no name
  std::optional<std::set<std::string>> wanted_first_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_UPLOADS_H_
