#include "coordinator/rpc/jobs_service.h"

#include <utility>

#include "base/status.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/rpc/jobs_check.h"
#include "coordinator/rpc/jobs_manifest.h"
#include "coordinator/rpc/jobs_status.h"
#include "coordinator/rpc/jobs_stream.h"
#include "coordinator/rpc/jobs_upload.h"
#include "coordinator/rpc/model_download.h"
#include "coordinator/rpc/people_gate.h"
#include "ledger/manifest.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<coordinator::SubmitJob> OpenSubmission(const Services& services,
                                                      const std::string& user_id,
                                                      const v1::SubmitJobRequest& request) {
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenRecord(request.record()));
  const auto* submitted = record.As<v1::JobSubmitted>();
  if (submitted == nullptr) {
    return absl::InvalidArgumentError("a record of another type");
  }
  CARNET_RETURN_IF_ERROR(CheckRequestId(submitted->common().request_id()));
  coordinator::SubmitJob command;
  command.user_id = user_id;
  command.record = request.record();
  command.submitted = *submitted;
  if (submitted->model_sha256().size() != kDigestBytes) {
    return absl::InvalidArgumentError("model_sha256: expected 32 bytes");
  }
  // From here on no sweep takes the file before the record that names it counts.
  const BlobId model{BlobKind::kModel, ToBytes(submitted->model_sha256())};
  services.blobs.MarkPending(model);
  command.model_stored = services.blobs.Has(model);
  if (!command.model_stored) {
    services.blobs.UnmarkPending(model);
  }
  return command;
}

}  // namespace

JobsService::JobsService(const Services& services, Transfers& transfers)
    : services_(services), transfers_(transfers), watchers_(std::make_shared<JobWatchers>()) {
  services_.engine.AddCommitListener(
      [watchers = watchers_](const State&, std::uint64_t) { watchers->OnCommit(); });
}

grpc::ServerUnaryReactor* JobsService::Read(grpc::CallbackServerContext* context,
                                            ReadForUser read) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read([reactor, user = *std::move(user), read = std::move(read)](
                            const State& state, absl::Time) mutable {
    reactor->Finish(ToGrpcStatus(read(state, user.user_id)));
  });
  return reactor;
}

grpc::ServerUnaryReactor* JobsService::CheckJob(grpc::CallbackServerContext* context,
                                                const v1::CheckJobRequest* request,
                                                v1::CheckJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read([this, request, response, reactor](const State& state, absl::Time now) {
    // Many evaluations: on a copy, so that the strand goes on.
    FinishOn(services_.verify, reactor, [this, request, response, now, copy = state] {
      absl::StatusOr<v1::CheckJobResponse> checked = coordinator::CheckJob(
          copy, WithDefaults(request->spec()), now, RandomBytes(services_.rng, 32));
      CARNET_RETURN_IF_ERROR(checked.status());
      *response = *std::move(checked);
      return absl::OkStatus();
    });
  });
  return reactor;
}

grpc::ServerReadReactor<v1::UploadModelRequest>* JobsService::UploadModel(
    grpc::CallbackServerContext* context, v1::UploadModelResponse* response) {
  return new ModelUploadReactor(services_, model_uploads_, services_.peers.User(*context),
                                response);
}

grpc::ServerUnaryReactor* JobsService::SubmitJob(grpc::CallbackServerContext* context,
                                                 const v1::SubmitJobRequest* request,
                                                 v1::SubmitJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  absl::Status status = user.status();
  if (status.ok()) {
    status =
        services_.storage.TrySubmit([this, user_id = user->user_id, request, response, reactor] {
          absl::StatusOr<coordinator::SubmitJob> command =
              OpenSubmission(services_, user_id, *request);
          if (!command.ok()) {
            reactor->Finish(ToGrpcStatus(command.status()));
            return;
          }
          response->set_job_id(command->submitted.job_id());
          const std::string request_id = command->submitted.common().request_id();
          SubmitAndFinish(services_, *std::move(command), request_id, reactor,
                          ReceiptInto(services_, response));
        });
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
  }
  return reactor;
}

