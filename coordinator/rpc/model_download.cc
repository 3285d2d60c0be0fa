#include "coordinator/rpc/model_download.h"

#include <utility>

#include "base/status.h"
#include "coordinator/core/release.h"
#include "coordinator/rpc/people_gate.h"

namespace carnet::coordinator {

absl::StatusOr<const Job*> ReleasedJob(const State& state, const std::string& user_id,
                                       const std::string& job_id, std::uint32_t round,
                                       absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, ExportableJob(state, user_id, job_id));
  CARNET_ASSIGN_OR_RETURN(const RoundResult* const result, ResultOfRound(*job, round));
  if (LiveRelease(state, user_id, result->model_sha256, now) == nullptr) {
    return absl::PermissionDeniedError("another model is the newest by now: name its round");
  }
  return job;
}

ModelDownload::ModelDownload(const Services& services, Transfers& transfers,
                             grpc::CallbackServerContext& context,
                             const v1::DownloadModelRequest& request)
    : FileStream(services, transfers, context),
      request_(request),
      user_(services.peers.User(context)) {
  if (!user_.ok()) {
    End(user_.status());
    return;
  }
  PassRelease(services_, user_->user_id, request_.job_id(), request_.round(),
              [this](grpc::Status status) {
                if (!status.ok()) {
                  EndWith(std::move(status));
                  return;
                }
                services_.engine.Read(
                    [this](const State& state, absl::Time now) { OnAllowed(state, now); });
              });
}

void ModelDownload::OnAllowed(const State& state, absl::Time now) {
  const absl::StatusOr<const Job*> job =
      ReleasedJob(state, user_->user_id, request_.job_id(), request_.round(), now);
  if (!job.ok()) {
    End(job.status());
    return;
  }
  const Bytes& model = (*ResultOfRound(**job, request_.round()))->model_sha256;
  const std::uint64_t release = LiveRelease(state, user_->user_id, model, now)->index;
  Begin({"", "", ReleaseTicket(release), false}, state, now, {BlobKind::kModel, model}, 0,
        absl::NotFoundError("this round's model file is not kept (the job's `keep` says which)"));
}

}  // namespace carnet::coordinator
