#include "coordinator/recompute/kept_files.h"

#include <system_error>

#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "coordinator/core/apply.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;

// False: there is no such file.
absl::StatusOr<bool> CopyFile(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(from, error)) {
    return false;
  }
  fs::copy_file(from, to, fs::copy_options::skip_existing, error);
  if (error) {
    return FileError(error.value(), "copy", from);
  }
  fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write, error);
  CARNET_RETURN_IF_ERROR(SyncFile(to));
  return true;
}

// False: it is not there, or not whole.
absl::StatusOr<bool> CopyBlob(const BlobId& id, const fs::path& blobs, const fs::path& out) {
  const fs::path name = fs::path(BlobKindName(id.kind)) / HexEncode(id.sha256);
  CARNET_ASSIGN_OR_RETURN(bool copied, CopyFile(blobs / name, out / name));
  if (copied && id.kind == BlobKind::kDelta) {
    const std::string header = name.string() + ".header";
    CARNET_ASSIGN_OR_RETURN(copied, CopyFile(blobs / header, out / header));
  }
  return copied;
}

}  // namespace

fs::path KeptFilesOf(const fs::path& bundle) {
  return bundle.string() + ".blobs";
}

absl::StatusOr<std::vector<RetainedRound>> KeptRounds(const ledger::LogView& log,
                                                      const std::string& job_id, absl::Time now) {
  State state;
  CARNET_RETURN_IF_ERROR(log.ForEachRecord(
      0, [&](std::uint64_t index, const v1::SignedRecord& record) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
        return Apply(state, index, opened.predicate);
      }));
  std::vector<RetainedRound> rounds = RetainedBlobs(state, now);
  if (!job_id.empty()) {
    std::erase_if(rounds, [&](const RetainedRound& round) { return round.job_id != job_id; });
  }
  return rounds;
}

absl::StatusOr<CopiedFiles> CopyKeptFiles(const std::vector<RetainedRound>& rounds,
                                          const fs::path& blobs, const fs::path& out) {
  CopiedFiles files;
  for (const BlobKind kind : {BlobKind::kModel, BlobKind::kDelta}) {
    CARNET_RETURN_IF_ERROR(MakeDirs(out / BlobKindName(kind)));
  }
  const RetainedRound* before = nullptr;
  for (const RetainedRound& round : rounds) {
    const bool follows =
        before != nullptr && before->job_id == round.job_id && before->round + 1 == round.round;
    if (!follows && round.base_model.has_value()) {
      CARNET_ASSIGN_OR_RETURN(const bool copied, CopyBlob(*round.base_model, blobs, out));
      ++(copied ? files.models : files.gone);
    }
    for (const BlobId& delta : round.deltas) {
      CARNET_ASSIGN_OR_RETURN(const bool copied, CopyBlob(delta, blobs, out));
      ++(copied ? files.deltas : files.gone);
    }
    before = &round;
  }
  return files;
}

}  // namespace carnet::coordinator
