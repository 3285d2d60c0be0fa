#include "coordinator/rpc/federation_service.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "coordinator/blobs/sealed_header.h"
#include "coordinator/rpc/task_download.h"
#include "coordinator/rpc/task_message.h"
#include "coordinator/rpc/upload_reactor.h"
#include "coordinator/rpc/verify_contribution.h"
#include "ledger/errors.h"
#include "ledger/later_head.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr int kClaimsMax = 4096;
constexpr int kHandoversMax = 4;
constexpr std::size_t kHeadBytesMax = std::size_t{16} * 1024;

// The answer to a poll, proofs included. Blocks on the log.
absl::Status FillAnswer(const Services& services, const WorkerPeer& worker, PolicyTrail& trail,
                        const v1::NextTaskRequest& request, const PollAnswer& answer,
                        v1::NextTaskResponse* response) {
  const v1::Seen& seen = request.seen();
  const ledger::SignedHead head = services.log.Head();
  response->set_head(head.note);
  if (seen.size() > 0 && seen.size() < head.head.size) {
    CARNET_ASSIGN_OR_RETURN(*response->mutable_consistency(),
                            services.log.ConsistencyProof(seen.size(), head.head.size));
  }
  if (const absl::StatusOr<ledger::SignedHead> published = services.log.PublishedHead();
      published.ok()) {
    response->set_published_head(published->note);
  }
  for (const std::uint64_t index : answer.rotations) {
    CARNET_ASSIGN_OR_RETURN(*response->add_rotations(), ProveUnder(services.log, index, head));
  }
  CARNET_RETURN_IF_ERROR(trail.Fill(services.log, request, head, response));
  response->set_cancel_current(answer.cancel_current);
  // A worker takes no task before it knows the policies that it was opened under.
  if (answer.task.has_value() && !response->policy_continues()) {
    CARNET_ASSIGN_OR_RETURN(*response->mutable_task(),
                            MakeTask(services, *answer.task, worker, head));
  }
  return absl::OkStatus();
}

// A worker shows the newest head that it verified. Only this log's own signature, or that of a key
// that it handed over to, proves that it forgot something.
absl::Status CheckWhatItSaw(const Services& services, const v1::NextTaskRequest& request) {
  if (request.seen_head().empty()) {
    return absl::OkStatus();
  }
  const absl::Status status =
      ledger::CheckShownHead(services.log, request.seen_head(),
                             {request.seen_handovers().begin(), request.seen_handovers().end()});
  if (ledger::IsLogMisbehaviour(status)) {
    services.engine.ReportMisbehaviour(status);
  }
  return status;
}

// The sealed delta of a contribution that was rejected, or cut, has no use any more, unless a
// record needs it: the next sweep decides. A contribution may name any digest, so only what this
// worker uploaded is let go.
void LetGo(const Services& services, const WorkerPeer& worker, const BlobId& blob) {
  const absl::StatusOr<exchange::Header> header = ReadSealedHeader(services.blobs, blob);
  if (header.ok() && header->fields.sender() == worker.spiffe_id) {
    services.blobs.UnmarkPending(blob);
  }
}

// A parsed record of one type, or INVALID_ARGUMENT.
template <typename Message>
absl::StatusOr<Message> OpenAs(const v1::SignedRecord& signed_record) {
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenRecord(signed_record));
  const Message* message = record.As<Message>();
  if (message == nullptr) {
    return absl::InvalidArgumentError("a record of another type");
  }
  return *message;
}

}  // namespace

grpc::ServerUnaryReactor* FederationService::NextTask(grpc::CallbackServerContext* context,
                                                      const v1::NextTaskRequest* request,
                                                      v1::NextTaskResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  const absl::StatusOr<LiveUse> use =
      worker.ok() ? instances_.Poll(*context, worker->worker_id) : worker.status();
  if (!use.ok()) {
    reactor->Finish(ToGrpcStatus(use.status()));
  } else if (request->claims_size() > kClaimsMax || request->seen_head().size() > kHeadBytesMax ||
             request->seen_handovers_size() > kHandoversMax) {
    reactor->Finish(ToGrpcStatus(absl::InvalidArgumentError(
        "at most 4096 claims, a head of 16 KiB and 4 handovers of the log's key")));
  } else if (*use == LiveUse::kTwo) {
    instances_.CutOff(worker->worker_id, [reactor](const absl::Status& status) {
      reactor->Finish(ToGrpcStatus(status));
    });
  } else {
    const absl::Status admitted =
        services_.storage.TrySubmit([this, peer = *worker, use = *use, request, response, reactor] {
          const absl::Status saw = CheckWhatItSaw(services_, *request);
          if (!saw.ok()) {
            reactor->Finish(ToGrpcStatus(saw));
          } else {
            Poll(peer, use, *request, response, reactor);
          }
        });
    if (!admitted.ok()) {
      reactor->Finish(ToGrpcStatus(admitted));
    }
  }
  return reactor;
}

