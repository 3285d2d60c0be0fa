#include "coordinator/rpc/jobs_upload.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "model/safetensors.h"

namespace carnet::coordinator {

ModelUploadReactor::ModelUploadReactor(const Services& services, std::atomic<int>& active,
                                       absl::StatusOr<UserPeer> user,
                                       v1::UploadModelResponse* response)
    : services_(services),
      active_(active),
      user_(std::move(user)),
      response_(response),
      admitted_(active.fetch_add(1) < kModelUploadsActiveMax) {
  if (!user_.ok()) {
    End(user_.status());
  } else if (!admitted_) {
    End(absl::ResourceExhaustedError("four models are being uploaded: try again later"));
  } else {
    StartRead(&request_);
  }
}

ModelUploadReactor::~ModelUploadReactor() {
  active_.fetch_sub(1);
}

void ModelUploadReactor::RunOn(BoundedExecutor& executor, absl::AnyInvocable<void()> work) {
  const absl::Status submitted = executor.TrySubmit(std::move(work));
  if (!submitted.ok()) {
    End(submitted);
  }
}

void ModelUploadReactor::OnReadDone(bool ok) {
  if (!ok) {
    if (file_.has_value() && offset_ == bytes_) {
      RunOn(services_.verify, [this] { OnWhole(); });
    } else {
      End(absl::InvalidArgumentError("model: fewer bytes came than were announced"));
    }
  } else if (!opened_ && request_.has_open()) {
    opened_ = true;
    OnOpen();
  } else if (file_.has_value() && request_.message_case() == v1::UploadModelRequest::kData) {
    RunOn(services_.bulk, [this] { OnChunk(); });
  } else {
    End(absl::InvalidArgumentError("an upload is one open, then data"));
  }
}

void ModelUploadReactor::OnOpen() {
  bytes_ = request_.open().bytes();
  blob_ = BlobId{BlobKind::kModel, ToBytes(request_.open().sha256())};
  if (blob_.sha256.size() != kDigestBytes || bytes_ == 0 || bytes_ > kModelUploadBytesMax) {
    End(absl::InvalidArgumentError("model: a SHA-256 and 1 byte to 64 GiB"));
    return;
  }
  services_.engine.Read([this](const State& state, absl::Time) {
    const absl::Status allowed = RequireRole(state, user_->user_id, {"member", "operator"});
    if (!allowed.ok()) {
      End(allowed);
    } else {
      RunOn(services_.bulk, [this] { StartFile(); });
    }
  });
}

void ModelUploadReactor::StartFile() {
  if (services_.blobs.Has(blob_)) {
    services_.blobs.MarkPending(blob_);
    response_->set_sha256(ToString(blob_.sha256));
    End(absl::OkStatus());
    return;
  }
  const absl::Status made = MakeFile();
  if (!made.ok()) {
    End(made);
  } else {
    StartRead(&request_);
  }
}

absl::Status ModelUploadReactor::MakeFile() {
  const std::filesystem::path path = services_.blobs.PartialPath(
      absl::StrCat("model-", HexEncode(RandomBytes(services_.rng, 16))));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t free, FreeBytes(path.parent_path()));
  if (free < bytes_ + kModelUploadReserveBytes) {
    return absl::ResourceExhaustedError("model: the coordinator's disk has no room for it");
  }
  CARNET_ASSIGN_OR_RETURN(file_, SpoolFile::Open(path));
  return absl::OkStatus();
}

void ModelUploadReactor::OnChunk() {
  const std::string& data = request_.data();
  if (data.empty() || data.size() > kModelUploadChunkBytesMax || data.size() > bytes_ - offset_) {
    End(absl::InvalidArgumentError(
        "model: an empty chunk, one over 1 MiB, or more than announced"));
    return;
  }
  const absl::Status written = file_->WriteAt(offset_, AsBytes(data));
  if (!written.ok()) {
    End(written);
    return;
  }
  hash_.Update(AsBytes(data));
  offset_ += data.size();
  StartRead(&request_);
}

void ModelUploadReactor::OnWhole() {
  const absl::Status added = AddWhole();
  if (added.ok()) {
    response_->set_sha256(ToString(blob_.sha256));
    file_.reset();  // it is a blob now
  }
  End(added);
}

absl::Status ModelUploadReactor::AddWhole() {
  const Digest digest = hash_.Finish();
  if (AsText(digest) != AsText(blob_.sha256)) {
    return absl::InvalidArgumentError("model: the bytes have another SHA-256");
  }
  const absl::StatusOr<model::SafetensorsReader> reader =
      model::SafetensorsReader::Open(file_->path());
  CARNET_RETURN_IF_ERROR(reader.status());
  CARNET_RETURN_IF_ERROR(model::CheckFinite(*reader));
  CARNET_RETURN_IF_ERROR(file_->Sync());
  return services_.blobs.Add(file_->path(), blob_);
}

void ModelUploadReactor::End(const absl::Status& status) {
  if (file_.has_value()) {
    RemoveFileDurably(file_->path()).IgnoreError();
    file_.reset();
  }
  Finish(ToGrpcStatus(status));
}

}  // namespace carnet::coordinator