grpc::ServerUnaryReactor* JobsService::ListJobs(grpc::CallbackServerContext* context,
                                                const v1::ListJobsRequest*,
                                                v1::ListJobsResponse* response) {
  return Read(context, [this, response](const State& state, const std::string& user_id) {
    for (const auto& [id, job] : state.jobs) {
      if (SeesJob(state, user_id, job)) {
        *response->add_jobs() = MakeJobStatus(job, services_.engine.waiting());
      }
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobsService::GetJob(grpc::CallbackServerContext* context,
                                              const v1::GetJobRequest* request,
                                              v1::JobStatus* response) {
  return Read(
      context,
      [this, request, response](const State& state, const std::string& user_id) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const Job* const job,
                                VisibleJob(state, user_id, request->job_id()));
        *response = MakeJobStatus(*job, services_.engine.waiting());
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<v1::JobEvent>* JobsService::WatchJob(grpc::CallbackServerContext* context,
                                                              const v1::WatchJobRequest* request) {
  return new JobWatcher(services_, watchers_, services_.peers.User(*context), *request);
}

grpc::ServerUnaryReactor* JobsService::StopJob(grpc::CallbackServerContext* context,
                                               const v1::StopJobRequest* request,
                                               v1::StopJobResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  absl::Status status = user.status();
  status.Update(CheckRequestId(request->request_id()));
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  SubmitAndFinish(services_, coordinator::StopJob{user->user_id, request->job_id()},
                  request->request_id(), reactor, ReceiptInto(services_, response));
  return reactor;
}

grpc::ServerUnaryReactor* JobsService::GetMetrics(grpc::CallbackServerContext* context,
                                                  const v1::GetMetricsRequest* request,
                                                  v1::GetMetricsResponse* response) {
  return Read(context,
              [request, response](const State& state, const std::string& user_id) -> absl::Status {
                CARNET_ASSIGN_OR_RETURN(const Job* const job,
                                        VisibleJob(state, user_id, request->job_id()));
                *response = MakeJobMetrics(*job);
                return absl::OkStatus();
              });
}

grpc::ServerUnaryReactor* JobsService::ReleaseModel(grpc::CallbackServerContext* context,
                                                    const v1::ReleaseModelRequest* request,
                                                    v1::ReleaseModelResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  absl::Status status = user.status();
  status.Update(CheckRequestId(request->request_id()));
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  ReleaseModelFor(services_, user->user_id, request, response, reactor);
  return reactor;
}

grpc::ServerWriteReactor<v1::ModelChunk>* JobsService::DownloadModel(
    grpc::CallbackServerContext* context, const v1::DownloadModelRequest* request) {
  return new ModelDownload(services_, transfers_, *context, *request);
}

void JobsService::SendManifest(const std::string& user_id, const v1::GetManifestRequest& request,
                               BytesStreamReactor<v1::ManifestChunk>* reactor) {
  const auto make = [this, reactor](const ManifestFacts& facts) {
    const absl::StatusOr<ledger::ManifestOrder> order = MakeManifestOrder(services_.log, facts);
    absl::StatusOr<Bytes> manifest = order.ok() ? ledger::MakeManifest(services_.log, *order)
                                                : absl::StatusOr<Bytes>(order.status());
    manifest.ok() ? reactor->Begin(*std::move(manifest))
                  : reactor->Fail(ToGrpcStatus(manifest.status()));
  };
  services_.engine.Read(
      [this, reactor, make, user_id, &request](const State& state, absl::Time now) {
        const absl::StatusOr<const Job*> job =
            ReleasedJob(state, user_id, request.job_id(), request.round(), now);
        const absl::StatusOr<ManifestFacts> facts =
            job.ok() ? ManifestFactsOf(**job, request.round(), services_.engine.durable_size())
                     : absl::StatusOr<ManifestFacts>(job.status());
        // Reads the whole log: beside the verifications, where it holds up no append.
        const absl::Status status =
            facts.ok() ? services_.verify.TrySubmit([make, facts = *facts] { make(facts); })
                       : facts.status();
        if (!status.ok()) {
          reactor->Fail(ToGrpcStatus(status));
        }
      });
}

grpc::ServerWriteReactor<v1::ManifestChunk>* JobsService::GetManifest(
    grpc::CallbackServerContext* context, const v1::GetManifestRequest* request) {
  auto* reactor = new BytesStreamReactor<v1::ManifestChunk>();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Fail(ToGrpcStatus(user.status()));
    return reactor;
  }
  PassRelease(services_, user->user_id, request->job_id(), request->round(),
              [this, reactor, request, user_id = user->user_id](grpc::Status status) {
                status.ok() ? SendManifest(user_id, *request, reactor)
                            : reactor->Fail(std::move(status));
              });
  return reactor;
}

}  // namespace carnet::coordinator
