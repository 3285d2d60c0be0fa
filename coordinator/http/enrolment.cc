#include "coordinator/http/enrolment.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/rpc/task_message.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "exchange/enrolment.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kBodyBytesMax = std::size_t{64} * 1024;
// Certificates are valid a little before now, for clocks that run late.
constexpr absl::Duration kNotBeforeSkew = absl::Minutes(5);

HttpResponse JsonResponse(const google::protobuf::Message& message) {
  const absl::StatusOr<std::string> json = MessageToJson(message);
  if (!json.ok()) {
    return ErrorResponse(json.status());
  }
  HttpResponse response;
  response.body = *json;
  return response;
}

// Answers on the storage executor, where files may be read.
void FinishHttp(const Services& services, HttpServer::Done done,
                absl::AnyInvocable<absl::StatusOr<v1::EnrollResponse>()> work) {
  auto shared = std::make_shared<HttpServer::Done>(std::move(done));
  const absl::Status admitted =
      services.storage.TrySubmit([shared, work = std::move(work)]() mutable {
        const absl::StatusOr<v1::EnrollResponse> response = work();
        (*shared)(response.ok() ? JsonResponse(*response) : ErrorResponse(response.status()));
      });
  if (!admitted.ok()) {
    (*shared)(ErrorResponse(admitted));
  }
}

}  // namespace

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
  services_.engine.Submit(
      *std::move(command), request.request_id(),
      [this, spki = csr->spki,
       done = std::move(done)](absl::StatusOr<coordinator::Answer> answer) mutable {
        if (!answer.ok() || !answer->index.has_value()) {
          done(ErrorResponse(answer.ok() ? absl::InternalError("no record") : answer.status()));
          return;
        }
        FinishHttp(services_, std::move(done),
                   [this, spki, index = *answer->index] { return Answer(index, spki); });
      });
}

absl::StatusOr<v1::EnrollResponse> Enrolment::Answer(std::uint64_t index, const Bytes& spki) {
  // Before the head is taken, so that it covers them.
  std::vector<std::uint64_t> rotations;
  CARNET_RETURN_IF_ERROR(services_.engine.ReadBlocking([&](const State& state, absl::Time) {
    for (const Rotation& rotation : state.rotations) {
      rotations.push_back(rotation.index);
    }
  }));
  const ledger::SignedHead head = services_.log.Head();
  v1::EnrollResponse response;
  CARNET_ASSIGN_OR_RETURN(*response.mutable_genesis(), ProveUnder(services_.log, 0, head));
  CARNET_ASSIGN_OR_RETURN(*response.mutable_enrolled(), ProveUnder(services_.log, index, head));
  for (const std::uint64_t rotation : rotations) {
    CARNET_ASSIGN_OR_RETURN(*response.add_rotations(), ProveUnder(services_.log, rotation, head));
  }
  response.set_head(head.note);
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record,
                          ledger::OpenRecord(response.enrolled().record()));
  const v1::WorkerEnrolled* enrolled = record.As<v1::WorkerEnrolled>();
  if (enrolled == nullptr || AsText(crypto::Sha256(spki)) != enrolled->tls_spki_sha256()) {
    return absl::AlreadyExistsError("this request was answered for another key");
  }
  response.set_worker_id(enrolled->worker_id());
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                          crypto::SpiffeId::Parse(enrolled->spiffe_id()));
  const absl::Time now = services_.clock.Now();
  crypto::CertificateOrder order{.spki = spki, .id = id, .client = true, .validity = {}};
  order.validity = {now - kNotBeforeSkew,
                    std::min(now + kCertificateLife, ToTime(enrolled->lease_until()))};
  CARNET_ASSIGN_OR_RETURN(Authorities::Issued issued, services_.authorities.Issue(order));
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
  auto shared = std::make_shared<HttpServer::Done>(std::move(done));
  services_.engine.Read([this, shared, request, spki = csr->spki](const State& state,
                                                                  absl::Time now) {
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
      (*shared)(ErrorResponse(absl::UnauthenticatedError("not a renewal of an enrolled worker")));
    } else if (worker->revoked || now >= ToTime(worker->terms.lease_until())) {
      (*shared)(ErrorResponse(absl::PermissionDeniedError(
          "revoked, or the lease has ended: ask for a new join token")));
    } else {
      FinishHttp(services_, std::move(*shared),
                 [this, spki, index = worker->index] { return Answer(index, spki); });
    }
  });
}

}  // namespace carnet::coordinator
