#include "cli/commands/job_submit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/output.h"
#include "coordinator/core/job_spec.h"
#include "exchange/data_digest.h"
#include "exchange/spool.h"
#include "ledger/record.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kUploadChunkBytes = std::size_t{1} << 20;

absl::Status UploadModel(Client& client, CommandContext& context, const JobFile& file,
                         ByteView sha256) {
  CARNET_ASSIGN_OR_RETURN(const exchange::SendFile source,
                          exchange::SendFile::Open(file.model, file.model_bytes));
  grpc::ClientContext call;
  Client::SetDeadline(call, kTransferMax);
  v1::UploadModelResponse response;
  const auto stream = client.jobs().UploadModel(&call, &response);
  v1::UploadModelRequest message;
  message.mutable_open()->set_bytes(file.model_bytes);
  message.mutable_open()->set_sha256(ToString(sha256));
  bool going = stream->Write(message);
  ProgressLine progress(context);
  for (std::uint64_t offset = 0; going && offset < file.model_bytes;) {
    const std::size_t size = static_cast<std::size_t>(
        std::min<std::uint64_t>(kUploadChunkBytes, file.model_bytes - offset));
    std::string* data = message.mutable_data();
    data->resize(size);
    CARNET_RETURN_IF_ERROR(
        source.ReadAt(offset, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()}));
    going = stream->Write(message);
    offset += size;
    progress.Show(
        absl::StrCat("uploading the model  ",
                     Bar(static_cast<double>(offset) / static_cast<double>(file.model_bytes), 30),
                     "  ", FormatBytes(offset), " of ", FormatBytes(file.model_bytes)));
  }
  // A coordinator that has the model already ends the stream at once, with OK.
  stream->WritesDone();
  CARNET_RETURN_IF_ERROR(client.ToStatus(stream->Finish()));
  if (response.sha256() != AsText(sha256)) {
    return absl::UnauthenticatedError("the coordinator took another model than was sent");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobFile> LoadJobFile(const std::filesystem::path& file) {
  JobFile job;
  CARNET_ASSIGN_OR_RETURN(job.spec, LoadYamlFile<v1::JobSpec>(file));
  const std::string& given = job.spec.model().sha256();
  if (job.spec.model().file().empty()) {
    return WithOperatorDetail(
        absl::InvalidArgumentError("job: model.file: name the safetensors file to start from"),
        file.string());
  }
  job.model = file.parent_path() / job.spec.model().file();
  CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::FileDigest(job.model));
  if (!given.empty() && given != HexEncode(digest)) {
    return WithRemedy(
        WithOperatorDetail(
            absl::InvalidArgumentError("job: model.sha256: the file has another digest"),
            absl::StrCat(job.model.string(), " has ", HexEncode(digest))),
        "leave model.sha256 out, or correct it");
  }
  std::error_code error;
  job.model_bytes = std::filesystem::file_size(job.model, error);
  job.spec.mutable_model()->set_sha256(HexEncode(digest));
  job.spec = coordinator::WithDefaults(std::move(job.spec));
  if (absl::Status status = coordinator::ValidateJob(job.spec); !status.ok()) {
    return WithOperatorDetail(std::move(status), file.string());
  }
  return job;
}

absl::StatusOr<Submitted> SubmitJobFile(Client& client, CommandContext& context,
                                        const JobFile& file) {
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519KeyPair key, client.StatementKey());
  CARNET_ASSIGN_OR_RETURN(const Digest model, DigestFromHex(file.spec.model().sha256()));
  CARNET_ASSIGN_OR_RETURN(const Digest spec, coordinator::JobSpecDigest(file.spec));
  CARNET_RETURN_IF_ERROR(UploadModel(client, context, file, model));
  const Bytes random = RandomBytes(client.rng(), kIdRandomBytes);
  v1::JobSubmitted record;
  v1::Common* common = record.mutable_common();
  common->set_nonce(ToString(RandomBytes(client.rng(), ledger::kNonceBytes)));
  *common->mutable_at() = ToTimestamp(absl::Now());
  common->set_request_id(client.NewRequestId());
  record.set_job_id(
      MakeId("j", std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes)));
  *record.mutable_spec() = file.spec;
  record.set_spec_sha256(ToString(spec));
  record.set_model_sha256(ToString(model));
  record.set_submitter(client.identity().facts.user_id());
  CARNET_ASSIGN_OR_RETURN(std::string statement, ledger::MakeStatement(record));
  v1::SubmitJobRequest request;
  *request.mutable_record() = ledger::SignRecord(std::move(statement), key);
  CARNET_ASSIGN_OR_RETURN(const v1::SubmitJobResponse response,
                          client.Call(client.jobs(), &v1::Jobs::Stub::SubmitJob, request));
  Submitted submitted;
  submitted.job_id = record.job_id();
  CARNET_ASSIGN_OR_RETURN(submitted.index,
                          client.VerifyReceipt(request.record(), response.receipt()));
  return submitted;
}

}  // namespace carnet::cli
