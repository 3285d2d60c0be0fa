#include "worker/enrol.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "exchange/enrolment.h"
#include "exchange/join_token.h"
#include "exchange/member_keys.h"
#include "worker/accept_log.h"
#include "worker/federation_file.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEnrolmentBytesMax = std::size_t{4} << 20;
constexpr std::size_t kChallengeIdBytes = 16;
constexpr std::size_t kChallengeAnswerBytes = 32;
constexpr std::size_t kRequestIdBytes = 16;
constexpr absl::Duration kProbeMax = absl::Seconds(5);
// What a coordinator is told apart by, when TLS says that it is another one.
constexpr char kOtherTokenAuthority[] =
    "if its certificate authority was rotated since the token was made, ask the operator for a new "
    "token: carnet worker invite";
constexpr char kOtherAuthority[] =
    "if its certificate authority was rotated while this worker was away, ask the operator for a "
    "new invitation (carnet worker invite) and start with it and a new --state folder";

absl::StatusOr<OwnKeys> LoadKeys(const StateDir& state, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(exchange::MemberKeys keys, exchange::KeepMemberKeys(state.keys(), rng));
  return OwnKeys{std::move(keys)};
}

// ECDSA signatures differ each time, so the request is made once and kept.
absl::StatusOr<std::string> KeepRequest(const StateDir& state, const OwnKeys& keys,
                                        const crypto::SpiffeId& id) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> there,
                          ReadIfThere(state.csr(), crypto::kCertificatePemBytesMax));
  if (there.has_value()) {
    return *there;
  }
  CARNET_ASSIGN_OR_RETURN(std::string request, crypto::MakeCertificateRequest(keys.tls, id));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(state.csr(), AsBytes(request)));
  return request;
}

// How the coordinator is known: by the token's pin, or by what this worker followed since.
absl::StatusOr<HttpClientTls> TlsOf(const FederationFacts& facts, const Identity* identity,
                                    absl::Time now) {
  HttpClientTls tls;
  tls.server_name = exchange::CoordinatorServerName(facts.trust_domain);
  if (identity == nullptr || identity->keys->authorities().size() < 2) {
    tls.ca_key_sha256 = facts.ca_spki_sha256;
    return tls;
  }
  CARNET_ASSIGN_OR_RETURN(Roots roots, RootsAt(*identity->keys, now));
  tls.ca_certificate_pem = std::move(roots.pem);
  return tls;
}

// One request to the coordinator; addresses are tried in order until one answers.
absl::StatusOr<HttpResponse> Ask(const EnrolParts& parts, const FederationFacts& facts,
                                 const HttpClientTls& tls, const HttpRequest& http,
                                 absl::Duration timeout = HttpCallOptions().timeout) {
  absl::Status last = absl::UnavailableError("enrolment: no address");
  for (const std::string& address : facts.https_addresses) {
    CARNET_ASSIGN_OR_RETURN(const exchange::HostPort place, exchange::ParseHostPort(address));
    HttpCallOptions options;
    options.host = place.host;
    options.port = place.port;
    options.tls = tls;
    options.timeout = timeout;
    options.response_bytes_max = kEnrolmentBytesMax;
    auto answer = parts.call(options, http);
    if (answer.ok()) {
      return answer;
    }
    last = answer.status();
    if (!absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last)) {
      return last;
    }
  }
  return absl::IsDeadlineExceeded(last) ? absl::UnavailableError(last.message()) : last;
}

// One call of the Enrolment service. identity: null before this is a member.
absl::Status Post(const EnrolParts& parts, const FederationFacts& facts, const Identity* identity,
                  absl::string_view method, const google::protobuf::Message& request,
                  google::protobuf::Message* response) {
  HttpRequest http;
  http.method = "POST";
  http.path = absl::StrCat("/carnet.v1.Enrolment/", method);
  http.headers = {{"Content-Type", "application/json"}};
  CARNET_ASSIGN_OR_RETURN(http.body, MessageToJson(request));
  CARNET_ASSIGN_OR_RETURN(const HttpClientTls tls, TlsOf(facts, identity, parts.clock.Now()));
  absl::StatusOr<HttpResponse> answer = Ask(parts, facts, tls, http);
  if (absl::IsUnauthenticated(answer.status())) {
    return identity == nullptr ? WithRemedy(answer.status(), kOtherTokenAuthority)
                               : WithRemedy(answer.status(), kOtherAuthority);
  }
  CARNET_RETURN_IF_ERROR(answer.status());
  CARNET_RETURN_IF_ERROR(StatusFromResponse(*answer));
  return JsonToMessage(answer->body, response, kEnrolmentBytesMax);
}

