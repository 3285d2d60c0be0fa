#include "coordinator/blobs/blobs.h"

#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/list_dir.h"
#include "base/status.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kHeaderBytesMax = std::size_t{16} * 1024;
constexpr BlobKind kKinds[] = {BlobKind::kModel, BlobKind::kOptimizer, BlobKind::kSealed,
                               BlobKind::kDelta};

std::filesystem::path HeaderPath(const std::filesystem::path& blob) {
  return blob.string() + ".header";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Blobs>> Blobs::Open(const std::filesystem::path& directory) {
  std::unique_ptr<Blobs> blobs(new Blobs(directory));
  for (const BlobKind kind : kKinds) {
    CARNET_RETURN_IF_ERROR(MakeDirs(directory / BlobKindName(kind)));
    CARNET_RETURN_IF_ERROR(RemoveTemporaryFiles(directory / BlobKindName(kind)));
  }
  const std::filesystem::path partial = directory / "partial";
  CARNET_RETURN_IF_ERROR(MakeDirs(partial));
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> left, ListDir(partial));
  for (const std::filesystem::path& path : left) {
    CARNET_RETURN_IF_ERROR(RemoveFileDurably(path));
  }
  return blobs;
}

std::filesystem::path Blobs::PathOf(const BlobId& id) const {
  return directory_ / BlobKindName(id.kind) / HexEncode(id.sha256);
}

std::filesystem::path Blobs::PartialPath(const std::string& name) const {
  return directory_ / "partial" / name;
}

absl::Status Blobs::Add(const std::filesystem::path& from, const BlobId& id) {
  MarkPending(id);
  return RenameDurably(from, PathOf(id));
}

void Blobs::MarkPending(const BlobId& id) {
  const MutexLock lock(mutex_);
  pending_.insert(id);
}

void Blobs::UnmarkPending(const BlobId& id) {
  const MutexLock lock(mutex_);
  pending_.erase(id);
}

absl::Status Blobs::AddHeader(const BlobId& id, const std::string& header) {
  MarkPending(id);
  return WriteFileAtomic(HeaderPath(PathOf(id)), AsBytes(header));
}

absl::StatusOr<std::string> Blobs::ReadHeader(const BlobId& id) const {
  CARNET_ASSIGN_OR_RETURN(const Bytes header, ReadFile(HeaderPath(PathOf(id)), kHeaderBytesMax));
  return ToString(header);
}

absl::StatusOr<std::uint64_t> Blobs::SizeOf(const BlobId& id) const {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(PathOf(id), error);
  if (error) {
    return WithOperatorDetail(absl::NotFoundError("a stored file is missing"), PathOf(id).string());
  }
  return size;
}

absl::Status Blobs::Remove(const BlobId& id) {
  {
    const MutexLock lock(mutex_);
    pending_.erase(id);
  }
  CARNET_RETURN_IF_ERROR(RemoveFileDurably(PathOf(id)));
  if (id.kind == BlobKind::kSealed || id.kind == BlobKind::kDelta) {
    return RemoveFileDurably(HeaderPath(PathOf(id)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<BlobId>> Blobs::List() const {
  std::set<BlobId> ids;
  for (const BlobKind kind : kKinds) {
    CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> paths,
                            ListDir(directory_ / BlobKindName(kind)));
    for (const std::filesystem::path& path : paths) {
      const std::string name = path.stem().string();
      if (const absl::StatusOr<Bytes> digest = HexDecode(name);
          digest.ok() && digest->size() == kDigestBytes) {
        ids.insert(BlobId{kind, *digest});
      }
    }
  }
  return ids;
}

absl::Status Blobs::Sweep(const std::set<BlobId>& kept) {
  CARNET_ASSIGN_OR_RETURN(const std::set<BlobId> present, List());
  std::set<BlobId> pending;
  {
    const MutexLock lock(mutex_);
    // What a record names is pending no more.
    std::erase_if(pending_, [&](const BlobId& id) { return kept.count(id) != 0; });
    pending = pending_;
  }
  for (const BlobId& id : present) {
    if (kept.count(id) != 0 || pending.count(id) != 0) {
      continue;
    }
    {
      // It may have been added since the list was made.
      const MutexLock lock(mutex_);
      if (pending_.count(id) != 0) {
        continue;
      }
    }
    CARNET_RETURN_IF_ERROR(Remove(id));
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
