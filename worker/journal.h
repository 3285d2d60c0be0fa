// What a task has made so far, so that a restart repeats nothing that left the machine:
// tasks/<SHA-256 of the task id>/ holds
//   sealed        the sealed delta or shard; fsynced before `upload`
//   upload.pb     v1::UploadOpen: header, size, digest, signature. From here on a restart uploads,
//   and trains no more. draft.pb      v1::Contribution without `seen`, nonce and time; before
//   `upload` record.pb     the signed record; before it is submitted. From here on a restart
//   submits the same record again.
// The directory goes when the task ended.
#ifndef CARNET_WORKER_JOURNAL_H_
#define CARNET_WORKER_JOURNAL_H_

#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/federation.pb.h"
#include "carnet/v1/records.pb.h"

namespace carnet::worker {

class Journal {
 public:
  // Errors of all: those of base/files.h.
  static absl::StatusOr<Journal> Open(const std::filesystem::path& tasks,
                                      absl::string_view task_id);
  // Removes the journals of all other tasks.
  static absl::Status Sweep(const std::filesystem::path& tasks, absl::string_view keep_task_id);

  std::filesystem::path sealed() const { return directory_ / "sealed"; }

  absl::Status KeepUpload(const v1::UploadOpen& open, const v1::Contribution& draft);
  // The upload, if it was kept, is this task's and its file is whole.
  absl::StatusOr<std::optional<v1::UploadOpen>> Upload(absl::string_view task_id) const;
  absl::StatusOr<v1::Contribution> Draft() const;

  absl::Status KeepRecord(const v1::SignedRecord& record);
  absl::StatusOr<std::optional<v1::SignedRecord>> Record() const;

  // The task ended.
  absl::Status Remove();

 private:
  explicit Journal(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_JOURNAL_H_
