#include "cli/commands/user_renew.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "carnet/v1/renewal.pb.h"
#include "cli/client_context.h"
#include "cli/credentials.h"
#include "cli/federation_keys.h"
#include "cli/https_call.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "exchange/join_token.h"
#include "exchange/renewal.h"

namespace carnet::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kAddressesBytesMax = std::size_t{4} * 1024;
constexpr std::size_t kRequestIdBytes = 16;
constexpr char kHttpsPort[] = "7680";
constexpr char kEndOfCertificate[] = "-----END CERTIFICATE-----\n";

// What the person's folder holds.
struct Credentials {
  ClientIdentity identity;
  std::string ca_pem;
  std::string certificate_pem;
  crypto::P256Key tls;
  crypto::Ed25519KeyPair statement;
};

absl::StatusOr<Credentials> ReadCredentials(const fs::path& file) {
  CARNET_ASSIGN_OR_RETURN(ClientIdentity identity, LoadContext(file));
  CARNET_ASSIGN_OR_RETURN(TlsCredentials tls, ReadTlsCredentials(identity));
  CARNET_ASSIGN_OR_RETURN(crypto::P256Key tls_key, crypto::P256Key::FromPem(tls.key_pem));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair statement, ReadStatementKey(identity));
  return Credentials{std::move(identity), std::move(tls.ca_pem), std::move(tls.certificate_pem),
                     std::move(tls_key), std::move(statement)};
}

absl::StatusOr<std::vector<exchange::HostPort>> AddressesOf(const ClientIdentity& identity,
                                                            const std::string& given) {
  std::vector<std::string> texts = {given};
  if (given.empty()) {
    const absl::StatusOr<Bytes> lines =
        ReadFile(identity.file.parent_path() / exchange::kHttpsAddressesFile, kAddressesBytesMax);
    if (lines.ok()) {
      texts = absl::StrSplit(AsText(*lines), '\n', absl::SkipEmpty());
    } else if (absl::IsNotFound(lines.status())) {
      const std::string& grpc = identity.facts.address();
      texts = {absl::StrCat(grpc.substr(0, grpc.rfind(':')), ":", kHttpsPort)};
    } else {
      return lines.status();
    }
  }
  std::vector<exchange::HostPort> addresses;
  for (const std::string& text : texts) {
    const absl::StatusOr<exchange::HostPort> address = exchange::ParseHostPort(text);
    if (!address.ok() || addresses.size() >= exchange::kJoinAddressesMax) {
      return WithRemedy(absl::InvalidArgumentError("renewal: no address of the coordinator"),
                        "give the coordinator's HTTPS address: --https HOST:PORT");
    }
    addresses.push_back(*address);
  }
  return addresses;
}

absl::StatusOr<v1::RenewUserRequest> MakeRequest(const Credentials& own, Rng& rng, absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(
      const crypto::SpiffeId id,
      crypto::SpiffeId::User(own.identity.facts.trust_domain(), own.identity.facts.user_id()));
  v1::RenewUserRequest request;
  request.set_request_id(ToString(RandomBytes(rng, kRequestIdBytes)));
  request.set_user_id(own.identity.facts.user_id());
  CARNET_ASSIGN_OR_RETURN(*request.mutable_csr_pem(), crypto::MakeCertificateRequest(own.tls, id));
  request.set_certificate_pem(own.certificate_pem);
  request.mutable_at()->set_seconds(absl::ToUnixSeconds(now));
  request.set_proof(ToString(own.statement.Sign(exchange::RenewUserProofMessage(request))));
  return request;
}

