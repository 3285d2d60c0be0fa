#include "coordinator/rpc/admin_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/rpc/admin_status.h"
#include "coordinator/rpc/jobs_status.h"
#include "coordinator/rpc/key_admin.h"
#include "coordinator/rpc/metadata.h"
#include "coordinator/rpc/people_gate.h"
#include "crypto/hash.h"
#include "exchange/join_token.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kNameBytesMax = 256;

absl::Status CheckNames(std::initializer_list<const std::string*> names) {
  for (const std::string* name : names) {
    if (name->size() > kNameBytesMax) {
      return absl::InvalidArgumentError("a name has at most 256 bytes");
    }
  }
  return absl::OkStatus();
}

}  // namespace

template <typename Message>
absl::StatusOr<Message> AdminService::RecordAt(std::uint64_t index) const {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, services_.log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
  const Message* message = record.As<Message>();
  if (message == nullptr) {
    return absl::AlreadyExistsError("this request id was used for another request");
  }
  return *message;
}

grpc::ServerUnaryReactor* AdminService::InviteWorker(grpc::CallbackServerContext* context,
                                                     const v1::InviteWorkerRequest* request,
                                                     v1::InviteWorkerResponse* response) {
  auto secret = std::make_shared<crypto::SecretBytes>(
      crypto::SecretBytes::Random(services_.rng, exchange::kJoinSecretBytes));
  return SubmitForUser(
      services_, context, request->request_id(),
      [this, request, secret](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_RETURN_IF_ERROR(CheckNames({&request->region(), &request->slot()}));
        const Digest token = crypto::Sha256(secret->View());
        // Tokens carry whole seconds. `now` of the command is never before the wall clock.
        const absl::Time expires =
            absl::FromUnixSeconds(absl::ToUnixSeconds(services_.clock.Now() + kInvitationLife));
        return coordinator::InviteWorker{user_id, Bytes(token.begin(), token.end()),
                                         request->region(), request->slot(), expires};
      },
      [this, secret, response](std::uint64_t index) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const v1::WorkerInvited invited,
                                RecordAt<v1::WorkerInvited>(index));
        if (invited.token_sha256() != AsText(crypto::Sha256(secret->View()))) {
          return absl::AlreadyExistsError(
              "this invitation was made before and its token is shown once: ask for a new one");
        }
        exchange::JoinToken token;
        token.addresses = facts_.addresses;
        token.https_addresses = facts_.https_addresses;
        token.ca_spki_sha256 = services_.authorities.NewestSpkiSha256();
        token.log_vkey = facts_.log_vkey;
        token.genesis_leaf = facts_.genesis_leaf;
        token.region = invited.region();
        token.supplier = invited.supplier();
        token.slot = invited.slot();
        token.trust_domain = facts_.trust_domain;
        token.secret = secret->Clone();
        token.expires = ToTime(invited.expires());
        CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes text, exchange::EncodeJoinToken(token));
        response->set_token(ToString(text.View()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::RevokeWorker(grpc::CallbackServerContext* context,
                                                     const v1::RevokeWorkerRequest* request,
                                                     v1::RevokeWorkerResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::RevokeWorker{user_id, request->worker_id(), "operator"};
      },
      [this, response](std::uint64_t index) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const v1::WorkerRevoked revoked,
                                RecordAt<v1::WorkerRevoked>(index));
        services_.engine.Forget(revoked.worker_id());
        CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services_.log.MakeReceipt(index));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::ListWorkers(grpc::CallbackServerContext* context,
                                                    const v1::ListWorkersRequest*,
                                                    v1::ListWorkersResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read(
      [this, reactor, response, user_id = user->user_id](const State& state, absl::Time) {
        const absl::Status allowed = RequireOverview(state, user_id);
        if (allowed.ok()) {
          for (const auto& [worker_id, worker] : state.workers) {
            *response->add_workers() =
                MakeWorkerStatus(state, worker, services_.engine.PresenceOf(worker_id));
          }
        }
        reactor->Finish(ToGrpcStatus(allowed));
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::AddEvidence(grpc::CallbackServerContext* context,
                                                    const v1::AddEvidenceRequest* request,
                                                    v1::AddEvidenceResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::AddEvidence{user_id, *request};
      },
      [this, response](std::uint64_t index) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const v1::EvidenceRecorded evidence,
                                RecordAt<v1::EvidenceRecorded>(index));
        response->set_evidence_id(evidence.evidence_id());
        response->set_accepted(!evidence.accepted_by().empty());
        CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services_.log.MakeReceipt(index));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::AcceptEvidence(grpc::CallbackServerContext* context,
                                                       const v1::AcceptEvidenceRequest* request,
                                                       v1::AcceptEvidenceResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::AcceptEvidence{user_id, *request};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::WithdrawEvidence(grpc::CallbackServerContext* context,
                                                         const v1::WithdrawEvidenceRequest* request,
                                                         v1::WithdrawEvidenceResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::WithdrawEvidence{user_id, request->evidence_id()};
      },
      ReceiptInto(services_, response));
}