absl::StatusOr<crypto::SecretBytes> AnswerChallenge(const OwnKeys& keys,
                                                    const v1::ChallengeResponse& challenge) {
  crypto::HpkeEncapsulated encapsulated;
  if (challenge.encapsulated().size() != encapsulated.size() ||
      challenge.challenge_id().size() != kChallengeIdBytes) {
    return absl::UnauthenticatedError("enrolment: the challenge is malformed");
  }
  const ByteView bytes = AsBytes(challenge.encapsulated());
  std::copy(bytes.begin(), bytes.end(), encapsulated.begin());
  CARNET_ASSIGN_OR_RETURN(
      crypto::SecretBytes answer,
      crypto::HpkeOpen(keys.wrapping, encapsulated, AsBytes(exchange::kEnrolmentChallengeInfo), {},
                       AsBytes(challenge.ciphertext())));
  if (answer.size() != kChallengeAnswerBytes) {
    return absl::UnauthenticatedError("enrolment: the challenge is malformed");
  }
  return answer;
}

absl::StatusOr<v1::EnrollResponse> Enroll(const EnrolParts& parts, const FederationFacts& facts,
                                          const OwnKeys& keys, const crypto::SecretBytes& secret,
                                          const v1::WorkerStatement& statement) {
  CARNET_ASSIGN_OR_RETURN(const std::string csr, KeepRequest(parts.state, keys, facts.spiffe_id));
  v1::ChallengeRequest ask;
  ask.set_wrapping_public_key(ToString(keys.wrapping.public_key()));
  v1::ChallengeResponse challenge;
  CARNET_RETURN_IF_ERROR(Post(parts, facts, nullptr, "Challenge", ask, &challenge));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes answer, AnswerChallenge(keys, challenge));
  v1::EnrollRequest request;
  // The same request after a crash is the same call: its id follows from the certificate request.
  const Digest csr_sha256 = crypto::Sha256(AsBytes(csr));
  request.set_request_id(ToString(ByteView(csr_sha256).first(kRequestIdBytes)));
  request.set_token_secret(ToString(secret.View()));
  request.set_csr_pem(csr);
  request.set_statement_public_key(ToString(keys.statement.public_key()));
  request.set_wrapping_public_key(ToString(keys.wrapping.public_key()));
  request.set_challenge_id(challenge.challenge_id());
  request.set_challenge_answer(ToString(answer.View()));
  *request.mutable_statement() = statement;
  request.set_proof(ToString(keys.statement.Sign(exchange::EnrollProofMessage(request))));
  v1::EnrollResponse response;
  CARNET_RETURN_IF_ERROR(Post(parts, facts, nullptr, "Enroll", request, &response));
  return response;
}

absl::StatusOr<FederationFacts> KeepFacts(const StateDir& state, const exchange::JoinToken& token) {
  CARNET_ASSIGN_OR_RETURN(FederationFacts facts, FactsOf(token));
  CARNET_ASSIGN_OR_RETURN(const std::string text, FederationJson(facts));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(state.federation(), AsBytes(text)));
  return facts;
}

// What an earlier run reached; nothing: not a member yet.
absl::StatusOr<std::optional<Enrolled>> Load(const EnrolParts& parts) {
  CARNET_ASSIGN_OR_RETURN(const auto bytes,
                          ReadIfThere(parts.state.enrolment(), kEnrolmentBytesMax));
  if (!bytes.has_value()) {
    return std::optional<Enrolled>();
  }
  CARNET_ASSIGN_OR_RETURN(const auto text,
                          ReadIfThere(parts.state.federation(), kFederationFileBytesMax));
  v1::EnrollResponse answer;
  if (!text.has_value() || !answer.ParseFromString(*bytes)) {
    return WithOperatorDetail(absl::DataLossError("worker: its enrolment is damaged"),
                              parts.state.root().string());
  }
  CARNET_ASSIGN_OR_RETURN(FederationFacts facts, ParseFederationJson(*text));
  CARNET_ASSIGN_OR_RETURN(OwnKeys keys, LoadKeys(parts.state, parts.rng));
  CARNET_ASSIGN_OR_RETURN(
      Identity identity, EstablishIdentity(facts, keys.PublicKeys(), answer, absl::InfinitePast()));
  return std::optional<Enrolled>(
      Enrolled{std::move(facts), std::move(keys), std::move(identity), std::move(answer)});
}

// An answer that takes the place of the one from enrolment: about the same worker, and of the same
// keys that this worker followed under heads that it verified.
absl::Status CheckRenewed(const Enrolled& enrolled, const v1::EnrollResponse& answer,
                          absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(
      const Identity identity,
      EstablishIdentity(enrolled.facts, enrolled.keys.PublicKeys(), answer, now));
  if (identity.worker_id != enrolled.identity.worker_id) {
    return absl::UnauthenticatedError("renewal: the answer is about another worker");
  }
  if (!SameKeys(*identity.keys, *enrolled.identity.keys)) {
    // The next poll brings what is missing here.
    return absl::UnavailableError("renewal: the answer names keys that were not followed yet");
  }
  return absl::OkStatus();
}

}  // namespace

OwnPublicKeys OwnKeys::PublicKeys() const {
  return {.tls_spki = tls.spki(),
          .statement = statement.public_key(),
          .wrapping = wrapping.public_key()};
}

