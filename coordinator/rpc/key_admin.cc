#include "coordinator/rpc/key_admin.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/keys.h"
#include "coordinator/rpc/metadata.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr std::uint32_t kOverlapDays = 14;  // where the request names none

// A key whose file is durable and that no record names yet.
struct NewKey {
  v1::KeyRotated rotated;
  std::optional<crypto::Ed25519KeyPair> pair;             // of the statement or log kind
  std::optional<crypto::CertificateAuthority> authority;  // of the ca kind
};

// What the new key signs, so that nobody can put another's key on record, and the log's old one,
// so that whoever trusts it may trust the new one (docs/formats.md).
std::string Handover(const v1::KeyRotated& rotated, const std::string& origin) {
  return absl::StrCat("carnet/key-rotated/v1\n", rotated.kind(), "\n", origin, "\n",
                      Base64Encode(AsBytes(rotated.old_public_key())), "\n",
                      Base64Encode(AsBytes(rotated.new_public_key())), "\n");
}

absl::Status SignHandover(const Services& services, const std::string& origin, NewKey* made) {
  const std::string text = Handover(made->rotated, origin);
  made->rotated.set_new_key_signature(ToString(made->pair->Sign(AsBytes(text))));
  if (made->rotated.kind() != kLogKind) {
    return absl::OkStatus();
  }
  made->rotated.set_log_vkey(ledger::NoteKey{origin, made->pair->public_key()}.Vkey());
  CARNET_ASSIGN_OR_RETURN(*made->rotated.mutable_old_key_signature(),
                          services.log.SignHandover(text));
  return absl::OkStatus();
}

// Makes the pair and its file. The file's name is in `rotated` by then.
absl::Status MakePair(const Services& services, const std::string& origin, NewKey* made) {
  made->pair = crypto::Ed25519KeyPair::Generate(services.rng);
  made->rotated.set_new_public_key(ToString(made->pair->public_key()));
  CARNET_RETURN_IF_ERROR(SignHandover(services, origin, made));
  return services.keys.Create(made->rotated.key_id(), crypto::KeyKind::kEd25519,
                              made->pair->seed());
}

// The same for an authority: its certificate, signed by itself, is the word of its key.
absl::Status MakeAuthority(const Services& services, NewKey* made) {
  CARNET_ASSIGN_OR_RETURN(made->authority, services.authorities.MakeNext());
  made->rotated.set_new_public_key(ToString(made->authority->key().spki()));
  made->rotated.set_ca_certificate_pem(made->authority->certificate_pem());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes pem, made->authority->key().ToPem());
  return services.keys.Create(made->rotated.key_id(), crypto::KeyKind::kP256, pem);
}

absl::StatusOr<NewKey> MakeKey(const Services& services, const v1::RotateKeyRequest& request) {
  const std::string& kind = request.kind();
  NewKey made;
  std::string origin;
  absl::Status status;
  CARNET_RETURN_IF_ERROR(services.engine.ReadBlocking([&](const State& state, absl::Time now) {
    const absl::StatusOr<std::string> in_force = PublicKeyInForce(state, kind);
    status = in_force.status();
    origin = state.genesis.origin();
    if (!status.ok()) {
      return;
    }
    made.rotated.set_old_public_key(*in_force);
    if (kind != kStatementKind) {
      const std::uint32_t days =
          request.overlap_days() == 0 ? kOverlapDays : request.overlap_days();
      *made.rotated.mutable_overlap_until() =
          ToTimestamp(absl::FromUnixSeconds(absl::ToUnixSeconds(now)) + absl::Hours(24) * days);
    }
  }));
  CARNET_RETURN_IF_ERROR(status);
  if (kind == kStatementKind && request.overlap_days() != 0) {
    return absl::InvalidArgumentError("keys: the statement key changes at once, without overlap");
  }
  const Bytes random = RandomBytes(services.rng, kIdRandomBytes);
  made.rotated.set_kind(kind);
  made.rotated.set_key_id(
      MakeId("k", std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes)));
  CARNET_RETURN_IF_ERROR(kind == kCaKind ? MakeAuthority(services, &made)
                                         : MakePair(services, origin, &made));
  return made;
}

// Held before its record can be decided: what follows that record is signed by this key.
void Offer(const Services& services, NewKey made) {
  const std::string& kind = made.rotated.kind();
  if (kind == kCaKind) {
    services.authorities.Offer(made.rotated.key_id(), *std::move(made.authority));
  } else if (kind == kLogKind) {
    services.log.OfferKey(*std::move(made.pair));
  } else {
    services.statement_keys.Add(*std::move(made.pair));
  }
}

// The answer to a rotation; a key that the record does not name (the request was answered before,
// by another key) is destroyed.
absl::Status FillRotation(const Services& services, const v1::KeyRotated& made,
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
  if (recorded != made.key_id()) {
    if (const auto key = crypto::ToEd25519PublicKey(AsBytes(made.new_public_key())); key.ok()) {
      services.log.WithdrawKey(*key);
    }
    services.statement_keys.Forget(made.new_public_key());
    services.authorities.Withdraw(made.key_id());
    // Where this fails, the sweep at the next start takes it.
    services.keys.Destroy(made.key_id()).IgnoreError();
  }
  return status;
}

}  // namespace

absl::StatusOr<std::vector<std::uint64_t>> RotationIndexes(const Services& services) {
  std::vector<std::uint64_t> indexes;
  CARNET_RETURN_IF_ERROR(services.engine.ReadBlocking([&](const State& state, absl::Time) {
    for (const Rotation& rotation : state.rotations) {
      indexes.push_back(rotation.index);
    }
  }));
  return indexes;
}

absl::StatusOr<std::string> RotationsOnRecord(const Services& services) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> indexes, RotationIndexes(services));
  const std::size_t told = std::min(indexes.size(), kRotationsTold);
  return absl::StrJoin(indexes.end() - static_cast<std::ptrdiff_t>(told), indexes.end(), ",");
}

absl::StatusOr<bool> IsRotation(const Services& services, std::uint64_t index) {
  bool found = false;
  CARNET_RETURN_IF_ERROR(services.engine.ReadBlocking([&](const State& state, absl::Time) {
    found = std::any_of(state.rotations.begin(), state.rotations.end(),
                        [index](const Rotation& rotation) { return rotation.index == index; });
  }));
  return found;
}

void RotateKeyFor(const Services& services, const std::string& user_id,
                  const v1::RotateKeyRequest* request, v1::RotateKeyResponse* response,
                  grpc::ServerUnaryReactor* reactor) {
  const absl::Status admitted = services.storage.TrySubmit([&services, user_id, request, response,
                                                            reactor] {
    absl::StatusOr<NewKey> made = MakeKey(services, *request);
    if (!made.ok()) {
      reactor->Finish(ToGrpcStatus(made.status()));
      return;
    }
    const v1::KeyRotated rotated = made->rotated;
    Offer(services, *std::move(made));
    services.engine.Submit(RotateKey{user_id, rotated}, request->request_id(),
                           [&services, rotated, response, reactor](absl::StatusOr<Answer> answer) {
                             FinishOn(services.storage, reactor,
                                      [&services, rotated, answer = std::move(answer), response] {
                                        return FillRotation(services, rotated, answer, response);
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
