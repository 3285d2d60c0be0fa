#include "coordinator/rpc/uploads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"

namespace carnet::coordinator {

Upload::~Upload() {
  if (owner_ != nullptr) {
    const MutexLock lock(owner_->mutex_);
    owner_->active_.erase(key_);
  }
}

absl::StatusOr<std::optional<exchange::Acknowledgement>> Upload::Write(std::uint64_t offset,
                                                                       ByteView data,
                                                                       absl::Duration now) {
  if (!spool_.has_value()) {
    return absl::FailedPreconditionError("the upload is complete");
  }
  CARNET_RETURN_IF_ERROR(spool_->Write(offset, data));
  CARNET_ASSIGN_OR_RETURN(const std::optional<exchange::Acknowledgement> acknowledged,
                          spool_->Acknowledge(now));
  if (!acknowledged.has_value() || !acknowledged->complete) {
    return acknowledged;
  }
  CARNET_ASSIGN_OR_RETURN(const exchange::Acknowledgement finished, Finish(*acknowledged));
  return std::optional<exchange::Acknowledgement>(finished);
}

// Whole and durable: the blob takes the spool over. A crash before the rename leaves the spool,
// which is whole when it is opened again; after it, the blob is found under its digest.
absl::StatusOr<exchange::Acknowledgement> Upload::Finish(const exchange::Acknowledgement& last) {
  CARNET_RETURN_IF_ERROR(owner_->blobs_.AddHeader(blob_, header_.bytes));
  const std::filesystem::path path = spool_->path();
  spool_.reset();
  CARNET_RETURN_IF_ERROR(owner_->blobs_.Add(path, blob_));
  CARNET_RETURN_IF_ERROR(exchange::DropSpool(owner_->directory_, header_.sha256));
  return last;
}

absl::Status Upload::Drop() {
  spool_.reset();
  owner_->blobs_.UnmarkPending(blob_);
  return exchange::DropSpool(owner_->directory_, header_.sha256);
}

absl::StatusOr<std::unique_ptr<Uploads>> Uploads::Open(const std::filesystem::path& directory,
                                                       std::size_t active_max, Blobs& blobs) {
  CARNET_RETURN_IF_ERROR(MakeDirs(directory));
  return std::unique_ptr<Uploads>(new Uploads(directory, active_max, blobs));
}

absl::StatusOr<std::unique_ptr<Upload>> Uploads::Start(exchange::Header header,
                                                       std::uint64_t sealed_bytes,
                                                       const Digest& sealed_sha256,
                                                       absl::Duration now) {
  std::unique_ptr<Upload> upload(new Upload());
  upload->key_ = HexEncode(header.sha256);
  {
    const MutexLock lock(mutex_);
    if (active_.size() >= active_max_) {
      return absl::ResourceExhaustedError("too many uploads: try again later");
    }
    if (!active_.insert(upload->key_).second) {
      return absl::AbortedError("another stream sends this upload");
    }
    names_[upload->key_] = NameOf(header.fields);
  }
  upload->owner_ = this;  // From here on the destructor gives the place back.
  upload->sealed_sha256_ = sealed_sha256;
  upload->blob_ =
      BlobId{header.fields.kind() == exchange::kKindDelta ? BlobKind::kDelta : BlobKind::kSealed,
             Bytes(sealed_sha256.begin(), sealed_sha256.end())};
  upload->header_ = std::move(header);
  if (const absl::StatusOr<std::uint64_t> size = blobs_.SizeOf(upload->blob_);
      size.ok() && *size == sealed_bytes) {
    const absl::StatusOr<std::string> stored = blobs_.ReadHeader(upload->blob_);
    if (stored.ok() && *stored == upload->header_.bytes) {
      upload->first_ = {sealed_bytes, true};
      return upload;
    }
  }
  const exchange::TransferSpec spec{upload->header_.sha256, sealed_bytes, sealed_sha256};
  absl::StatusOr<exchange::ReceiveSpool> spool =
      exchange::ReceiveSpool::Open(directory_, spec, now);
  CARNET_RETURN_IF_ERROR(spool);
  upload->spool_ = *std::move(spool);
  CARNET_ASSIGN_OR_RETURN(upload->first_, upload->spool_->Flush(now));
  if (upload->first_.complete) {
    CARNET_ASSIGN_OR_RETURN(upload->first_, upload->Finish(upload->first_));
  }
  return upload;
}

std::string Uploads::NameOf(const v1::ArtifactHeader& header) {
  return header.kind() == exchange::kKindDelta
             ? absl::StrCat(header.job_id(), "/", header.round(), "/", header.attempt())
             : header.job_id();
}

void Uploads::DropUnwanted(const std::set<std::string>& wanted) {
  const absl::StatusOr<std::vector<Digest>> spools = exchange::ListSpools(directory_);
  if (!spools.ok()) {
    Log(LogLevel::kWarning, "spools.not_listed", {{"why", spools.status()}});
    return;
  }
  for (const Digest& id : *spools) {
    const std::string key = HexEncode(id);
    {
      const MutexLock lock(mutex_);
      const auto name = names_.find(key);
      // A spool of an earlier run has no name before its sender comes back; the start drops what
      // nobody can want.
      if (active_.count(key) != 0 || name == names_.end() || wanted.count(name->second) != 0) {
        continue;
      }
      names_.erase(name);
    }
    if (const absl::Status status = exchange::DropSpool(directory_, id); !status.ok()) {
      Log(LogLevel::kWarning, "spool.not_dropped", {{"why", status}});
    }
  }
}

}  // namespace carnet::coordinator
