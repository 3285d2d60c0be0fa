// A base model on its way into the blob store.
#ifndef CARNET_COORDINATOR_RPC_JOBS_UPLOAD_H_
#define CARNET_COORDINATOR_RPC_JOBS_UPLOAD_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/files.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/rpc/services.h"
#include "crypto/hash.h"

namespace carnet::coordinator {

inline constexpr std::uint64_t kModelUploadBytesMax = std::uint64_t{64} << 30;
inline constexpr std::size_t kModelUploadChunkBytesMax = std::size_t{1} << 20;
inline constexpr int kModelUploadsActiveMax = 4;
// Left free on the file system, so that the ledger can still be written.
inline constexpr std::uint64_t kModelUploadReserveBytes = std::uint64_t{64} << 20;

// One upload: open, then bytes in order. The file gets its place only whole, with the announced
// digest, as strict safetensors without NaN or infinity; anything else leaves nothing. A model that
// is already there is answered at once. At most one read is outstanding. Deletes itself in OnDone.
class ModelUploadReactor final : public grpc::ServerReadReactor<v1::UploadModelRequest> {
 public:
  // active: uploads under way, of the service; outlives the reactor. response: of the call.
  ModelUploadReactor(const Services& services, std::atomic<int>& active,
                     absl::StatusOr<UserPeer> user, v1::UploadModelResponse* response);
  ~ModelUploadReactor() override;

  void OnReadDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  // One after another: the sender's role, what it announces, its bytes, the whole.
  void OnOpen();
  void StartFile();
  absl::Status MakeFile();
  void OnChunk();
  void OnWhole();
  absl::Status AddWhole();
  void RunOn(BoundedExecutor& executor, absl::AnyInvocable<void()> work);
  void End(const absl::Status& status);

  const Services& services_;
  std::atomic<int>& active_;
  const absl::StatusOr<UserPeer> user_;
  v1::UploadModelResponse* const response_;
  const bool admitted_;
  v1::UploadModelRequest request_;
  bool opened_ = false;
  std::uint64_t bytes_ = 0;
  BlobId blob_;
  std::optional<SpoolFile> file_;
  std::uint64_t offset_ = 0;
  crypto::Sha256Stream hash_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_UPLOAD_H_
