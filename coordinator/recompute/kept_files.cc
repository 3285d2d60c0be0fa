#include "coordinator/recompute/kept_files.h"

#include <system_error>

#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "coordinator/core/apply.h"
#include "exchange/data_digest.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytesMax = std::size_t{16} * 1024;

absl::StatusOr<bool> HasDigest(const fs::path& file, const Bytes& sha256) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::FileDigest(file));
  return Bytes(digest.begin(), digest.end()) == sha256;
}

// False: there is no such file. What a kill or a full disk leaves has another name, and is written
// over by the next call.
absl::StatusOr<bool> CopyFile(const fs::path& from, const fs::path& to, const Bytes& sha256) {
  std::error_code error;
  if (!fs::exists(from, error)) {
    return false;
  }
  if (fs::exists(to, error)) {
    CARNET_ASSIGN_OR_RETURN(const bool whole, HasDigest(to, sha256));
    if (whole) {
      return true;
    }
  }
  const fs::path part = to.string() + ".part";
  fs::copy_file(from, part, fs::copy_options::overwrite_existing, error);
  if (error) {
    return FileError(error.value(), "copy", from);
  }
  fs::permissions(part, fs::perms::owner_read | fs::perms::owner_write, error);
  CARNET_ASSIGN_OR_RETURN(const bool whole, HasDigest(part, sha256));
  if (!whole) {
    fs::remove(part, error);
    return WithOperatorDetail(
        absl::DataLossError("a kept file is not the one that it is named after"), from.string());
  }
  CARNET_RETURN_IF_ERROR(SyncFile(part));
  CARNET_RETURN_IF_ERROR(RenameDurably(part, to));
  return true;
}

// False: there is none.
absl::StatusOr<bool> CopyHeader(const fs::path& from, const fs::path& to) {
  const absl::StatusOr<Bytes> header = ReadFile(from, kHeaderBytesMax);
  if (absl::IsNotFound(header.status())) {
    return false;
  }
  CARNET_RETURN_IF_ERROR(header);
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(to, *header));
  return true;
}

// False: it is not there, or not whole.
absl::StatusOr<bool> CopyBlob(const BlobId& id, const fs::path& blobs, const fs::path& out) {
  const fs::path name = fs::path(BlobKindName(id.kind)) / HexEncode(id.sha256);
  CARNET_ASSIGN_OR_RETURN(bool copied, CopyFile(blobs / name, out / name, id.sha256));
  if (copied && id.kind == BlobKind::kDelta) {
    const std::string header = name.string() + ".header";
    CARNET_ASSIGN_OR_RETURN(copied, CopyHeader(blobs / header, out / header));
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
    // Whoever computes this round again has what the one before gave, if that is kept for him too.
    const bool follows = before != nullptr && before->job_id == round.job_id &&
                         before->round + 1 == round.round && before->kept_for == round.kept_for;
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
