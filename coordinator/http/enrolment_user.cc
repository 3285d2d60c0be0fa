// How a person's own machine enrols: with an invitation, and keys that it made itself.
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "coordinator/http/answers.h"
#include "coordinator/http/credentials.h"
#include "coordinator/http/enrolment.h"
#include "coordinator/rpc/task_message.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"
#include "exchange/enrolment.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Whether something can be wrapped for this key: HPKE refuses one of low order.
absl::Status CheckWrappingKey(const std::string& public_key, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519PublicKey key,
                          crypto::ToX25519PublicKey(AsBytes(public_key)));
  return crypto::HpkeSeal(key, {}, {}, key, rng).status();
}

absl::StatusOr<EnrollUser> CheckEnrollUser(const v1::EnrollUserRequest& request,
                                           const crypto::CertificateRequest& csr, Rng& rng) {
  CARNET_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519PublicKey key,
                          crypto::ToEd25519PublicKey(AsBytes(request.public_key())));
  if (!crypto::Ed25519Verify(key, exchange::EnrollUserProofMessage(request),
                             AsBytes(request.proof()))) {
    return absl::UnauthenticatedError("the request is not signed with its key");
  }
  if (csr.id.kind() != crypto::SpiffeKind::kUser) {
    return absl::PermissionDeniedError("the certificate request names no person");
  }
  if (!request.wrapping_public_key().empty()) {
    CARNET_RETURN_IF_ERROR(CheckWrappingKey(request.wrapping_public_key(), rng));
  }
  EnrollUser command;
  const Digest token_sha256 = crypto::Sha256(AsBytes(request.token_secret()));
  command.token_sha256.assign(token_sha256.begin(), token_sha256.end());
  const Digest spki_sha256 = crypto::Sha256(csr.spki);
  command.tls_spki_sha256.assign(spki_sha256.begin(), spki_sha256.end());
  command.public_key = ToBytes(request.public_key());
  command.wrapping_public_key = ToBytes(request.wrapping_public_key());
  command.asked_id = csr.id.user();
  return command;
}

}  // namespace

void Enrolment::OnEnrollUser(HttpRequest http, HttpServer::Done done) {
  v1::EnrollUserRequest request;
  const absl::Status status = JsonToMessage(http.body, &request, kBodyBytesMax);
  const absl::StatusOr<crypto::CertificateRequest> csr =
      status.ok() ? crypto::VerifyCertificateRequest(request.csr_pem())
                  : absl::StatusOr<crypto::CertificateRequest>(status);
  absl::StatusOr<EnrollUser> command = csr.ok() ? CheckEnrollUser(request, *csr, services_.rng)
                                                : absl::StatusOr<EnrollUser>(csr.status());
  if (!command.ok()) {
    done(ErrorResponse(command.status()));
    return;
  }
  SubmitAndFinishHttp(
      services_, *std::move(command), request.request_id(), std::move(done),
      [this, spki = csr->spki](std::uint64_t index) { return AnswerUser(index, spki); });
}

absl::StatusOr<v1::EnrollUserResponse> Enrolment::AnswerUser(std::uint64_t index,
                                                             const Bytes& spki) {
  const ledger::SignedHead head = services_.log.Head();
  v1::EnrollUserResponse response;
  CARNET_ASSIGN_OR_RETURN(*response.mutable_genesis(), ProveUnder(services_.log, 0, head));
  CARNET_ASSIGN_OR_RETURN(*response.mutable_enrolled(), ProveUnder(services_.log, index, head));
  response.set_head(head.note);
  CARNET_ASSIGN_OR_RETURN(const ledger::Record genesis,
                          ledger::OpenRecord(response.genesis().record()));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record,
                          ledger::OpenRecord(response.enrolled().record()));
  const auto* first = genesis.As<v1::Genesis>();
  const auto* enrolled = record.As<v1::UserEnrolled>();
  if (first == nullptr || enrolled == nullptr ||
      AsText(crypto::Sha256(spki)) != enrolled->tls_spki_sha256()) {
    return absl::AlreadyExistsError("this request was answered for another key");
  }
  response.set_user_id(enrolled->user_id());
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                          crypto::SpiffeId::User(first->trust_domain(), enrolled->user_id()));
  CARNET_ASSIGN_OR_RETURN(
      Authorities::Issued issued,
      IssueToClient(services_, spki, id, services_.clock.Now() + kUserCertificateLife));
  response.set_certificate_pem(std::move(issued.certificate_pem));
  response.set_ca_certificate_pem(std::move(issued.authority_pem));
  return response;
}

}  // namespace carnet::coordinator
