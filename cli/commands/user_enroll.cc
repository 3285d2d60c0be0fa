#include "cli/commands/user_enroll.h"

#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/status.h"
#include "carnet/v1/federation.pb.h"
#include "cli/client.h"
#include "cli/commands/personal_keys.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "exchange/enrolment.h"
#include "exchange/join_token.h"
#include "exchange/renewal.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/record.h"

namespace carnet::cli {
namespace {

namespace fs = std::filesystem;
using exchange::JoinToken;

constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20;
constexpr std::size_t kRequestIdBytes = 16;

absl::StatusOr<JoinToken> ReadInvitation(const fs::path& path) {
  CARNET_ASSIGN_OR_RETURN(Bytes text, ReadFile(path, exchange::kJoinTokenBytesMax + 1));
  auto token = exchange::ParseJoinToken(AsText(text));
  crypto::Wipe(text);
  if (!token.ok() || token->region != exchange::kUserTokenRegion) {
    return WithRemedy(
        WithOperatorDetail(absl::InvalidArgumentError("invitation: not a person's, or damaged"),
                           path.string()),
        "give the file that `carnet user invite` wrote");
  }
  if (token->expires <= absl::Now()) {
    return WithRemedy(
        WithOperatorDetail(absl::InvalidArgumentError("invitation: it has expired"), path.string()),
        "ask an admin for a new one: carnet user invite");
  }
  return token;
}

absl::StatusOr<v1::EnrollUserResponse> Post(const JoinToken& token,
                                            const v1::EnrollUserRequest& request) {
  HttpRequest http;
  http.method = "POST";
  http.path = "/carnet.v1.Enrolment/EnrollUser";
  http.headers = {{"Content-Type", "application/json"}};
  CARNET_ASSIGN_OR_RETURN(http.body, MessageToJson(request));
  HttpClientTls tls;
  tls.ca_key_sha256 = token.ca_spki_sha256;
  tls.server_name = exchange::CoordinatorServerName(token.trust_domain);
  absl::Status last = absl::UnavailableError("enrolment: no address");
  for (const std::string& address : token.https_addresses) {
    CARNET_ASSIGN_OR_RETURN(const exchange::HostPort place, exchange::ParseHostPort(address));
    HttpCallOptions options;
    options.host = place.host;
    options.port = place.port;
    options.tls = tls;
    options.response_bytes_max = kAnswerBytesMax;
    const absl::StatusOr<HttpResponse> answer = HttpCall(options, http);
    if (answer.ok()) {
      CARNET_RETURN_IF_ERROR(StatusFromResponse(*answer));
      v1::EnrollUserResponse response;
      CARNET_RETURN_IF_ERROR(JsonToMessage(answer->body, &response, kAnswerBytesMax));
      return response;
    }
    last = answer.status();
    if (!absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last)) {
      return WithRemedy(last,
                        "if the certificate authority was rotated since the invitation was made, "
                        "ask an admin for a new one: carnet user invite");
    }
  }
  return WithRemedy(absl::UnavailableError(last.message()), "is `carnet coordinator run` up?");
}

absl::Status Bad(absl::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat("enrolment: ", what));
}

// The certificate is of this person. Whose authority issued it is a matter of records.
absl::Status CheckCertificate(const JoinToken& token, const PersonalKeys& keys,
                              const v1::EnrollUserResponse& answer) {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo certificate,
                          crypto::VerifyCertificate(answer.certificate_pem(),
                                                    answer.ca_certificate_pem(), absl::Now()));
  return certificate.spki == keys.tls.spki() && certificate.spiffe_id->user() == token.slot
             ? absl::OkStatus()
             : Bad("the certificate is not of this person and this federation");
}

// It is of an authority that counts, in a federation that has or had the one that the invitation
// names.
absl::Status CheckIssuer(const JoinToken& token, const ledger::verifier::KeyHistory& history,
                         const v1::EnrollUserResponse& answer) {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo authority,
                          crypto::ParseCertificatePem(answer.ca_certificate_pem()));
  bool invited = false;
  bool counts = false;
  for (const auto& known : history.authorities()) {
    invited = invited || known.spki_sha256 == token.ca_spki_sha256;
    counts = counts || (known.spki_sha256 == authority.spki_sha256 && absl::Now() < known.until);
  }
  return invited && counts ? absl::OkStatus() : Bad("the authority is not of this federation");
}

// The answer is of the log that the invitation names, and about this person and these keys.
// rotations: as far as they are known; a federation whose keys were rotated needs them. *ca_pem:
// the authorities that count.
absl::StatusOr<v1::UserEnrolled> CheckRecords(const JoinToken& token, const PersonalKeys& keys,
                                              const v1::EnrollUserResponse& answer,
                                              const std::vector<Client::Rotation>& rotations,
                                              std::string* ca_pem) {
  namespace verifier = ledger::verifier;
  CARNET_ASSIGN_OR_RETURN(verifier::VerifierKey log, verifier::ParseVerifierKey(token.log_vkey));
  for (const Client::Rotation& rotation : rotations) {
    if (auto next = verifier::FollowLogKey(log, rotation.record); next.ok()) {
      log = *std::move(next);
    }
  }
  CARNET_ASSIGN_OR_RETURN(const verifier::VerifiedHead head,
                          verifier::VerifyHead(answer.head(), log));
  CARNET_ASSIGN_OR_RETURN(const auto genesis,
                          verifier::VerifyProvenRecord(answer.genesis(), head.tree));
  CARNET_ASSIGN_OR_RETURN(const auto enrolled,
                          verifier::VerifyProvenRecord(answer.enrolled(), head.tree));
  const auto* first = genesis.As<v1::Genesis>();
  const auto* user = enrolled.As<v1::UserEnrolled>();
  if (first == nullptr || answer.genesis().proof().index() != 0 ||
      genesis.leaf_hash != token.genesis_leaf) {
    return Bad("the log does not begin with the record that the invitation names");
  }
  CARNET_ASSIGN_OR_RETURN(verifier::KeyHistory history, verifier::KeyHistory::Create(genesis));
  for (const Client::Rotation& rotation : rotations) {
    CARNET_RETURN_IF_ERROR(history.Add(rotation.index, rotation.record));
  }
  if (user == nullptr ||
      enrolled.public_key != history.StatementKeyAt(answer.enrolled().proof().index()) ||
      user->user_id() != token.slot || user->public_key() != AsText(keys.statement.public_key()) ||
      user->wrapping_public_key() != AsText(keys.wrapping.public_key()) ||
      user->tls_spki_sha256() != AsText(crypto::Sha256(keys.tls.spki()))) {
    return Bad("the record is not of this person and these keys");
  }
  CARNET_RETURN_IF_ERROR(CheckIssuer(token, history, answer));
  *ca_pem = history.AuthoritiesPem(absl::Now());
  return *user;
}

