#include "worker/journal.h"

#include <google/protobuf/message_lite.h>

#include <system_error>
#include <utility>

#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "worker/state_dir.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMessageBytesMax = std::size_t{2} << 20;

std::string DirectoryName(absl::string_view task_id) {
  return HexEncode(crypto::Sha256(AsBytes(task_id)));
}

absl::Status Keep(const fs::path& path, const google::protobuf::MessageLite& message) {
  return WriteFileAtomic(path, AsBytes(message.SerializeAsString()));
}

// False: there is none, or it is not one of ours. Both mean that the step has to be done again.
absl::StatusOr<bool> Read(const fs::path& path, google::protobuf::MessageLite* message) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                          ReadIfThere(path, kMessageBytesMax));
  return bytes.has_value() && message->ParseFromString(*bytes);
}

}  // namespace

absl::StatusOr<Journal> Journal::Open(const fs::path& tasks, absl::string_view task_id) {
  const fs::path directory = tasks / DirectoryName(task_id);
  CARNET_RETURN_IF_ERROR(MakeDirs(directory));
  CARNET_RETURN_IF_ERROR(RemoveTemporaryFiles(directory));
  return Journal(directory);
}

absl::Status Journal::Sweep(const fs::path& tasks, absl::string_view keep_task_id) {
  const std::string keep = DirectoryName(keep_task_id);
  std::error_code error;
  for (fs::directory_iterator entry(tasks, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->path().filename() != keep) {
      std::error_code ignored;
      fs::remove_all(entry->path(), ignored);
    }
  }
  if (error) {
    return FileError(error.value(), "list", tasks);
  }
  return absl::OkStatus();
}

absl::Status Journal::KeepUpload(const v1::UploadOpen& open, const v1::Contribution& draft) {
  CARNET_RETURN_IF_ERROR(Keep(directory_ / "draft.pb", draft));
  return Keep(directory_ / "upload.pb", open);
}

absl::StatusOr<std::optional<v1::UploadOpen>> Journal::Upload(absl::string_view task_id) const {
  v1::UploadOpen open;
  CARNET_ASSIGN_OR_RETURN(const bool there, Read(directory_ / "upload.pb", &open));
  std::error_code error;
  const auto size = fs::file_size(sealed(), error);
  if (!there || error || size != open.sealed_bytes() || open.task_id() != task_id) {
    return std::optional<v1::UploadOpen>();
  }
  return std::optional<v1::UploadOpen>(std::move(open));
}

absl::StatusOr<v1::Contribution> Journal::Draft() const {
  v1::Contribution draft;
  CARNET_ASSIGN_OR_RETURN(const bool there, Read(directory_ / "draft.pb", &draft));
  if (!there) {
    return absl::DataLossError("journal: an upload without its draft");
  }
  return draft;
}

absl::Status Journal::KeepRecord(const v1::SignedRecord& record) {
  return Keep(directory_ / "record.pb", record);
}

absl::StatusOr<std::optional<v1::SignedRecord>> Journal::Record() const {
  v1::SignedRecord record;
  CARNET_ASSIGN_OR_RETURN(const bool there, Read(directory_ / "record.pb", &record));
  return there ? std::optional<v1::SignedRecord>(std::move(record)) : std::nullopt;
}

absl::Status Journal::Remove() {
  std::error_code error;
  fs::remove_all(directory_, error);
  return error ? FileError(error.value(), "remove", directory_) : absl::OkStatus();
}

}  // namespace carnet::worker