absl::StatusOr<exchange::JoinToken> ReadJoinToken(const fs::path& path, absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(Bytes text, ReadFile(path, exchange::kJoinTokenBytesMax + 1));
  auto token = exchange::ParseJoinToken(AsText(text));
  crypto::Wipe(text);
  if (!token.ok()) {
    return WithRemedy(
        WithOperatorDetail(absl::InvalidArgumentError("join token: not one, or damaged"),
                           absl::StrCat(path.string(), ": ", token.status().message())),
        "give the file that `carnet init` or `carnet worker invite` wrote");
  }
  if (token->expires <= now) {
    return WithRemedy(
        WithOperatorDetail(absl::InvalidArgumentError("join token: it has expired"), path.string()),
        "ask the operator for a new one: carnet worker invite");
  }
  return token;
}

absl::StatusOr<Enrolled> LoadOrEnrol(const EnrolParts& parts,
                                     const std::optional<fs::path>& token_path,
                                     const v1::WorkerStatement& statement) {
  CARNET_ASSIGN_OR_RETURN(std::optional<Enrolled> loaded, Load(parts));
  if (loaded.has_value()) {
    return *std::move(loaded);
  }
  CARNET_RETURN_IF_ERROR(FinishAccepted(parts.state));
  if (!token_path.has_value()) {
    return WithRemedy(
        absl::FailedPreconditionError("worker: not enrolled, and no join token given"),
        "give the token of this slot: --join FILE");
  }
  CARNET_ASSIGN_OR_RETURN(const exchange::JoinToken token,
                          ReadJoinToken(*token_path, parts.clock.Now()));
  CARNET_ASSIGN_OR_RETURN(FederationFacts facts, KeepFacts(parts.state, token));
  CARNET_ASSIGN_OR_RETURN(OwnKeys keys, LoadKeys(parts.state, parts.rng));
  CARNET_ASSIGN_OR_RETURN(v1::EnrollResponse answer,
                          Enroll(parts, facts, keys, token.secret, statement));
  CARNET_ASSIGN_OR_RETURN(Identity identity,
                          EstablishIdentity(facts, keys.PublicKeys(), answer, parts.clock.Now()));
  CARNET_RETURN_IF_ERROR(CheckAccepted(parts.state, answer));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(parts.state.enrolment(), AsBytes(answer.SerializeAsString())));
  return Enrolled{std::move(facts), std::move(keys), std::move(identity), std::move(answer)};
}

absl::StatusOr<bool> RenewalDue(const Enrolled& enrolled, absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo certificate,
                          crypto::ParseCertificatePem(enrolled.answer.certificate_pem()));
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo authority,
                          crypto::ParseCertificatePem(enrolled.answer.ca_certificate_pem()));
  const auto& authorities = enrolled.identity.keys->authorities();
  if (!authorities.empty() && authorities.back().spki_sha256 != authority.spki_sha256) {
    return true;
  }
  const absl::Duration life = certificate.validity.not_after - certificate.validity.not_before;
  return now >= certificate.validity.not_before + life / 3;
}

absl::Status Renew(const EnrolParts& parts, Enrolled* enrolled) {
  CARNET_ASSIGN_OR_RETURN(const std::string csr,
                          KeepRequest(parts.state, enrolled->keys, enrolled->facts.spiffe_id));
  v1::RenewRequest request;
  request.set_request_id(ToString(RandomBytes(parts.rng, kRequestIdBytes)));
  request.set_worker_id(enrolled->identity.worker_id);
  request.set_csr_pem(csr);
  const absl::Time now = parts.clock.Now();
  request.mutable_at()->set_seconds(absl::ToUnixSeconds(now));
  request.set_proof(ToString(enrolled->keys.statement.Sign(exchange::RenewProofMessage(request))));
  v1::EnrollResponse answer;
  CARNET_RETURN_IF_ERROR(
      Post(parts, enrolled->facts, &enrolled->identity, "Renew", request, &answer));
  const OwnPublicKeys keys = enrolled->keys.PublicKeys();
  CARNET_RETURN_IF_ERROR(
      CheckCertificate(enrolled->facts, keys, *enrolled->identity.keys, answer, now));
  v1::EnrollResponse kept = enrolled->answer;
  if (answer.ca_certificate_pem() == kept.ca_certificate_pem()) {
    // Only the certificate is new: what was proven at enrolment stays.
    kept.set_certificate_pem(answer.certificate_pem());
  } else {
    CARNET_RETURN_IF_ERROR(CheckRenewed(*enrolled, answer, now));
    kept = std::move(answer);
  }
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(parts.state.enrolment(), AsBytes(kept.SerializeAsString())));
  enrolled->answer = std::move(kept);
  return absl::OkStatus();
}

absl::Status ProbeCoordinator(const EnrolParts& parts, const Enrolled& enrolled) {
  HttpRequest http;
  http.method = "GET";
  http.path = "/healthz";
  CARNET_ASSIGN_OR_RETURN(const HttpClientTls tls,
                          TlsOf(enrolled.facts, &enrolled.identity, parts.clock.Now()));
  const absl::Status status = Ask(parts, enrolled.facts, tls, http, kProbeMax).status();
  return absl::IsUnauthenticated(status) ? WithRemedy(status, kOtherAuthority) : status;
}

}  // namespace carnet::worker
