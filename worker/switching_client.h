// A client that can be replaced while calls are under way: a renewed certificate needs a new
// connection, and the old one lives until its last call has returned. Thread-safe.
#ifndef CARNET_WORKER_SWITCHING_CLIENT_H_
#define CARNET_WORKER_SWITCHING_CLIENT_H_

#include <memory>
#include <utility>

#include "base/mutex.h"
#include "worker/coordinator_client.h"

namespace carnet::worker {

class SwitchingClient final : public CoordinatorClient {
 public:
  explicit SwitchingClient(std::shared_ptr<CoordinatorClient> client)
      : client_(std::move(client)) {}

  // New calls go to `client`.
  void Switch(std::shared_ptr<CoordinatorClient> client) {
    const MutexLock lock(mutex_);
    client_ = std::move(client);
  }

  absl::StatusOr<v1::NextTaskResponse> NextTask(const v1::NextTaskRequest& request,
                                                absl::Duration wait_max) override {
    return Current()->NextTask(request, wait_max);
  }
  void CancelPoll() override { Current()->CancelPoll(); }
  absl::Status Download(const v1::DownloadRequest& request, const ChunkSink& sink,
                        const CancelFlag& cancel) override {
    return Current()->Download(request, sink, cancel);
  }
  absl::Status Upload(const v1::UploadOpen& open, const exchange::SendFile& file,
                      const CancelFlag& cancel) override {
    return Current()->Upload(open, file, cancel);
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitContribution(
      const v1::SubmitRecordRequest& request) override {
    return Current()->SubmitContribution(request);
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitEvaluation(
      const v1::SubmitRecordRequest& request) override {
    return Current()->SubmitEvaluation(request);
  }
  absl::StatusOr<v1::ConfirmStagedResponse> ConfirmStaged(
      const v1::ConfirmStagedRequest& request) override {
    return Current()->ConfirmStaged(request);
  }
  absl::Status FailTask(const v1::FailTaskRequest& request) override {
    return Current()->FailTask(request);
  }
  absl::StatusOr<v1::GetConsistencyResponse> GetConsistency(
      const v1::GetConsistencyRequest& request) override {
    return Current()->GetConsistency(request);
  }

 private:
  std::shared_ptr<CoordinatorClient> Current() const {
    const MutexLock lock(mutex_);
    return client_;
  }

  mutable Mutex mutex_;
  std::shared_ptr<CoordinatorClient> client_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_SWITCHING_CLIENT_H_
