#include "cli/client.h"

#include <cstdlib>
#include <iostream>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cli/credentials.h"
#include "cli/problems.h"
#include "coordinator/rpc/metadata.h"
#include "crypto/certificates.h"
#include "exchange/join_token.h"
#include "ledger/verifier/key_history.h"

namespace carnet::cli {
namespace {

// A manifest's chunk, a list of jobs, a watch event with a statement of 1 MiB.
constexpr int kMessageBytesMax = 32 << 20;
constexpr std::size_t kErrorBytesMax = 1024;

// gRPC 1.51 has no setting for the lowest TLS version: with ECDSA certificates, one RSA suite of
// TLS 1.2 leaves 1.2 nothing to agree on. Its own log lines would stand between ours. Both before
// its first use.
void PrepareGrpc() {
  ::setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
}

// What a peer says goes to a terminal: no control characters, and not without end.
std::string Printable(std::string text) {
  text.resize(std::min(text.size(), kErrorBytesMax));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      c = ' ';
    }
  }
  return text;
}

// The decisions that a refused call brought, in words; empty: it brought none.
std::string RefusalIn(const std::string& details) {
  v1::ReleaseModelResponse decided;
  if (details.empty() || !decided.ParseFromString(details) || decided.decisions().empty()) {
    return "";
  }
  std::set<std::string> shown;
  return RefusalText("", decided.decisions(), &shown);
}

// Warns in the last third of its life: one line.
absl::Status CheckCertificate(const ClientIdentity& identity, const std::string& pem) {
  const absl::StatusOr<crypto::CertificateInfo> info = crypto::ParseCertificatePem(pem);
  if (!info.ok()) {
    return WithOperatorDetail(
        absl::InvalidArgumentError("context: certificate_file: not a certificate"),
        identity.certificate_file.string());
  }
  const crypto::Validity& validity = info->validity;
  const absl::Time now = absl::Now();
  if (validity.not_after < now) {
    return WithRemedy(
        WithOperatorDetail(absl::FailedPreconditionError("the user's certificate has expired"),
                           identity.certificate_file.string()),
        "carnet user renew, within 7 days of its end; later an admin's new invitation: carnet user "
        "invite");
  }
  if (now > validity.not_after - (validity.not_after - validity.not_before) / 3) {
    std::cerr << "carnet: your certificate ends on "
              << absl::FormatTime("%Y-%m-%d", validity.not_after, absl::UTCTimeZone())
              << ": carnet user renew\n";
  }
  return absl::OkStatus();
}

}  // namespace

Client::Client(ClientIdentity identity, ledger::verifier::VerifierKey log_key,
               std::shared_ptr<grpc::Channel> channel)
    : identity_(std::move(identity)),
      log_key_(std::move(log_key)),
      channel_(std::move(channel)),
      jobs_(v1::Jobs::NewStub(channel_)),
      admin_(v1::Admin::NewStub(channel_)),
      governance_(v1::Governance::NewStub(channel_)) {}

absl::StatusOr<std::unique_ptr<Client>> Client::Open(const std::string& state_dir) {
  CARNET_ASSIGN_OR_RETURN(const std::filesystem::path file,
                          FindContext(state_dir, std::getenv(kContextVariable)));
  return OpenContext(file);
}

absl::StatusOr<std::unique_ptr<Client>> Client::OpenContext(const std::filesystem::path& file) {
  CARNET_ASSIGN_OR_RETURN(ClientIdentity identity, LoadContext(file));
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::VerifierKey log_key,
                          ledger::verifier::ParseVerifierKey(identity.facts.log_vkey()));
  CARNET_ASSIGN_OR_RETURN(const TlsCredentials own, ReadTlsCredentials(identity));
  CARNET_RETURN_IF_ERROR(CheckCertificate(identity, own.certificate_pem));
  PrepareGrpc();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = own.ca_pem;
  tls.pem_cert_chain = own.certificate_pem;
  tls.pem_private_key = ToString(own.key_pem.View());
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(
      exchange::CoordinatorServerName(identity.facts.trust_domain()));
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Also the time that one attempt to connect may take, TLS included.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(identity.facts.address(), grpc::SslCredentials(tls), arguments);
  crypto::Wipe(
      {reinterpret_cast<std::uint8_t*>(tls.pem_private_key.data()), tls.pem_private_key.size()});
  return std::unique_ptr<Client>(
      new Client(std::move(identity), std::move(log_key), std::move(channel)));
}

absl::Status Client::ToStatus(const grpc::Status& status) const {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const std::string& address = identity_.facts.address();
  const std::string words = Printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return WithRemedy(WithOperatorDetail(absl::UnavailableError(absl::StrCat(
                                               "coordinator at ", address, " does not answer")),
                                           words),
                        "is `carnet coordinator run` up?");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return WithRemedy(absl::DeadlineExceededError(
                            absl::StrCat("coordinator at ", address, " did not answer in time")),
                        "look at its state (`carnet job list`) before you try again");
    default:
      if (std::string refusal = RefusalIn(status.error_details()); !refusal.empty()) {
        return absl::Status(static_cast<absl::StatusCode>(status.error_code()), refusal);
      }
      return WithOperatorDetail(
          absl::Status(static_cast<absl::StatusCode>(status.error_code()), words),
          absl::StrCat("coordinator at ", address));
  }
}

