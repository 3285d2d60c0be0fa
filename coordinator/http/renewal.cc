#include "coordinator/http/renewal.h"

#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/http/answers.h"
#include "coordinator/http/credentials.h"
#include "coordinator/http/enrolment.h"
#include "crypto/ed25519.h"
#include "exchange/renewal.h"

namespace carnet::coordinator {
namespace {

constexpr char kNoRenewal[] =
    "not a renewal of an enrolled person's certificate by an authority that counts";

}  // namespace

absl::Status CheckRenewUser(const State& state, const v1::RenewUserRequest& request,
                            const crypto::CertificateRequest& csr,
                            const crypto::CertificateInfo& old, absl::Time now) {
  const auto user = state.users.find(request.user_id());
  const absl::StatusOr<crypto::Ed25519PublicKey> key =
      user == state.users.end() ? absl::NotFoundError("")
                                : crypto::ToEd25519PublicKey(user->second.public_key);
  const bool same =
      key.ok() && csr.id.kind() == crypto::SpiffeKind::kUser &&
      csr.id.user() == request.user_id() && old.spiffe_id == csr.id && old.client &&
      csr.id.trust_domain() == state.genesis.trust_domain() && old.spki == csr.spki &&
      // One that was made at init has no key on record: its certificate speaks for it.
      (user->second.tls_spki_sha256.empty() ||
       AsText(user->second.tls_spki_sha256) == AsText(old.spki_sha256)) &&
      absl::AbsDuration(ToTime(request.at()) - now) <= kRenewClockSkew &&
      crypto::Ed25519Verify(*key, exchange::RenewUserProofMessage(request),
                            AsBytes(request.proof()));
  if (!same) {
    return absl::UnauthenticatedError(kNoRenewal);
  }
  if (user->second.revoked) {
    return absl::PermissionDeniedError("revoked");
  }
  if (now > old.validity.not_after + kUserRenewalGrace) {
    return absl::PermissionDeniedError(
        "the certificate expired more than 7 days ago: ask an admin for a new invitation");
  }
  return absl::OkStatus();
}

void Renewal::Route(HttpServer* server) {
  server->RouteAsync("POST", "/carnet.v1.Renewal/RenewUser",
                     [this](HttpRequest request, HttpServer::Done done) {
                       OnRenewUser(std::move(request), std::move(done));
                     });
}

void Renewal::OnRenewUser(HttpRequest http, HttpServer::Done done) {
  auto request = std::make_shared<v1::RenewUserRequest>();
  absl::Status status = JsonToMessage(http.body, request.get(), kBodyBytesMax);
  status.Update(CheckRequestId(request->request_id()));
  const absl::StatusOr<crypto::CertificateRequest> csr =
      status.ok() ? crypto::VerifyCertificateRequest(request->csr_pem())
                  : absl::StatusOr<crypto::CertificateRequest>(status);
  const absl::StatusOr<crypto::CertificateInfo> old =
      csr.ok() ? services_.authorities.Verify(request->certificate_pem())
               : absl::StatusOr<crypto::CertificateInfo>(csr.status());
  if (!old.ok()) {
    done(ErrorResponse(csr.ok() ? absl::UnauthenticatedError(kNoRenewal) : old.status()));
    return;
  }
  services_.engine.Read([this, done = std::move(done), request, csr = *csr, old = *old](
                            const State& state, absl::Time now) mutable {
    const absl::Status allowed = CheckRenewUser(state, *request, csr, old, now);
    if (allowed.ok()) {
      FinishHttp(services_, std::move(done), [this, old] { return Answer(old); });
    } else {
      done(ErrorResponse(allowed));
    }
  });
}

absl::StatusOr<v1::RenewUserResponse> Renewal::Answer(const crypto::CertificateInfo& old) {
  // Before the list, which so leads to its authority.
  CARNET_ASSIGN_OR_RETURN(Authorities::Issued issued,
                          IssueToClient(services_, old.spki, *old.spiffe_id,
                                        services_.clock.Now() + kUserCertificateLife));
  v1::RenewUserResponse response;
  response.set_certificate_pem(std::move(issued.certificate_pem));
  CARNET_RETURN_IF_ERROR(ProveFederation(services_, &response).status());
  return response;
}

}  // namespace carnet::coordinator
