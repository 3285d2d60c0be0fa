// Counters and duties: what officers record about what crossed.
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/counters.h"
#include "coordinator/rpc/admin_service.h"
#include "coordinator/rpc/admin_status.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kNameBytesMax = 256;

}  // namespace

grpc::ServerUnaryReactor* AdminService::OpenCounter(grpc::CallbackServerContext* context,
                                                    const v1::OpenCounterRequest* request,
                                                    v1::OpenCounterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        if (request->counter().size() > kNameBytesMax) {
          return absl::InvalidArgumentError("a name has at most 256 bytes");
        }
        return coordinator::OpenCounter{user_id, request->counter(), request->people(),
                                        ToTime(request->as_of()), request->stated()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::MeetDuty(grpc::CallbackServerContext* context,
                                                 const v1::MeetDutyRequest* request,
                                                 v1::MeetDutyResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::MeetObligation{user_id, request->duty_id(),
                                           ToBytes(request->document_sha256())};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::ListCounters(grpc::CallbackServerContext* context,
                                                     const v1::ListCountersRequest* /*request*/,
                                                     v1::ListCountersResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read(
      [reactor, response, user_id = user->user_id](const State& state, absl::Time now) {
        const absl::Status allowed = RequireOverview(state, user_id);
        if (allowed.ok()) {
          FillCounters(state, now, response);
        }
        reactor->Finish(ToGrpcStatus(allowed));
      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ListDuties(grpc::CallbackServerContext* context,
                                                   const v1::ListDutiesRequest* /*request*/,
                                                   v1::ListDutiesResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<UserPeer> user = services_.peers.User(*context);
  if (!user.ok()) {
    reactor->Finish(ToGrpcStatus(user.status()));
    return reactor;
  }
  services_.engine.Read(
      [reactor, response, user_id = user->user_id](const State& state, absl::Time) {
        const absl::Status allowed = RequireOverview(state, user_id);
        if (allowed.ok()) {
          FillDuties(state, response);
        }
        reactor->Finish(ToGrpcStatus(allowed));
      });
  return reactor;
}

}  // namespace carnet::coordinator
