// What speaks against the place of a region, and who clears it. Checked by Decide.
#include "base/bytes.h"
#include "base/status.h"
#include "coordinator/rpc/admin_service.h"

namespace carnet::coordinator {

grpc::ServerUnaryReactor* AdminService::ContradictLocation(
    grpc::CallbackServerContext* context, const v1::ContradictLocationRequest* request,
    v1::RegisterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::ContradictLocation{user_id,
                                               request->region(),
                                               request->worker(),
                                               request->observed(),
                                               request->seen_in(),
                                               request->round_trip_micros(),
                                               ToBytes(request->document_sha256())};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::ClearLocation(grpc::CallbackServerContext* context,
                                                      const v1::ClearLocationRequest* request,
                                                      v1::RegisterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::ClearLocation{user_id, request->region(), request->reason(),
                                          ToBytes(request->document_sha256()), request->stated()};
      },
      ReceiptInto(services_, response));
}

}  // namespace carnet::coordinator