void FederationService::Poll(const WorkerPeer& worker, LiveUse use,
                             const v1::NextTaskRequest& request, v1::NextTaskResponse* response,
                             grpc::ServerUnaryReactor* reactor) {
  coordinator::Poll poll;
  poll.worker_id = worker.worker_id;
  poll.current_task = request.current_task();
  poll.draining = request.draining();
  poll.progress = request.progress();
  poll.claims.assign(request.claims().begin(), request.claims().end());
  poll.rotations_known = request.rotations_known();
  const absl::StatusOr<bool> news = trail_.HasNews(services_.log, request.policy_followed());
  if (!news.ok()) {
    reactor->Finish(ToGrpcStatus(news.status()));
    return;
  }
  if (*news || use == LiveUse::kSuperseded) {
    // Nobody waits for what there is to say already; the engine takes the heartbeat. Of a process
    // that another one superseded there is none: if it lives, its next poll shows it.
    if (use == LiveUse::kNewest) {
      poll.wants_task = false;
      services_.engine.PollTask(std::move(poll), [](absl::StatusOr<PollAnswer>) {});
    }
    PollAnswer answer;
    answer.rotations = trail_.Rotations(request.rotations_known(), services_.log.Size());
    reactor->Finish(ToGrpcStatus(FillAnswer(services_, worker, trail_, request, answer, response)));
    return;
  }
  // The request lives until the call is finished.
  services_.engine.PollTask(std::move(poll), [this, worker, &request, response,
                                              reactor](absl::StatusOr<PollAnswer> answer) {
    if (!answer.ok()) {
      reactor->Finish(ToGrpcStatus(instances_.WithReason(worker.worker_id, answer.status())));
      return;
    }
    if (answer->task.has_value() && answer->task->name.kind == v1::TASK_KIND_RECEIVE_SHARD) {
      answer->task->artifact.set_sealed_sha256(
          ToString(services_.engine.UploadedShard(answer->task->name.id)));
    }
    FinishOn(services_.storage, reactor,
             [this, worker, &request, answer = *std::move(answer), response] {
               return FillAnswer(services_, worker, trail_, request, answer, response);
             });
  });
}

grpc::ServerWriteReactor<v1::DownloadChunk>* FederationService::Download(
    grpc::CallbackServerContext* context, const v1::DownloadRequest* request) {
  return new TaskDownload(services_, transfers_, instances_, *context, *request);
}

grpc::ServerBidiReactor<v1::UploadRequest, v1::UploadResponse>* FederationService::Upload(
    grpc::CallbackServerContext* context) {
  return new UploadReactor(services_, uploads_, transfers_, instances_, *context);
}

grpc::ServerUnaryReactor* FederationService::SubmitContribution(
    grpc::CallbackServerContext* context, const v1::SubmitRecordRequest* request,
    v1::SubmitRecordResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  absl::Status status = worker.status();
  status.Update(CheckRequestId(request->request_id()));
  if (status.ok()) {
    status = services_.verify.TrySubmit([this, peer = *worker, request, response, reactor] {
      Verify(peer, *request, response, reactor);
    });
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
  }
  return reactor;
}

void FederationService::Verify(const WorkerPeer& worker, const v1::SubmitRecordRequest& request,
                               v1::SubmitRecordResponse* response,
                               grpc::ServerUnaryReactor* reactor) {
  absl::StatusOr<v1::Contribution> contribution = OpenAs<v1::Contribution>(request.record());
  if (!contribution.ok()) {
    reactor->Finish(ToGrpcStatus(contribution.status()));
    return;
  }
  absl::StatusOr<RoundExpectation> expected = absl::UnavailableError("the coordinator is stopping");
  bool on_record = false;
  const absl::Status read = services_.engine.ReadBlocking([&](const State& state, absl::Time) {
    on_record = FindReceipt(state, worker.worker_id, *contribution).has_value();
    expected = ExpectationOf(state, contribution->job_id(), worker.worker_id);
  });
  absl::Status known = read;
  known.Update(expected.status());
  absl::StatusOr<coordinator::SubmitContribution> command =
      absl::UnavailableError("the coordinator is stopping");
  if (read.ok() && on_record) {
    // The receipt of an earlier call went astray: there is nothing to verify again.
    coordinator::SubmitContribution again;
    again.worker_id = worker.worker_id;
    again.record = request.record();
    again.contribution = *std::move(contribution);
    command = std::move(again);
  } else if (!known.ok()) {
    command = known;
  } else {
    command = VerifyContribution(services_, *expected, worker, request.record(),
                                 *std::move(contribution));
  }
  if (!command.ok()) {
    reactor->Finish(ToGrpcStatus(command.status()));
    return;
  }
  const BlobId blob{BlobKind::kDelta, ToBytes(command->contribution.sealed_sha256())};
  services_.engine.Submit(
      *std::move(command), request.request_id(),
      [this, blob, worker, response, reactor](absl::StatusOr<Answer> answer) {
        const absl::Status status = answer.ok() ? answer->status : answer.status();
        FinishOn(services_.storage, reactor,
                 [this, status, blob, worker, answer = std::move(answer), response] {
                   if (answer.ok() &&
                       (absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status))) {
                     LetGo(services_, worker, blob);
                   }
                   CARNET_RETURN_IF_ERROR(status);
                   CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(),
                                           services_.log.MakeReceipt(answer->index.value_or(0)));
                   return absl::OkStatus();
                 });
      });
}

