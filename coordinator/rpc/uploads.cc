#include "coordinator/rpc/uploads.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/blobs/sealed_header.h"

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
  owner_->OnWhole(key_);
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
  std::unique_ptr<Uploads> uploads(new Uploads(directory, active_max, blobs));
  CARNET_ASSIGN_OR_RETURN(const std::vector<Digest> spools, exchange::ListSpools(directory));
  CARNET_RETURN_IF_ERROR(uploads->FindWhole());
  const MutexLock lock(uploads->mutex_);
  for (const Digest& spool : spools) {
    uploads->leftovers_.insert(HexEncode(spool));
  }
  return uploads;
}

// Sealed files whose headers say what they were uploaded for.
absl::Status Uploads::FindWhole() {
  CARNET_ASSIGN_OR_RETURN(const std::set<BlobId> present, blobs_.List());
  const MutexLock lock(mutex_);
  for (const BlobId& id : present) {
    const absl::StatusOr<exchange::Header> header = ReadSealedHeader(blobs_, id);
    if (header.ok() && (header->fields.kind() == exchange::kKindDelta ||
                        header->fields.kind() == exchange::kKindShard)) {
      known_[HexEncode(header->sha256)] = {NameOf(header->fields), header->fields.sender(), id,
                                           true};
    }
  }
  return absl::OkStatus();
}

absl::Status Uploads::Admit(const std::string& key, Known known,
                            std::vector<std::string>* replaced) {
  const MutexLock lock(mutex_);
  if (active_.size() >= active_max_) {
    return absl::ResourceExhaustedError("too many uploads: try again later");
  }
  if (active_.count(key) != 0) {
    return absl::AbortedError("another stream sends this upload");
  }
  std::size_t whole = 0;
  for (const auto& [other, begun] : known_) {
    if (other == key || begun.name != known.name || begun.sender != known.sender) {
      continue;
    }
    if (active_.count(other) != 0) {
      return absl::AbortedError("another stream of this sender sends for the same");
    }
    if (begun.whole) {
      ++whole;
    } else {
      replaced->push_back(other);
    }
  }
  const auto begun = known_.find(key);
  if (begun == known_.end() && whole >= kUploadsWholeMax) {
    return absl::ResourceExhaustedError("too many whole uploads of this sender for one task");
  }
  if (begun == known_.end() && known_.size() >= kUploadsKnownMax) {
    return absl::ResourceExhaustedError("too many uploads are known: try again later");
  }
  for (const std::string& other : *replaced) {
    known_.erase(other);
  }
  leftovers_.erase(key);
  known.whole = begun != known_.end() && begun->second.whole;
  known_[key] = std::move(known);
  active_.insert(key);
  return absl::OkStatus();
}

void Uploads::OnWhole(const std::string& key) {
  const MutexLock lock(mutex_);
  if (const auto known = known_.find(key); known != known_.end()) {
    known->second.whole = true;
  }
}

absl::StatusOr<std::unique_ptr<Upload>> Uploads::Start(exchange::Header header,
                                                       std::uint64_t sealed_bytes,
                                                       const Digest& sealed_sha256,
                                                       absl::Duration now) {
  std::unique_ptr<Upload> upload(new Upload());
  upload->key_ = HexEncode(header.sha256);
  upload->blob_ =
      BlobId{header.fields.kind() == exchange::kKindDelta ? BlobKind::kDelta : BlobKind::kSealed,
             Bytes(sealed_sha256.begin(), sealed_sha256.end())};
  std::vector<std::string> replaced;
  CARNET_RETURN_IF_ERROR(Admit(
      upload->key_, {NameOf(header.fields), header.fields.sender(), upload->blob_}, &replaced));
  upload->owner_ = this;  // From here on the destructor gives the place back.
  DropSpools(replaced);
  upload->sealed_sha256_ = sealed_sha256;
  upload->header_ = std::move(header);
  if (const absl::StatusOr<std::uint64_t> size = blobs_.SizeOf(upload->blob_);
      size.ok() && *size == sealed_bytes) {
    const absl::StatusOr<std::string> stored = blobs_.ReadHeader(upload->blob_);
    if (stored.ok() && *stored == upload->header_.bytes) {
      OnWhole(upload->key_);
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
  std::vector<std::string> unwanted;
  {
    const MutexLock lock(mutex_);
    for (auto it = known_.begin(); it != known_.end();) {
      if (active_.count(it->first) != 0 || wanted.count(it->second.name) != 0) {
        ++it;
        continue;
      }
      if (it->second.whole) {
        blobs_.UnmarkPending(it->second.blob);
      } else {
        unwanted.push_back(it->first);
      }
      it = known_.erase(it);
    }
    // Whose they are is known when their senders come back. They can only be of what was wanted at
    // the start.
    if (!wanted_first_.has_value()) {
      wanted_first_ = wanted;
    }
    const bool may_come =
        std::any_of(wanted_first_->begin(), wanted_first_->end(),
                    [&](const std::string& name) { return wanted.count(name) != 0; });
    if (!may_come) {
      unwanted.insert(unwanted.end(), leftovers_.begin(), leftovers_.end());
      leftovers_.clear();
    }
  }
  DropSpools(unwanted);
}

void Uploads::DropSpools(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    const absl::StatusOr<Bytes> id = HexDecode(key);
    CARNET_CHECK(id.ok() && id->size() == kDigestBytes);
    Digest digest;
    std::copy(id->begin(), id->end(), digest.begin());
    if (const absl::Status status = exchange::DropSpool(directory_, digest); !status.ok()) {
      Log(LogLevel::kWarning, "spool.not_dropped", {{"why", status}});
    }
  }
}

}  // namespace carnet::coordinator