// The record says which of the two it was, so that the same request gets the same answer again.
absl::Status AdminService::FillStaging(std::uint64_t index, v1::StageDataResponse* response) const {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, services_.log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
  if (const auto* ordered = record.As<v1::StagingOrdered>(); ordered != nullptr) {
    response->set_staging_id(ordered->staging_id());
  } else if (const auto* refusal = record.As<v1::Refusal>(); refusal != nullptr) {
    response->set_refused(true);
    *response->mutable_decisions() = refusal->decisions();
    SortDeniedFirst(response->mutable_decisions());
  } else {
    return absl::AlreadyExistsError("this request id was used for another request");
  }
  CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services_.log.MakeReceipt(index));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminService::StageData(grpc::CallbackServerContext* context,
                                                  const v1::StageDataRequest* request,
                                                  v1::StageDataResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  absl::Status status = user.status();
  status.Update(CheckRequestId(request->request_id()));
  status.Update(CheckNames({&request->dataset(), &request->shard(), &request->to_worker()}));
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  coordinator::StageData command{
      user->user_id, request->dataset(), request->shard(), request->to_worker(), {}};
  services_.engine.Submit(
      std::move(command), request->request_id(),
      [this, response, reactor, user_id = user->user_id](absl::StatusOr<Answer> answer) {
        // A refusal by policy is an answer with a record; one for want of a role has none.
        if (!answer.ok() || !answer->index.has_value()) {
          reactor->Finish(ToGrpcStatus(answer.ok() ? answer->status : answer.status()));
          return;
        }
        services_.own_answers->Note(user_id, *answer->index);
        FinishOn(services_.storage, reactor,
                 [this, index = *answer->index, response] { return FillStaging(index, response); });
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::GetStaging(grpc::CallbackServerContext* context,
                                                   const v1::GetStagingRequest* request,
                                                   v1::GetStagingResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read(
      [this, reactor, request, response, user_id = user->user_id](const State& state, absl::Time) {
        absl::Status status = RequireOverview(state, user_id);
        const auto staging = state.stagings.find(request->staging_id());
        if (status.ok() && staging == state.stagings.end()) {
          status = absl::NotFoundError("no such staging");
        }
        if (status.ok()) {
          const bool uploaded = !services_.engine.UploadedShard(request->staging_id()).empty();
          *response = MakeStagingStatus(staging->second, uploaded);
        }
        reactor->Finish(ToGrpcStatus(status));
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::AcceptClock(grpc::CallbackServerContext* context,
                                                    const v1::AcceptClockRequest* request,
                                                    v1::AcceptClockResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [this](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::AcceptClock{user_id, services_.clock.Now()};
      },
      [this, response](std::uint64_t index) -> absl::Status {
        CARNET_RETURN_IF_ERROR(RecordAt<v1::ClockAccepted>(index).status());
        services_.engine.SetNewRoundsHeld(Engine::Holder::kClock, "");
        CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services_.log.MakeReceipt(index));
        return absl::OkStatus();
      });
}

absl::Status AdminService::FillRefusals(std::vector<std::uint64_t> indexes,
                                        const std::string& job_id,
                                        v1::ListRefusalsResponse* response) const {
  std::sort(indexes.begin(), indexes.end(), std::greater<>());
  for (const std::uint64_t index : indexes) {
    if (static_cast<std::size_t>(response->refusals_size()) == kRefusalsListedMax) {
      break;
    }
    CARNET_ASSIGN_OR_RETURN(const v1::Refusal refusal, RecordAt<v1::Refusal>(index));
    if (!job_id.empty() && refusal.job_id() != job_id) {
      continue;
    }
    v1::RefusalEntry* entry = response->add_refusals();
    entry->set_index(index);
    entry->set_job_id(refusal.job_id());
    entry->set_worker_id(refusal.worker_id());
    *entry->mutable_decisions() = refusal.decisions();
    SortDeniedFirst(entry->mutable_decisions());
  }
  std::reverse(response->mutable_refusals()->pointer_begin(),
               response->mutable_refusals()->pointer_end());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AdminService::ListRefusals(grpc::CallbackServerContext* context,
                                                     const v1::ListRefusalsRequest* request,
                                                     v1::ListRefusalsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  const auto list = [this, reactor, request, response, user_id = user->user_id] {
    services_.engine.Read(
        [this, reactor, request, response, user_id](const State& state, absl::Time) {
          const absl::Status allowed = request->job_id().empty()
                                           ? RequireOverview(state, user_id)
                                           : VisibleJob(state, user_id, request->job_id()).status();
          if (!allowed.ok()) {
            reactor->Finish(ToGrpcStatus(allowed));
            return;
          }
          std::vector<std::uint64_t> indexes;
          for (const auto& [key, index] : state.refusal_keys) {
            if (index < services_.engine.durable_size()) {
              indexes.push_back(index);
            }
          }
          FinishOn(services_.verify, reactor,
                   [this, indexes = std::move(indexes), request, response]() mutable {
                     return FillRefusals(std::move(indexes), request->job_id(), response);
                   });
        });
  };
  // The decisions are what those records say.
  PassReading(services_, user->user_id, [list, reactor](grpc::Status status) {
    status.ok() ? list() : reactor->Finish(std::move(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::GetRecord(grpc::CallbackServerContext* context,
                                                  const v1::GetRecordRequest* request,
                                                  v1::GetRecordResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  const auto send = [this, context, request, response, reactor] {
    FinishOn(services_.storage, reactor, [this, context, request, response]() -> absl::Status {
      if (request->index() == 0) {
        CARNET_ASSIGN_OR_RETURN(const std::string rotations, RotationsOnRecord(services_));
        context->AddInitialMetadata(kRotationsMetadata, rotations);
      }
      CARNET_ASSIGN_OR_RETURN(ledger::LogView::Proven proven,
                              services_.log.Prove(request->index()));
      *response->mutable_record() = std::move(proven.record);
      response->set_head(proven.head.note);
      return absl::OkStatus();
    });
  };
  // Everybody who enrols is handed genesis and what hands its keys over, and everybody the record
  // of what he asked for.
  if (request->index() == 0 || services_.own_answers->Has(user->user_id, request->index())) {
    send();
    return reactor;
  }
  const absl::Status admitted =
      services_.storage.TrySubmit([this, user = user->user_id, request, send, reactor] {
        const absl::StatusOr<bool> handover = IsRotation(services_, request->index());
        if (!handover.ok()) {
          reactor->Finish(ToGrpcStatus(handover.status()));
        } else if (*handover) {
          send();
        } else {
          PassReading(services_, user, [send, reactor](grpc::Status status) {
            status.ok() ? send() : reactor->Finish(std::move(status));
          });
        }
      });
  if (!admitted.ok()) {
    reactor->Finish(ToGrpcStatus(admitted));
  }
  return reactor;
}

absl::StatusOr<UserPeer> AdminService::CallerOf(grpc::CallbackServerContext* context,
                                                const std::string& request_id,
                                                grpc::ServerUnaryReactor* reactor) const {
  absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (const absl::Status status = CheckRequestId(request_id); user.ok() && !status.ok()) {
    user = status;
  }
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
  }
  return user;
}

grpc::ServerUnaryReactor* AdminService::RotateKey(grpc::CallbackServerContext* context,
                                                  const v1::RotateKeyRequest* request,
                                                  v1::RotateKeyResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const auto user = CallerOf(context, request->request_id(), reactor); user.ok()) {
    RotateKeyFor(services_, user->user_id, request, response, reactor);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::Erase(grpc::CallbackServerContext* context,
                                              const v1::EraseRequest* request,
                                              v1::EraseResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const auto user = CallerOf(context, request->request_id(), reactor); user.ok()) {
    EraseFor(services_, user->user_id, request, response, reactor);
  }
  return reactor;
}

}  // namespace carnet::coordinator
