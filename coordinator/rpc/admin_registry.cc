// The registry of facts: suppliers, regions, datasets, evidence. Names and terms are checked by
// Decide.
#include <algorithm>
#include <memory>

#include "base/status.h"
#include "coordinator/rpc/admin_service.h"
#include "coordinator/rpc/admin_status.h"

namespace carnet::coordinator {
namespace {

std::uint64_t IndexOf(const State& state, const std::string& entry) {
  const auto index = state.registered.find(entry);
  return index == state.registered.end() ? 0 : index->second;  // 0: genesis, of home
}

// Nothing: nobody whose word counts.
void FillVoucher(const std::shared_ptr<const StatementOnRecord>& statement, v1::Voucher* voucher) {
  if (statement != nullptr) {
    voucher->set_user_id(statement->terms.user_id());
    voucher->set_role(statement->terms.role());
    voucher->set_index(statement->index);
  }
}

std::shared_ptr<const StatementOnRecord> StatementOf(const State& state, const std::string& entry) {
  const auto statement = state.statements.find(entry);
  return statement == state.statements.end() ? nullptr : statement->second;
}

void FillDatasets(const State& state, v1::ListRegistryResponse* response) {
  v1::DatasetEntry* dataset = nullptr;
  for (const auto& [key, shard] : state.shards) {
    const std::string name = key.substr(0, key.find('/'));
    if (dataset == nullptr || dataset->dataset() != name) {
      dataset = response->add_datasets();
      dataset->set_dataset(name);
      dataset->set_index(IndexOf(state, "dataset/" + name));
    }
    v1::ShardEntry* entry = dataset->add_shards();
    *entry->mutable_registered() = shard.terms;
    entry->mutable_registered()->set_sha256(ToString(shard.sha256));
    for (const auto& [worker_id, digest] : shard.holders) {
      entry->add_held_by(worker_id);
    }
    entry->set_withdrawn(shard.withdrawn.has_value());
    FillVoucher(shard.stated, entry->mutable_stated_by());
  }
}

void FillRegistry(const State& state, v1::ListRegistryResponse* response) {
  response->set_organisation(state.genesis.organisation());
  for (const auto& [name, terms] : state.suppliers) {
    v1::SupplierEntry* entry = response->add_suppliers();
    entry->set_supplier(name);
    *entry->mutable_terms() = terms;
    entry->set_index(IndexOf(state, "supplier/" + name));
    FillVoucher(StatementOf(state, "supplier/" + name), entry->mutable_stated_by());
  }
  for (const auto& [name, region] : state.regions) {
    v1::RegionEntry* entry = response->add_regions();
    entry->set_region(name);
    *entry->mutable_terms() = region.terms;
    entry->set_index(IndexOf(state, "region/" + name));
    FillVoucher(StatementOf(state, "region/" + name), entry->mutable_stated_by());
  }
  FillDatasets(state, response);
  for (const auto& [id, evidence] : state.evidence) {
    v1::EvidenceEntry* entry = response->add_evidence();
    *entry->mutable_evidence() = evidence.terms;
    entry->mutable_evidence()->clear_common();
    entry->set_ended(evidence.withdrawn);
    entry->set_accepted(evidence.accepted != nullptr);
    FillVoucher(evidence.accepted, entry->mutable_accepted_by());
    FillVoucher(evidence.brought, entry->mutable_stated_by());
    entry->set_index(IndexOf(state, "evidence/" + id));
  }
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::RegisterSupplier(grpc::CallbackServerContext* context,
                                                         const v1::RegisterSupplierRequest* request,
                                                         v1::RegisterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::RegisterSupplier{user_id, request->supplier(), request->terms(),
                                             request->stated()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::RegisterRegion(grpc::CallbackServerContext* context,
                                                       const v1::RegisterRegionRequest* request,
                                                       v1::RegisterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::RegisterRegion{user_id, request->region(), request->terms(),
                                           request->stated()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::RegisterDataset(grpc::CallbackServerContext* context,
                                                        const v1::RegisterDatasetRequest* request,
                                                        v1::RegisterResponse* response) {
  return SubmitForUser(
      services_, context, request->request_id(),
      [request](const std::string& user_id) -> absl::StatusOr<CommandBody> {
        return coordinator::RegisterDataset{user_id,
                                            request->dataset(),
                                            {request->shards().begin(), request->shards().end()},
                                            request->stated()};
      },
      ReceiptInto(services_, response));
}

grpc::ServerUnaryReactor* AdminService::ListRegistry(grpc::CallbackServerContext* context,
                                                     const v1::ListRegistryRequest* /*request*/,
                                                     v1::ListRegistryResponse* response) {
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
          FillRegistry(state, response);
        }
        reactor->Finish(ToGrpcStatus(allowed));
      });
  return reactor;
}

}  // namespace carnet::coordinator
