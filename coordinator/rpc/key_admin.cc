#include "coordinator/rpc/key_admin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/keys.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// A key whose file is durable and that no record names yet.
struct NewKey {
  v1::KeyRotated rotated;
  crypto::Ed25519KeyPair pair;
};

// What the new key signs, so that nobody can put another's key on record (docs/formats.md).
std::string Handover(const v1::KeyRotated& rotated, const std::string& origin) {
  return absl::StrCat("carnet/key-rotated/v1\n", rotated.kind(), "\n", origin, "\n",
                      Base64Encode(AsBytes(rotated.old_public_key())), "\n",
                      Base64Encode(AsBytes(rotated.new_public_key())), "\n");
}

absl::StatusOr<NewKey> MakeKey(const Services& services, const std::string& kind) {
  if (kind != kStatementKind) {
    return absl::InvalidArgumentError("keys: the statement key is the one that can be rotated");
  }
  NewKey made{.rotated = {}, .pair = crypto::Ed25519KeyPair::Generate(services.rng)};
  std::string origin;
  CARNET_RETURN_IF_ERROR(services.engine.ReadBlocking([&](const State& state, absl::Time) {
    made.rotated.set_old_public_key(state.StatementKey());
    origin = state.genesis.origin();
  }));
  const Bytes random = RandomBytes(services.rng, kIdRandomBytes);
  made.rotated.set_kind(kind);
  made.rotated.set_key_id(
      MakeId("k", std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes)));
  made.rotated.set_new_public_key(ToString(made.pair.public_key()));
  made.rotated.set_new_key_signature(
      ToString(made.pair.Sign(AsBytes(Handover(made.rotated, origin)))));
  CARNET_RETURN_IF_ERROR(
      services.keys.Create(made.rotated.key_id(), crypto::KeyKind::kEd25519, made.pair.seed()));
  return made;
}

// The answer to a rotation; a key that the record does not name (the request was answered before,
// by another key) is destroyed.
absl::Status FillRotation(const Services& services, const std::string& key_id,
                          const absl::StatusOr<Answer>& answer, v1::RotateKeyResponse* response) {
  absl::Status status = answer.status();
  std::string recorded;
  if (answer.ok()) {
    CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record,
                            services.log.ReadRecord(*answer->index));
    CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
    if (const auto* rotated = record.As<v1::KeyRotated>(); rotated != nullptr) {
      recorded = rotated->key_id();
      CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(),
                              services.log.MakeReceipt(*answer->index));
    } else {
      status = absl::AlreadyExistsError("this request id was used for another request");
    }
  }
  if (recorded != key_id) {
    // Where this fails, the sweep at the next start takes it.
    services.keys.Destroy(key_id).IgnoreError();
  }
  return status;
}

}  // namespace

void RotateKeyFor(const Services& services, const std::string& user_id,
                  const v1::RotateKeyRequest* request, v1::RotateKeyResponse* response,
                  grpc::ServerUnaryReactor* reactor) {
  const absl::Status admitted = services.storage.TrySubmit([&services, user_id, request, response,
                                                            reactor] {
    absl::StatusOr<NewKey> made = MakeKey(services, request->kind());
    if (!made.ok()) {
      reactor->Finish(ToGrpcStatus(made.status()));
      return;
    }
    const std::string key_id = made->rotated.key_id();
    // Held before its record can be decided: the record after it is signed by this key.
    services.statement_keys.Add(std::move(made->pair));
    services.engine.Submit(RotateKey{user_id, std::move(made->rotated)}, request->request_id(),
                           [&services, key_id, response, reactor](absl::StatusOr<Answer> answer) {
                             FinishOn(services.storage, reactor,
                                      [&services, key_id, answer = std::move(answer), response] {
                                        return FillRotation(services, key_id, answer, response);
                                      });
                           });
  });
  if (!admitted.ok()) {
    reactor->Finish(ToGrpcStatus(admitted));
  }
}

void EraseFor(const Services& services, const std::string& user_id, const v1::EraseRequest* request,
              v1::EraseResponse* response, grpc::ServerUnaryReactor* reactor) {
  const auto order = [&services, user_id, request]() -> absl::StatusOr<EraseValue> {
    CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record,
                            services.log.ReadRecord(request->index()));
    CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenRecord(signed_record));
    const auto* user = record.As<v1::UserEnrolled>();
    if (user == nullptr) {
      return absl::FailedPreconditionError("erase: this record has no value in the vault");
    }
    return EraseValue{
        user_id,          request->index(), Bytes(record.leaf_hash.begin(), record.leaf_hash.end()),
        request->field(), user->user_id(),  request->reason()};
  };
  const absl::Status admitted =
      services.storage.TrySubmit([&services, order, request, response, reactor] {
        absl::StatusOr<EraseValue> command = order();
        if (!command.ok()) {
          reactor->Finish(ToGrpcStatus(command.status()));
          return;
        }
        SubmitAndFinish(services, *std::move(command), request->request_id(), reactor,
                        [&services, response](std::uint64_t index) -> absl::Status {
                          CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(),
                                                  services.log.MakeReceipt(index));
                          return absl::OkStatus();
                        });
      });
  if (!admitted.ok()) {
    reactor->Finish(ToGrpcStatus(admitted));
  }
}

}  // namespace carnet::coordinator
