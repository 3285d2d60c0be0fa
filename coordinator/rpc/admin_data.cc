// Shards that are withdrawn, as people ask for it.
#include <utility>

#include "base/status.h"
#include "coordinator/core/withdrawal.h"
#include "coordinator/rpc/admin_service.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kNameBytesMax = 256;

// ALREADY_EXISTS: the record at `index` answered something else.
absl::Status CheckWithdrawal(const ledger::Log& log, std::uint64_t index) {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
  return record.As<v1::ShardWithdrawn>() != nullptr
             ? absl::OkStatus()
             : absl::AlreadyExistsError("this request id was used for another request");
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::WithdrawShard(grpc::CallbackServerContext* context,
                                                      const v1::WithdrawShardRequest* request,
                                                      v1::WithdrawShardResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        for (const std::string* text :
             {&request->dataset(), &request->shard(), &request->reason()}) {
          if (text->size() > kNameBytesMax) {
            return absl::InvalidArgumentError("a name has at most 256 bytes");
          }
        }
        return coordinator::WithdrawShard{user_id, request->dataset(), request->shard(),
                                          request->reason()};
      },
      [this, request, response](std::uint64_t index) -> absl::Status {
        CARNET_RETURN_IF_ERROR(CheckWithdrawal(services_.log, index));
        // What follows from it as things stand now, also when the same is asked again.
        CARNET_RETURN_IF_ERROR(services_.engine.ReadBlocking([&](const State& state, absl::Time) {
          ListAffected(state, ShardKey(request->dataset(), request->shard()), response);
        }));
        CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services_.log.MakeReceipt(index));
        return absl::OkStatus();
      });
}

}  // namespace carnet::coordinator
