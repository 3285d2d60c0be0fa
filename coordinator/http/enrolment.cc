#include "coordinator/http/enrolment.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/http/answers.h"
#include "coordinator/http/credentials.h"
#include "coordinator/rpc/task_message.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "exchange/enrolment.h"
#include "ledger/record.h"

namespace carnet::coordinator {

void Enrolment::Route(HttpServer* server) {
  server->Route("POST", "/carnet.v1.Enrolment/Challenge",
                [this](const HttpRequest& request) { return OnChallenge(request); });
  server->RouteAsync("POST", "/carnet.v1.Enrolment/Enroll",
                     [this](HttpRequest request, HttpServer::Done done) {
                       OnEnroll(std::move(request), std::move(done));
                     });
  server->RouteAsync("POST", "/carnet.v1.Enrolment/EnrollUser",
                     [this](HttpRequest request, HttpServer::Done done) {
                       OnEnrollUser(std::move(request), std::move(done));
                     });
  server->RouteAsync("POST", "/carnet.v1.Enrolment/Renew",
                     [this](HttpRequest request, HttpServer::Done done) {
                       OnRenew(std::move(request), std::move(done));
                     });
}

HttpResponse Enrolment::OnChallenge(const HttpRequest& http) {
  v1::ChallengeRequest request;
  if (const absl::Status status = JsonToMessage(http.body, &request, kBodyBytesMax); !status.ok()) {
    return ErrorResponse(status);
  }
  const absl::StatusOr<crypto::X25519PublicKey> key =
      crypto::ToX25519PublicKey(AsBytes(request.wrapping_public_key()));
  if (!key.ok()) {
    return ErrorResponse(key.status());
  }
  Challenge challenge{RandomBytes(services_.rng, 32), ToBytes(request.wrapping_public_key()),
                      services_.clock.Now() + kChallengeLife};
  const absl::StatusOr<crypto::HpkeSealed> sealed = crypto::HpkeSeal(
      *key, AsBytes(exchange::kEnrolmentChallengeInfo), {}, challenge.answer, services_.rng);
  if (!sealed.ok()) {
    return ErrorResponse(sealed.status());
  }
  v1::ChallengeResponse response;
  response.set_challenge_id(ToString(RandomBytes(services_.rng, 16)));
  response.set_encapsulated(ToString(sealed->encapsulated));
  response.set_ciphertext(ToString(sealed->ciphertext));
  const MutexLock lock(mutex_);
  if (challenges_.size() >= kChallengesMax) {
    challenges_.erase(std::min_element(
        challenges_.begin(), challenges_.end(),
        [](const auto& a, const auto& b) { return a.second.expires < b.second.expires; }));
  }
  challenges_[response.challenge_id()] = std::move(challenge);
  return JsonResponse(response);
}

absl::StatusOr<EnrollWorker> Enrolment::CheckEnroll(const v1::EnrollRequest& request) {
  CARNET_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateRequest csr,
                          crypto::VerifyCertificateRequest(request.csr_pem()));
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519PublicKey statement_key,
                          crypto::ToEd25519PublicKey(AsBytes(request.statement_public_key())));
  if (!crypto::Ed25519Verify(statement_key, exchange::EnrollProofMessage(request),
                             AsBytes(request.proof()))) {
    return absl::UnauthenticatedError("the request is not signed with its statement key");
  }
  {
    const MutexLock lock(mutex_);
    const auto challenge = challenges_.find(request.challenge_id());
    const bool good =
        challenge != challenges_.end() && challenge->second.expires > services_.clock.Now() &&
        AsText(challenge->second.wrapping_public_key) == request.wrapping_public_key() &&
        crypto::ConstantTimeEquals(AsBytes(request.challenge_answer()), challenge->second.answer);
    if (challenge != challenges_.end()) {
      challenges_.erase(challenge);  // single use, right or wrong
    }
    if (!good) {
      return absl::UnauthenticatedError("the challenge was not answered: ask for a new one");
    }
  }
  EnrollWorker command;
  const Digest token_sha256 = crypto::Sha256(AsBytes(request.token_secret()));
  command.token_sha256.assign(token_sha256.begin(), token_sha256.end());
  command.spiffe_id = csr.id.ToString();
  const Digest spki_sha256 = crypto::Sha256(csr.spki);
  command.tls_spki_sha256.assign(spki_sha256.begin(), spki_sha256.end());
  command.statement_public_key = ToBytes(request.statement_public_key());
  command.wrapping_public_key = ToBytes(request.wrapping_public_key());
  command.statement = request.statement();
  return command;
}

