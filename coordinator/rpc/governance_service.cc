#include "coordinator/rpc/governance_service.h"

#include <utility>

#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"
#include "coordinator/rpc/governance_status.h"
#include "crypto/hash.h"
#include "crypto/secret_bytes.h"
#include "exchange/join_token.h"
#include "ledger/record.h"
#include "policies/group_findings.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kUserInvitationLife = absl::Hours(24 * 7);
constexpr int kRolesMax = 16;
constexpr std::size_t kIdBytesMax = 64;

absl::Status CheckIds(std::initializer_list<const std::string*> ids) {
  for (const std::string* id : ids) {
    if (id->size() > kIdBytesMax) {
      return absl::InvalidArgumentError("a name has at most 64 bytes");
    }
  }
  return absl::OkStatus();
}

// A record that a person signed, of the type that is expected, with a request id.
template <typename Message>
absl::StatusOr<Message> OpenSigned(const v1::SignedRecord& signed_record) {
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenRecord(signed_record));
  const auto* message = record.As<Message>();
  if (message == nullptr) {
    return absl::InvalidArgumentError("a record of another type");
  }
  CARNET_RETURN_IF_ERROR(CheckRequestId(message->common().request_id()));
  return *message;
}

absl::StatusOr<Bytes> BundleDigest(const v1::BundleRequest& request) {
  if (request.bundle_sha256().size() != kDigestBytes) {
    return absl::InvalidArgumentError("a bundle is named by its SHA-256");
  }
  return ToBytes(request.bundle_sha256());
}

absl::StatusOr<coordinator::ProposePolicy> OpenProposalOf(const std::string& user_id,
                                                          const v1::SignedRecord& record) {
  coordinator::ProposePolicy command;
  command.user_id = user_id;
  command.record = record;
  CARNET_ASSIGN_OR_RETURN(command.proposed, OpenSigned<v1::PolicyProposed>(record));
  absl::StatusOr<std::shared_ptr<const policies::Bundle>> bundle =
      policies::BundleFromJson(command.proposed.bundle_json());
  if (!bundle.ok()) {
    return absl::InvalidArgumentError("policy: the bundle is not sound: carnet policy check");
  }
  command.bundle = *std::move(bundle);
  return command;
}

}  // namespace

grpc::ServerUnaryReactor* GovernanceService::Read(grpc::CallbackServerContext* context,
                                                  ReadState read) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read(
      [reactor, read = std::move(read)](const State& state, absl::Time now) mutable {
        reactor->Finish(ToGrpcStatus(read(state, now)));
      });
  return reactor;
}

absl::Status GovernanceService::FillToken(std::uint64_t index, const crypto::SecretBytes& secret,
                                          v1::InviteUserResponse* response) const {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, services_.log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
  const auto* invited = record.As<v1::UserInvited>();
  if (invited == nullptr || invited->token_sha256() != AsText(crypto::Sha256(secret.View()))) {
    return absl::AlreadyExistsError(
        "this invitation was made before and its token is shown once: ask for a new one");
  }
  exchange::JoinToken token;
  token.addresses = facts_.addresses;
  token.https_addresses = facts_.https_addresses;
  token.ca_spki_sha256 = services_.authorities.NewestSpkiSha256();
  token.log_vkey = facts_.log_vkey;
  token.genesis_leaf = facts_.genesis_leaf;
  token.region = exchange::kUserTokenRegion;
  token.supplier = exchange::kUserTokenRegion;
  token.slot = invited->user_id();
  token.trust_domain = facts_.trust_domain;
  token.secret = secret.Clone();
  token.expires = ToTime(invited->expires());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes text, exchange::EncodeJoinToken(token));
  response->set_token(ToString(text.View()));
  response->set_user_id(invited->user_id());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* GovernanceService::InviteUser(grpc::CallbackServerContext* context,
                                                        const v1::InviteUserRequest* request,
                                                        v1::InviteUserResponse* response) {
  auto secret = std::make_shared<crypto::SecretBytes>(
      crypto::SecretBytes::Random(services_.rng, exchange::kJoinSecretBytes));
  return SubmitForUser(
      services_, context, request->request_id(),
      [this, request, secret](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        if (request->roles_size() > kRolesMax) {
          return absl::InvalidArgumentError("a person has 1 to 16 roles");
        }
        CARNET_RETURN_IF_ERROR(CheckIds({&request->jurisdiction(), &request->organisation()}));
        const Digest token = crypto::Sha256(secret->View());
        // Tokens carry whole seconds. `now` of the command is never before the wall clock.
        return coordinator::InviteUser{
            user_id,
            Bytes(token.begin(), token.end()),
            std::set<std::string>(request->roles().begin(), request->roles().end()),
            absl::FromUnixSeconds(absl::ToUnixSeconds(services_.clock.Now() + kUserInvitationLife)),
            request->jurisdiction(),
            request->organisation()};
      },
      [this, secret, response](std::uint64_t index) {
        return FillToken(index, *secret, response);
      });
}