absl::StatusOr<crypto::Ed25519KeyPair> Client::StatementKey() const {
  return ReadStatementKey(identity_);
}

std::string Client::NewRequestId() {
  return carnet::ToString(RandomBytes(rng_, 16));
}

ledger::verifier::VerifierKey Client::LogKey() const {
  const MutexLock lock(mutex_);
  return log_key_;
}

absl::StatusOr<std::vector<v1::GetRecordResponse>> Client::AskForRotations() const {
  grpc::ClientContext context;
  SetDeadline(context, kCallMax);
  v1::GetRecordResponse genesis;
  CARNET_RETURN_IF_ERROR(ToStatus(admin_->GetRecord(&context, v1::GetRecordRequest(), &genesis)));
  const auto& metadata = context.GetServerInitialMetadata();
  const auto told = metadata.find(coordinator::kRotationsMetadata);
  std::vector<v1::GetRecordResponse> records;
  if (told == metadata.end()) {
    return records;
  }
  const absl::string_view text(told->second.data(), told->second.size());
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    v1::GetRecordRequest request;
    std::uint64_t index = 0;
    if (!absl::SimpleAtoi(item, &index) || records.size() >= coordinator::kRotationsTold) {
      return absl::UnauthenticatedError("the coordinator's list of rotations is malformed");
    }
    request.set_index(index);
    grpc::ClientContext call;
    SetDeadline(call, kCallMax);
    CARNET_RETURN_IF_ERROR(ToStatus(admin_->GetRecord(&call, request, &records.emplace_back())));
  }
  return records;
}

absl::StatusOr<ledger::verifier::VerifiedHead> Client::CheckHead(const std::string& note) const {
  absl::StatusOr<ledger::verifier::VerifiedHead> head =
      ledger::verifier::VerifyHead(note, LogKey());
  if (!absl::IsUnauthenticated(head.status())) {
    return head;
  }
  CARNET_ASSIGN_OR_RETURN(const std::vector<v1::GetRecordResponse> answers, AskForRotations());
  ledger::verifier::VerifierKey followed = LogKey();
  std::vector<const v1::GetRecordResponse*> handovers;
  for (const v1::GetRecordResponse& answer : answers) {
    CARNET_ASSIGN_OR_RETURN(const auto record,
                            ledger::verifier::VerifyRecord(answer.record().record()));
    if (auto next = ledger::verifier::FollowLogKey(followed, record); next.ok()) {
      followed = *std::move(next);
      handovers.push_back(&answer);
    }
  }
  // Each was signed by a key that was trusted already, which only makes a head believable: now that
  // the records are in the log, under heads that perhaps the newest key alone signed.
  for (const v1::GetRecordResponse* answer : handovers) {
    CARNET_ASSIGN_OR_RETURN(const auto under,
                            ledger::verifier::VerifyHead(answer->head(), followed));
    CARNET_RETURN_IF_ERROR(
        ledger::verifier::VerifyProvenRecord(answer->record(), under.tree).status());
  }
  CARNET_ASSIGN_OR_RETURN(head, ledger::verifier::VerifyHead(note, followed));
  const MutexLock lock(mutex_);
  log_key_ = std::move(followed);
  return head;
}

absl::StatusOr<std::vector<Client::Rotation>> Client::FetchRotations() const {
  CARNET_ASSIGN_OR_RETURN(const std::vector<v1::GetRecordResponse> answers, AskForRotations());
  std::vector<Rotation> rotations;
  for (const v1::GetRecordResponse& answer : answers) {
    CARNET_ASSIGN_OR_RETURN(auto record, VerifyRecord(answer));
    rotations.push_back({answer.record().proof().index(), std::move(record)});
  }
  return rotations;
}

absl::StatusOr<ledger::verifier::VerifiedRecord> Client::VerifyRecord(
    const v1::GetRecordResponse& response) const {
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedHead head, CheckHead(response.head()));
  return ledger::verifier::VerifyProvenRecord(response.record(), head.tree);
}

absl::StatusOr<std::uint64_t> Client::VerifyReceipt(const v1::SignedRecord& record,
                                                    const v1::Receipt& receipt) const {
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedRecord verified,
                          ledger::verifier::VerifyRecord(record));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedHead head, CheckHead(receipt.head()));
  CARNET_RETURN_IF_ERROR(
      ledger::verifier::VerifyInclusionProof(verified.leaf_hash, receipt.proof(), head.tree));
  return receipt.proof().index();
}

absl::StatusOr<ledger::verifier::VerifiedRecord> Client::FetchRecord(std::uint64_t index) {
  v1::GetRecordRequest request;
  request.set_index(index);
  CARNET_ASSIGN_OR_RETURN(const v1::GetRecordResponse response,
                          Call(*admin_, &v1::Admin::Stub::GetRecord, request));
  if (response.record().proof().index() != index) {
    return absl::UnauthenticatedError("the coordinator sent another record than was asked for");
  }
  return VerifyRecord(response);
}

absl::StatusOr<std::uint64_t> Client::CheckReceipt(const v1::Receipt& receipt) {
  v1::GetRecordRequest request;
  request.set_index(receipt.proof().index());
  CARNET_ASSIGN_OR_RETURN(const v1::GetRecordResponse response,
                          Call(*admin_, &v1::Admin::Stub::GetRecord, request));
  return VerifyReceipt(response.record().record(), receipt);
}

}  // namespace carnet::cli
