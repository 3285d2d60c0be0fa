// A coordinator in memory: serves one round's model, takes uploads through the real transfer and
// spool, and appends what is submitted to the test's log. Errors can be planted before each call.
#ifndef CARNET_TESTS_UNIT_WORKER_FAKE_COORDINATOR_H_
#define CARNET_TESTS_UNIT_WORKER_FAKE_COORDINATOR_H_

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "exchange/spool.h"
#include "tests/unit/worker/test_support.h"
#include "worker/coordinator_client.h"
#include "worker/task_runner.h"

namespace carnet::worker {

// A site that lets everything leave, or what was planted; counts how often it was asked.
struct FakeGate final : ExitGate {
  absl::Status MayLeave(const std::string&) override {
    ++asked;
    if (answers.empty()) {
      return absl::OkStatus();
    }
    const absl::Status answer = answers.front();
    answers.pop_front();
    return answer;
  }
  std::deque<absl::Status> answers;
  int asked = 0;
};

class FakeCoordinator final : public CoordinatorClient {
 public:
  explicit FakeCoordinator(TestFederation& federation) : federation_(federation) {}

  absl::StatusOr<v1::NextTaskResponse> NextTask(const v1::NextTaskRequest&,
                                                absl::Duration) override {
    return absl::UnavailableError("no tasks here");
  }
  void CancelPoll() override {
    const MutexLock lock(mutex_);
    ++cancels_;
    changed_.NotifyAll();
  }
  void WaitForCancel() {
    const MutexLock lock(mutex_);
    while (cancels_ == 0) {
      changed_.Wait(mutex_);
    }
  }
  int cancels() const {
    const MutexLock lock(mutex_);
    return cancels_;
  }

  // Sends `download` from the offset on, and breaks after `break_after_bytes` once.
  absl::Status Download(const v1::DownloadRequest& request, const ChunkSink& sink,
                        const CancelFlag&) override {
    download_offsets.push_back(request.offset());
    std::size_t sent = 0;
    for (std::size_t offset = static_cast<std::size_t>(request.offset());
         offset < download.size();) {
      if (break_after_bytes.has_value() && sent >= *break_after_bytes) {
        break_after_bytes.reset();
        return absl::UnavailableError("broken");
      }
      const std::size_t take = std::min(chunk_bytes, download.size() - offset);
      CARNET_RETURN_IF_ERROR(sink(offset, ByteView(download).subspan(offset, take)));
      offset += take;
      sent += take;
    }
    return absl::OkStatus();
  }

  absl::Status Upload(const v1::UploadOpen& open, const exchange::SendFile& file,
                      const CancelFlag&) override {
    uploads.push_back(open);
    on_upload();
    if (!upload_errors.empty()) {
      const absl::Status error = upload_errors.front();
      upload_errors.pop_front();
      return error;
    }
    uploaded.resize(file.size_bytes());
    return file.ReadAt(0, uploaded);
  }

  absl::StatusOr<v1::SubmitRecordResponse> SubmitContribution(
      const v1::SubmitRecordRequest& request) override {
    return Take(request);
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitEvaluation(
      const v1::SubmitRecordRequest& request) override {
    return Take(request);
  }
  absl::StatusOr<v1::ConfirmStagedResponse> ConfirmStaged(
      const v1::ConfirmStagedRequest& request) override {
    confirmed.push_back(request);
    return v1::ConfirmStagedResponse();
  }
  absl::Status FailTask(const v1::FailTaskRequest& request) override {
    failures.push_back(request);
    return absl::OkStatus();
  }
  absl::StatusOr<v1::GetConsistencyResponse> GetConsistency(
      const v1::GetConsistencyRequest& request) override {
    ++consistency_calls;
    v1::GetConsistencyResponse response;
    *response.mutable_consistency() =
        federation_.log.Consistency(request.old_size(), request.new_size());
    return response;
  }

  Bytes download;
  std::size_t chunk_bytes = 100;
  std::optional<std::size_t> break_after_bytes;
  std::vector<std::uint64_t> download_offsets;
  std::vector<v1::UploadOpen> uploads;
  std::deque<absl::Status> upload_errors;
  Bytes uploaded;
  std::deque<absl::Status> submit_errors;
  std::vector<v1::SubmitRecordRequest> submitted;
  std::vector<v1::ConfirmStagedRequest> confirmed;
  std::vector<v1::FailTaskRequest> failures;
  int consistency_calls = 0;
  std::function<void()> on_upload = [] {};
  std::function<void()> on_submit = [] {};

 private:
  // The same statement gets its first receipt's index again.
  absl::StatusOr<v1::SubmitRecordResponse> Take(const v1::SubmitRecordRequest& request) {
    submitted.push_back(request);
    on_submit();
    std::optional<std::uint64_t> index;
    for (std::size_t i = 0; i + 1 < submitted.size(); ++i) {
      if (submitted[i].record().statement() == request.record().statement()) {
        index = indexes_.at(i);
      }
    }
    if (!index.has_value()) {
      index = federation_.log.Append(request.record());
    }
    indexes_.push_back(*index);
    if (!submit_errors.empty()) {
      // After the append: the reply is what got lost.
      const absl::Status error = submit_errors.front();
      submit_errors.pop_front();
      return error;
    }
    v1::SubmitRecordResponse response;
    *response.mutable_receipt()->mutable_proof() =
        federation_.log.Prove(*index, federation_.log.size()).proof();
    response.mutable_receipt()->set_head(federation_.log.Head());
    return response;
  }

  TestFederation& federation_;
  std::vector<std::uint64_t> indexes_;
  mutable Mutex mutex_;
  CondVar changed_;
  int cancels_ CARNET_GUARDED_BY(mutex_) = 0;
};

}  // namespace carnet::worker

#endif  // CARNET_TESTS_UNIT_WORKER_FAKE_COORDINATOR_H_