void Enrolment::OnEnroll(HttpRequest http, HttpServer::Done done) {
  v1::EnrollRequest request;
  absl::Status status = JsonToMessage(http.body, &request, kBodyBytesMax);
  // Never from an OK status: that ends the process.
  absl::StatusOr<EnrollWorker> command =
      status.ok() ? CheckEnroll(request) : absl::StatusOr<EnrollWorker>(status);
  if (!command.ok()) {
    done(ErrorResponse(command.status()));
    return;
  }
  const absl::StatusOr<crypto::CertificateRequest> csr =
      crypto::VerifyCertificateRequest(request.csr_pem());
  CARNET_CHECK(csr.ok());
  SubmitAndFinishHttp(
      services_, *std::move(command), request.request_id(), std::move(done),
      [this, spki = csr->spki](std::uint64_t index) { return Answer(index, spki); });
}

absl::StatusOr<v1::EnrollResponse> Enrolment::Answer(std::uint64_t index, const Bytes& spki) {
  v1::EnrollResponse response;
  CARNET_ASSIGN_OR_RETURN(const ledger::SignedHead head, ProveFederation(services_, &response));
  CARNET_ASSIGN_OR_RETURN(*response.mutable_enrolled(), ProveUnder(services_.log, index, head));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record,
                          ledger::OpenRecord(response.enrolled().record()));
  const v1::WorkerEnrolled* enrolled = record.As<v1::WorkerEnrolled>();
  if (enrolled == nullptr || AsText(crypto::Sha256(spki)) != enrolled->tls_spki_sha256()) {
    return absl::AlreadyExistsError("this request was answered for another key");
  }
  response.set_worker_id(enrolled->worker_id());
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                          crypto::SpiffeId::Parse(enrolled->spiffe_id()));
  const absl::Time until =
      std::min(services_.clock.Now() + kCertificateLife, ToTime(enrolled->lease_until()));
  CARNET_ASSIGN_OR_RETURN(Authorities::Issued issued, IssueToClient(services_, spki, id, until));
  response.set_certificate_pem(std::move(issued.certificate_pem));
  response.set_ca_certificate_pem(std::move(issued.authority_pem));
  return response;
}

void Enrolment::OnRenew(HttpRequest http, HttpServer::Done done) {
  v1::RenewRequest request;
  absl::Status status = JsonToMessage(http.body, &request, kBodyBytesMax);
  const absl::StatusOr<crypto::CertificateRequest> csr =
      status.ok() ? crypto::VerifyCertificateRequest(request.csr_pem())
                  : absl::StatusOr<crypto::CertificateRequest>(status);
  if (!csr.ok()) {
    done(ErrorResponse(csr.status()));
    return;
  }
  services_.engine.Read([this, done = std::move(done), request, spki = csr->spki](
                            const State& state, absl::Time now) mutable {
    const Worker* worker = state.FindWorker(request.worker_id());
    const absl::StatusOr<crypto::Ed25519PublicKey> key =
        worker == nullptr
            ? absl::NotFoundError("")
            : crypto::ToEd25519PublicKey(AsBytes(worker->terms.statement_public_key()));
    const bool good =
        key.ok() && absl::AbsDuration(ToTime(request.at()) - now) <= kRenewClockSkew &&
        AsText(crypto::Sha256(spki)) == worker->terms.tls_spki_sha256() &&
        crypto::Ed25519Verify(*key, exchange::RenewProofMessage(request), AsBytes(request.proof()));
    if (!good) {
      done(ErrorResponse(absl::UnauthenticatedError("not a renewal of an enrolled worker")));
    } else if (worker->revoked || now >= ToTime(worker->terms.lease_until())) {
      done(ErrorResponse(absl::PermissionDeniedError(
          "revoked, or the lease has ended: ask for a new join token")));
    } else {
      FinishHttp(services_, std::move(done),
                 [this, spki, index = worker->index] { return Answer(index, spki); });
    }
  });
}

}  // namespace carnet::coordinator