absl::Status WriteContext(const fs::path& out, const JoinToken& token, const std::string& ca_pem,
                          const v1::EnrollUserResponse& answer) {
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(out / "user.pem", AsBytes(answer.certificate_pem())));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(out / "ca.pem", AsBytes(ca_pem)));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(out / exchange::kHttpsAddressesFile,
                      AsBytes(absl::StrCat(absl::StrJoin(token.https_addresses, "\n"), "\n"))));
  const std::string context = absl::StrCat(
      "# How `carnet` reaches the coordinator as this person; paths are relative to this "
      "file.\naddress: ",
      token.addresses.front(), "\ntrust_domain: ", token.trust_domain, "\nuser_id: ", token.slot,
      "\nca_file: ca.pem\ncertificate_file: user.pem\nkey_dir: keys\nlog_vkey: ", token.log_vkey,
      "\n");
  return WriteFileAtomic(out / "context.yaml", AsBytes(context));
}

// Checks everything and writes the folder's files, context.yaml last.
absl::StatusOr<v1::UserEnrolled> TakeAnswer(const fs::path& out, const JoinToken& token,
                                            const PersonalKeys& keys,
                                            const v1::EnrollUserResponse& answer) {
  CARNET_RETURN_IF_ERROR(CheckCertificate(token, keys, answer));
  std::string ca_pem;
  absl::StatusOr<v1::UserEnrolled> user = CheckRecords(token, keys, answer, {}, &ca_pem);
  if (user.ok() || !absl::IsUnauthenticated(user.status())) {
    CARNET_RETURN_IF_ERROR(user.status());
    CARNET_RETURN_IF_ERROR(WriteContext(out, token, ca_pem, answer));
    return user;
  }
  // Keys were rotated since the invitation, or since genesis: the certificate opens the way to the
  // records that say so.
  CARNET_RETURN_IF_ERROR(WriteContext(out, token, answer.ca_certificate_pem(), answer));
  const auto follow = [&]() -> absl::StatusOr<v1::UserEnrolled> {
    CARNET_ASSIGN_OR_RETURN(const auto client, Client::OpenContext(out / "context.yaml"));
    CARNET_ASSIGN_OR_RETURN(const auto rotations, client->FetchRotations());
    if (rotations.empty()) {
      return user;
    }
    CARNET_ASSIGN_OR_RETURN(v1::UserEnrolled followed,
                            CheckRecords(token, keys, answer, rotations, &ca_pem));
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(out / "ca.pem", AsBytes(ca_pem)));
    return followed;
  };
  user = follow();
  if (!user.ok()) {
    std::error_code error;
    fs::remove(out / "context.yaml", error);
  }
  return user;
}

}  // namespace

absl::StatusOr<EnrolledPerson> EnrollPerson(const EnrollOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const JoinToken token, ReadInvitation(options.token));
  std::error_code error;
  if (fs::exists(options.out / "context.yaml", error)) {
    return WithRemedy(WithOperatorDetail(absl::AlreadyExistsError("this folder is a person's"),
                                         options.out.string()),
                      "name another folder with --out");
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(options.out));
  SystemRng rng;
  CARNET_ASSIGN_OR_RETURN(const PersonalKeys keys, MakePersonalKeys(options.out / "keys", rng));
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                          crypto::SpiffeId::User(token.trust_domain, token.slot));
  v1::EnrollUserRequest request;
  request.set_request_id(ToString(RandomBytes(rng, kRequestIdBytes)));
  request.set_token_secret(ToString(token.secret.View()));
  CARNET_ASSIGN_OR_RETURN(*request.mutable_csr_pem(), crypto::MakeCertificateRequest(keys.tls, id));
  request.set_public_key(ToString(keys.statement.public_key()));
  request.set_wrapping_public_key(ToString(keys.wrapping.public_key()));
  request.set_proof(ToString(keys.statement.Sign(exchange::EnrollUserProofMessage(request))));
  CARNET_ASSIGN_OR_RETURN(const v1::EnrollUserResponse answer, Post(token, request));
  CARNET_ASSIGN_OR_RETURN(const v1::UserEnrolled user,
                          TakeAnswer(options.out, token, keys, answer));
  EnrolledPerson person;
  person.user_id = user.user_id();
  person.public_key = keys.statement.public_key();
  person.roles.assign(user.roles().begin(), user.roles().end());
  return person;
}

}  // namespace carnet::cli