grpc::ServerUnaryReactor* GovernanceService::GrantRole(grpc::CallbackServerContext* context,
                                                       const v1::GrantRoleRequest* request,
                                                       v1::GovernanceReceipt* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_RETURN_IF_ERROR(CheckIds({&request->user_id(), &request->role()}));
        coordinator::GrantRole command{user_id, request->user_id(), request->role(), {}, {}};
        if (request->has_approval()) {
          CARNET_ASSIGN_OR_RETURN(command.approval, OpenSigned<v1::Approval>(request->approval()));
          command.record = request->approval();
        }
        return command;
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::RevokeRole(grpc::CallbackServerContext* context,
                                                        const v1::RevokeRoleRequest* request,
                                                        v1::GovernanceReceipt* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_RETURN_IF_ERROR(CheckIds({&request->user_id(), &request->role()}));
        return coordinator::RevokeRole{user_id, request->user_id(), request->role()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::RevokeUser(grpc::CallbackServerContext* context,
                                                        const v1::RevokeUserRequest* request,
                                                        v1::GovernanceReceipt* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_RETURN_IF_ERROR(CheckIds({&request->user_id(), &request->reason()}));
        return coordinator::RevokeUser{user_id, request->user_id(), request->reason()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::ListUsers(grpc::CallbackServerContext* context,
                                                       const v1::ListUsersRequest*,
                                                       v1::ListUsersResponse* response) {
  return Read(context, [response](const State& state, absl::Time) {
    *response = UsersOf(state);
    return absl::OkStatus();
  });
}

absl::StatusOr<GovernanceService::Turn> GovernanceService::TakeTurn(
    const std::string& user_id) const {
  const MutexLock lock(turns_->mutex);
  if (!turns_->users.insert(user_id).second) {
    return absl::ResourceExhaustedError(
        "policy: another proposal of yours is being examined: try again when it was answered");
  }
  return Turn(nullptr, [turns = turns_, user_id](void*) {
    const MutexLock again(turns->mutex);
    turns->users.erase(user_id);
  });
}

absl::Status GovernanceService::Examine(coordinator::ProposePolicy* command,
                                        const grpc::CallbackServerContext& context) {
  if (context.IsCancelled()) {
    return absl::CancelledError("policy: nobody waits for the proposal");
  }
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport tests, policies::RunTests(*command->bundle));
  if (tests.outcomes.empty() || tests.failed > 0) {
    return absl::FailedPreconditionError(tests.outcomes.empty()
                                             ? "policy: a bundle without tests cannot be proposed"
                                             : "policy: its tests fail: carnet policy test");
  }
  // What is in force already goes on to count.
  if (command->proposed.intent() != kIntentRenew) {
    CARNET_RETURN_IF_ERROR(policies::CheckSourced(*command->bundle));
  }
  CARNET_ASSIGN_OR_RETURN(std::string report,
                          Report(command->bundle, tests, ReportKind::kProposal, context));
  command->examined.set_report_sha256(ToString(crypto::Sha256(AsBytes(report))));
  command->examined.set_report_json(std::move(report));
  return absl::OkStatus();
}

void GovernanceService::Propose(grpc::CallbackServerContext* context,
                                coordinator::ProposePolicy command, Turn turn,
                                grpc::ServerUnaryReactor* reactor,
                                v1::GovernanceReceipt* response) {
  services_.engine.Read([this, context, reactor, response, turn = std::move(turn),
                         command = std::move(command)](const State& state, absl::Time now) mutable {
    const std::string request_id = command.proposed.common().request_id();
    if (state.requests.count(request_id) != 0) {  // its answer was lost on the way
      SubmitAndFinish(services_, std::move(command), request_id, reactor,
                      ReceiptInto(services_, response));
      return;
    }
    absl::Status status = CheckProposal(state, command, now);
    if (status.ok()) {
      status = services_.examine.TrySubmit([this, context, reactor, response, request_id,
                                            turn = std::move(turn),
                                            command = std::move(command)]() mutable {
        if (const absl::Status examined = Examine(&command, *context); !examined.ok()) {
          reactor->Finish(ToGrpcStatus(examined));
          return;
        }
        SubmitAndFinish(services_, std::move(command), request_id, reactor,
                        ReceiptInto(services_, response));
      });
    }
    if (!status.ok()) {
      reactor->Finish(ToGrpcStatus(status));
    }
  });
}

grpc::ServerUnaryReactor* GovernanceService::InTurn(grpc::CallbackServerContext* context,
                                                    WorkInTurn work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  absl::Status status = user.status();
  if (status.ok()) {
    absl::StatusOr<Turn> turn = TakeTurn(user->user_id);
    status = turn.status();
    if (status.ok()) {
      status =
          services_.storage.TrySubmit([reactor, user_id = user->user_id, turn = *std::move(turn),
                                       work = std::move(work)] { work(user_id, turn, reactor); });
    }
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
  }
  return reactor;
}

grpc::ServerUnaryReactor* GovernanceService::ProposePolicy(grpc::CallbackServerContext* context,
                                                           const v1::SignedRequest* request,
                                                           v1::GovernanceReceipt* response) {
  return InTurn(context, [this, context, request, response](const std::string& user_id, Turn turn,
                                                            grpc::ServerUnaryReactor* reactor) {
    auto command = OpenProposalOf(user_id, request->record());
    if (!command.ok()) {
      reactor->Finish(ToGrpcStatus(command.status()));
      return;
    }
    Propose(context, *std::move(command), std::move(turn), reactor, response);
  });
}

grpc::ServerUnaryReactor* GovernanceService::Approve(grpc::CallbackServerContext* context,
                                                     const v1::SignedRequest* request,
                                                     v1::GovernanceReceipt* response) {
  const absl::StatusOr<v1::Approval> approval = OpenSigned<v1::Approval>(request->record());
  if (!approval.ok()) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(approval.status()));
    return reactor;
  }
  return SubmitForUser(
      services_, context, approval->common().request_id(),
      [request, &approval](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return RecordApproval{user_id, request->record(), *approval};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::AssessModel(grpc::CallbackServerContext* context,
                                                         const v1::SignedRequest* request,
                                                         v1::GovernanceReceipt* response) {
  const absl::StatusOr<v1::ModelAssessed> assessment =
      OpenSigned<v1::ModelAssessed>(request->record());
  if (!assessment.ok()) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(assessment.status()));
    return reactor;
  }
  return SubmitForUser(
      services_, context, assessment->common().request_id(),
      [request, &assessment](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::AssessModel{user_id, request->record(), *assessment};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::ActivatePolicy(grpc::CallbackServerContext* context,
                                                            const v1::BundleRequest* request,
                                                            v1::GovernanceReceipt* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_ASSIGN_OR_RETURN(Bytes digest, BundleDigest(*request));
        return coordinator::ActivatePolicy{user_id, std::move(digest)};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::WithdrawPolicy(grpc::CallbackServerContext* context,
                                                            const v1::BundleRequest* request,
                                                            v1::GovernanceReceipt* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        CARNET_ASSIGN_OR_RETURN(Bytes digest, BundleDigest(*request));
        return coordinator::WithdrawPolicy{user_id, std::move(digest)};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* GovernanceService::GetPolicyStatus(
    grpc::CallbackServerContext* context, const v1::GetPolicyStatusRequest*,
    v1::GetPolicyStatusResponse* response) {
  return Read(context, [response](const State& state, absl::Time now) {
    *response = PolicyStatusOf(state, now);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* GovernanceService::GetPolicyHistory(
    grpc::CallbackServerContext* context, const v1::GetPolicyHistoryRequest*,
    v1::GetPolicyHistoryResponse* response) {
  return Read(context, [response](const State& state, absl::Time now) {
    *response = PolicyHistoryOf(state, now);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* GovernanceService::GetBundle(grpc::CallbackServerContext* context,
                                                       const v1::GetBundleRequest* request,
                                                       v1::GetBundleResponse* response) {
  return Read(context, [request, response](const State& state, absl::Time) -> absl::Status {
    std::shared_ptr<const policies::Bundle> bundle = state.bundle;
    if (!request->bundle_sha256().empty()) {
      const auto old = state.bundles.find(request->bundle_sha256());
      const auto proposal = state.proposals.find(request->bundle_sha256());
      if (old == state.bundles.end() && proposal == state.proposals.end()) {
        return absl::NotFoundError("no such bundle is on record");
      }
      bundle = old != state.bundles.end() ? old->second : proposal->second.bundle;
    }
    response->set_bundle_json(bundle->CanonicalJson());
    response->set_bundle_sha256(ToString(bundle->sha256()));
    return absl::OkStatus();
  });
}

}  // namespace carnet::coordinator
