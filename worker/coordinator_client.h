// The coordinator as a worker calls it. worker/rpc implements it over gRPC; tests bring their own.
// Calls block.
#ifndef CARNET_WORKER_COORDINATOR_CLIENT_H_
#define CARNET_WORKER_COORDINATOR_CLIENT_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "exchange/spool.h"
#include "worker/trainer.h"

namespace carnet::worker {

// Thread-safe. Errors are those of federation.proto; UNAVAILABLE and DEADLINE_EXCEEDED: no answer,
// retry with backoff, every call is safe to repeat.
class CoordinatorClient {
 public:
  virtual ~CoordinatorClient() = default;

  // Long poll. CANCELLED: CancelPoll was called, before or while it waits.
  virtual absl::StatusOr<v1::NextTaskResponse> NextTask(const v1::NextTaskRequest& request,
                                                        absl::Duration wait_max) = 0;
  // Ends the NextTask that waits, or else the next one. From any thread.
  virtual void CancelPoll() = 0;

  // One connection: hands on chunks from request.offset() until the coordinator ends the stream,
  // the sink returns an error (which is returned), or `cancel` is raised (CANCELLED).
  using ChunkSink = std::function<absl::Status(std::uint64_t offset, ByteView data)>;
  virtual absl::Status Download(const v1::DownloadRequest& request, const ChunkSink& sink,
                                const CancelFlag& cancel) = 0;
  // One connection: sends what the coordinator does not have yet. OK: it has all, durably, with the
  // announced digest.
  virtual absl::Status Upload(const v1::UploadOpen& open, const exchange::SendFile& file,
                              const CancelFlag& cancel) = 0;

  virtual absl::StatusOr<v1::SubmitRecordResponse> SubmitContribution(
      const v1::SubmitRecordRequest& request) = 0;
  virtual absl::StatusOr<v1::SubmitRecordResponse> SubmitEvaluation(
      const v1::SubmitRecordRequest& request) = 0;
  virtual absl::StatusOr<v1::ConfirmStagedResponse> ConfirmStaged(
      const v1::ConfirmStagedRequest& request) = 0;
  virtual absl::Status FailTask(const v1::FailTaskRequest& request) = 0;
  virtual absl::StatusOr<v1::GetConsistencyResponse> GetConsistency(
      const v1::GetConsistencyRequest& request) = 0;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_COORDINATOR_CLIENT_H_
