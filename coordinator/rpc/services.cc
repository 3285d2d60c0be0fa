#include "coordinator/rpc/services.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/certificates.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<crypto::CertificateInfo> CertificateOf(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) {
    return absl::UnauthenticatedError("a client certificate is required");
  }
  const std::vector<grpc::string_ref> pem = auth->FindPropertyValues("x509_pem_cert");
  if (pem.size() != 1) {
    return absl::UnauthenticatedError("a client certificate is required");
  }
  absl::StatusOr<crypto::CertificateInfo> info =
      crypto::ParseCertificatePem(absl::string_view(pem[0].data(), pem[0].size()));
  if (!info.ok() || !info->spiffe_id.has_value()) {
    return absl::UnauthenticatedError("the client certificate names nobody");
  }
  return info;
}

// The person who asks; empty: none.
std::string UserOf(const CommandBody& body) {
  return std::visit(
      [](const auto& command) -> std::string {
        if constexpr (requires { command.user_id; }) {
          return command.user_id;
        } else {
          return "";
        }
      },
      body);
}

}  // namespace

void PeerDirectory::Update(const State& state) {
  const MutexLock lock(mutex_);
  if (state.facts_version == facts_version_ && state.users.size() == users_count_) {
    return;
  }
  facts_version_ = state.facts_version;
  users_count_ = state.users.size();
  workers_.clear();
  for (const auto& [id, worker] : state.workers) {
    const absl::StatusOr<crypto::Ed25519PublicKey> statement_key =
        crypto::ToEd25519PublicKey(AsBytes(worker.terms.statement_public_key()));
    const absl::StatusOr<crypto::X25519PublicKey> wrapping_key =
        crypto::ToX25519PublicKey(AsBytes(worker.terms.wrapping_public_key()));
    if (statement_key.ok() && wrapping_key.ok()) {
      workers_[worker.terms.tls_spki_sha256()] = {
          WorkerPeer{id, worker.terms.spiffe_id(), *statement_key, *wrapping_key}, worker.revoked};
    }
  }
  users_.clear();
  for (const auto& [id, user] : state.users) {
    if (!user.revoked) {
      users_[id] = UserPeer{id};
    }
  }
}

absl::StatusOr<WorkerPeer> PeerDirectory::Worker(const grpc::ServerContextBase& context) const {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo info, CertificateOf(context));
  return WorkerOf(info);
}

absl::StatusOr<UserPeer> PeerDirectory::User(const grpc::ServerContextBase& context) const {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo info, CertificateOf(context));
  return UserOf(info);
}

// A connection may be older than the end of the authority that its peer was verified by.
absl::Status PeerDirectory::CheckIssuer(const crypto::CertificateInfo& info) const {
  return authorities_ != nullptr && authorities_->Counts(info)
             ? absl::OkStatus()
             : absl::UnauthenticatedError(
                   "this certificate is of an authority that has given way to another: ask for a "
                   "new invitation");
}

absl::StatusOr<WorkerPeer> PeerDirectory::WorkerOf(const crypto::CertificateInfo& info) const {
  CARNET_RETURN_IF_ERROR(CheckIssuer(info));
  const MutexLock lock(mutex_);
  const auto peer = workers_.find(ToString(info.spki_sha256));
  if (peer == workers_.end() || !info.spiffe_id ||
      peer->second.first.spiffe_id != info.spiffe_id->ToString()) {
    return absl::UnauthenticatedError("this certificate is of no enrolled worker");
  }
  if (peer->second.second) {
    return absl::PermissionDeniedError("revoked");
  }
  return peer->second.first;
}

absl::StatusOr<UserPeer> PeerDirectory::UserOf(const crypto::CertificateInfo& info) const {
  CARNET_RETURN_IF_ERROR(CheckIssuer(info));
  const MutexLock lock(mutex_);
  const auto user = info.spiffe_id ? users_.find(info.spiffe_id->user()) : users_.end();
  if (user == users_.end() || info.spiffe_id->kind() != crypto::SpiffeKind::kUser) {
    return absl::UnauthenticatedError("this certificate is of no enrolled user");
  }
  return user->second;
}

void OwnAnswers::Note(const std::string& user_id, std::uint64_t index) {
  const MutexLock lock(mutex_);
  newest_.emplace_back(user_id, index);
  if (newest_.size() > kOwnAnswersMax) {
    newest_.pop_front();
  }
}

bool OwnAnswers::Has(const std::string& user_id, std::uint64_t index) const {
  const MutexLock lock(mutex_);
  return std::find(newest_.rbegin(), newest_.rend(), std::pair(user_id, index)) != newest_.rend();
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  if (!OperatorDetail(status).empty()) {
    Log(LogLevel::kWarning, "rpc.failed", {{"why", status}});
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.size() != 16) {
    return absl::InvalidArgumentError("request_id: 16 bytes");
  }
  return absl::OkStatus();
}

void FinishOn(BoundedExecutor& executor, grpc::ServerUnaryReactor* reactor,
              absl::AnyInvocable<absl::Status()> work) {
  const absl::Status admitted = executor.TrySubmit(
      [reactor, work = std::move(work)]() mutable { reactor->Finish(ToGrpcStatus(work())); });
  if (!admitted.ok()) {
    reactor->Finish(ToGrpcStatus(admitted));
  }
}

void SubmitAndFinish(const Services& services, CommandBody body, const std::string& request_id,
                     grpc::ServerUnaryReactor* reactor,
                     absl::AnyInvocable<absl::Status(std::uint64_t)> fill) {
  const std::string user_id = UserOf(body);
  services.engine.Submit(
      std::move(body), request_id,
      [&services, user_id, reactor, fill = std::move(fill)](absl::StatusOr<Answer> answer) mutable {
        if (answer.ok() && answer->index.has_value() && !user_id.empty()) {
          services.own_answers->Note(user_id, *answer->index);
        }
        if (!answer.ok()) {
          reactor->Finish(ToGrpcStatus(answer.status()));
        } else if (!answer->status.ok()) {
          reactor->Finish(ToGrpcStatus(answer->status));
        } else if (!answer->index.has_value()) {
          reactor->Finish(grpc::Status::OK);
        } else {
          FinishOn(
              services.storage, reactor,
              [fill = std::move(fill), index = *answer->index]() mutable { return fill(index); });
        }
      });
}

grpc::ServerUnaryReactor* SubmitForUser(const Services& services,
                                        grpc::CallbackServerContext* context,
                                        const std::string& request_id, MakeCommand make,
                                        absl::AnyInvocable<absl::Status(std::uint64_t)> fill) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services.peers.User(*context);
  absl::Status status = user.status();
  status.Update(CheckRequestId(request_id));
  absl::StatusOr<CommandBody> body = status.ok() ? make(user->user_id) : status;
  if (!body.ok()) {
    reactor->Finish(ToGrpcStatus(body.status()));
    return reactor;
  }
  SubmitAndFinish(services, *std::move(body), request_id, reactor, std::move(fill));
  return reactor;
}

}  // namespace carnet::coordinator