grpc::ServerUnaryReactor* FederationService::SubmitEvaluation(
    grpc::CallbackServerContext* context, const v1::SubmitRecordRequest* request,
    v1::SubmitRecordResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  absl::Status status = worker.status();
  status.Update(CheckRequestId(request->request_id()));
  if (status.ok()) {
    status = services_.verify.TrySubmit([this, peer = *worker, request, response, reactor] {
      absl::StatusOr<v1::Evaluation> evaluation = OpenAs<v1::Evaluation>(request->record());
      if (!evaluation.ok()) {
        reactor->Finish(ToGrpcStatus(evaluation.status()));
        return;
      }
      coordinator::SubmitEvaluation command;
      command.worker_id = peer.worker_id;
      command.record = request->record();
      command.signed_by_worker = request->record().public_key() == AsText(peer.statement_key);
      command.seen_in_log = services_.log.CheckSeen(evaluation->seen()).ok();
      command.evaluation = *std::move(evaluation);
      SubmitAndFinish(services_, std::move(command), request->request_id(), reactor,
                      ReceiptInto(services_, response));
    });
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
  }
  return reactor;
}

grpc::ServerUnaryReactor* FederationService::ConfirmStaged(grpc::CallbackServerContext* context,
                                                           const v1::ConfirmStagedRequest* request,
                                                           v1::ConfirmStagedResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  absl::Status status = worker.status();
  status.Update(CheckRequestId(request->request_id()));
  const absl::StatusOr<TaskName> name = ParseTaskId(request->task_id());
  status.Update(name.status());
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  services_.engine.Read([this, peer = *worker, name = *name, request, response, reactor](
                            const State&, absl::Time) {
    const Bytes sealed = services_.engine.UploadedShard(name.id);
    const absl::StatusOr<std::uint64_t> size = services_.blobs.SizeOf({BlobKind::kSealed, sealed});
    coordinator::ConfirmStaged command{peer.worker_id, name.id, ToBytes(request->sha256()), sealed,
                                       size.value_or(0)};
    SubmitAndFinish(services_, std::move(command), request->request_id(), reactor,
                    ReceiptInto(services_, response));
  });
  return reactor;
}

grpc::ServerUnaryReactor* FederationService::FailTask(grpc::CallbackServerContext* context,
                                                      const v1::FailTaskRequest* request,
                                                      v1::FailTaskResponse*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  absl::Status status = worker.status();
  status.Update(CheckRequestId(request->request_id()));
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  SubmitAndFinish(services_,
                  coordinator::FailTask{worker->worker_id, request->task_id(), request->failure()},
                  request->request_id(), reactor, [](std::uint64_t) { return absl::OkStatus(); });
  return reactor;
}

grpc::ServerUnaryReactor* FederationService::GetConsistency(
    grpc::CallbackServerContext* context, const v1::GetConsistencyRequest* request,
    v1::GetConsistencyResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<WorkerPeer> worker = services_.peers.Worker(*context);
  if (!worker.ok()) {
    reactor->Finish(ToGrpcStatus(worker.status()));
    return reactor;
  }
  FinishOn(services_.storage, reactor, [this, request, response]() -> absl::Status {
    std::uint64_t new_size = request->new_size();
    if (new_size == 0) {
      const ledger::SignedHead head = services_.log.Head();
      response->set_head(head.note);
      new_size = head.head.size;
    }
    CARNET_ASSIGN_OR_RETURN(*response->mutable_consistency(),
                            services_.log.ConsistencyProof(request->old_size(), new_size));
    return absl::OkStatus();
  });
  return reactor;
}

}  // namespace carnet::coordinator