absl::StatusOr<v1::RenewUserResponse> Post(const Credentials& own,
                                           std::vector<exchange::HostPort> addresses,
                                           const v1::RenewUserRequest& request) {
  HttpsCall call;
  call.path = "/carnet.v1.Renewal/RenewUser";
  call.addresses = std::move(addresses);
  call.tls.ca_certificate_pem = own.ca_pem;
  call.tls.server_name = exchange::CoordinatorServerName(own.identity.facts.trust_domain());
  call.if_unknown =
      "if the certificate authority was rotated and its overlap has ended, ask an admin for a new "
      "invitation: carnet user invite";
  call.if_away =
      "is `carnet coordinator run` up? its HTTPS address can be given: --https HOST:PORT";
  v1::RenewUserResponse response;
  CARNET_RETURN_IF_ERROR(CallHttps(call, request, &response));
  return response;
}

// Whether one of the certificates in `pem` is of an authority that the ledger names.
bool NamesOne(const ledger::verifier::KeyHistory& history, const std::string& pem) {
  for (std::size_t at = 0; at < pem.size();) {
    const std::size_t end = pem.find(kEndOfCertificate, at);
    if (end == std::string::npos) {
      return false;
    }
    const std::size_t next = end + sizeof(kEndOfCertificate) - 1;
    const auto info = crypto::ParseCertificatePem(pem.substr(at, next - at));
    if (info.ok() &&
        std::any_of(history.authorities().begin(), history.authorities().end(),
                    [&](const auto& known) { return known.spki_sha256 == info->spki_sha256; })) {
      return true;
    }
    at = next;
  }
  return false;
}

// The certificate is this person's, for the same key, by the newest authority of the federation
// that the context names.
absl::StatusOr<crypto::CertificateInfo> CheckAnswer(const Credentials& own,
                                                    const FederationKeys& federation,
                                                    const v1::RenewUserResponse& answer,
                                                    absl::Time now) {
  const auto* genesis = federation.genesis.As<v1::Genesis>();
  const auto& authorities = federation.history.authorities();
  if (genesis == nullptr || genesis->trust_domain() != own.identity.facts.trust_domain() ||
      authorities.empty() || !NamesOne(federation.history, own.ca_pem)) {
    return absl::UnauthenticatedError("renewal: the answer is of another federation");
  }
  CARNET_ASSIGN_OR_RETURN(
      crypto::CertificateInfo info,
      crypto::VerifyCertificate(answer.certificate_pem(), authorities.back().certificate_pem, now));
  if (info.spki != own.tls.spki() || !info.client ||
      info.spiffe_id->kind() != crypto::SpiffeKind::kUser ||
      info.spiffe_id->user() != own.identity.facts.user_id()) {
    return absl::UnauthenticatedError("renewal: the certificate is not of this person");
  }
  return info;
}

}  // namespace

absl::StatusOr<RenewedPerson> RenewPerson(const RenewOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const Credentials own, ReadCredentials(options.context));
  CARNET_ASSIGN_OR_RETURN(const auto addresses, AddressesOf(own.identity, options.https));
  SystemRng rng;
  const absl::Time now = absl::Now();
  CARNET_ASSIGN_OR_RETURN(const v1::RenewUserRequest request, MakeRequest(own, rng, now));
  CARNET_ASSIGN_OR_RETURN(const v1::RenewUserResponse answer, Post(own, addresses, request));
  CARNET_ASSIGN_OR_RETURN(const FederationKeys federation,
                          CheckFederation(own.identity.facts.log_vkey(), answer.genesis(),
                                          answer.rotations(), answer.head()));
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo info,
                          CheckAnswer(own, federation, answer, now));
  // The authorities first: they hold the new certificate's, and the old one's while it counts.
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(own.identity.ca_file, AsBytes(federation.history.AuthoritiesPem(now))));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(own.identity.certificate_file, AsBytes(answer.certificate_pem())));
  RenewedPerson person{own.identity.facts.user_id(), info.validity.not_after, {}};
  for (const auto& authority : federation.history.authorities()) {
    if (now < authority.until) {
      person.authority_sha256.push_back(HexEncode(authority.spki_sha256));
    }
  }
  return person;
}

}  // namespace carnet::cli
