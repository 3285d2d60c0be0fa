#include "coordinator/publish/witness_client.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/witness_request.h"

namespace carnet::coordinator {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

absl::Status Refused(const std::string& witness, int status) {
  return WithOperatorDetail(
      absl::UnauthenticatedError(absl::StrCat("witness: it refuses the head with status ", status)),
      witness);
}

std::string Monitored(absl::string_view origin) {
  return absl::StrCat("/", HexEncode(crypto::Sha256(AsBytes(origin))), "/checkpoint");
}

}  // namespace

absl::StatusOr<WitnessUrl> ParseWitnessUrl(absl::string_view url) {
  const absl::Status bad = WithOperatorDetail(
      absl::InvalidArgumentError(
          "witness: http://HOST:PORT/PATH (loopback) or https://HOST:PORT/PATH was expected"),
      url);
  WitnessUrl parsed;
  absl::string_view rest = url;
  parsed.tls = absl::ConsumePrefix(&rest, "https://");
  if (!parsed.tls && !absl::ConsumePrefix(&rest, "http://")) {
    return bad;
  }
  const std::size_t slash = rest.find('/');
  std::string authority(rest.substr(0, slash));
  parsed.path = slash == absl::string_view::npos ? "" : std::string(rest.substr(slash));
  while (absl::EndsWith(parsed.path, "/")) {
    parsed.path.pop_back();
  }
  if (const std::size_t colon = authority.rfind(':'); colon != std::string::npos) {
    std::uint32_t port = 0;
    if (!absl::SimpleAtoi(authority.substr(colon + 1), &port) || port == 0 || port > 65535) {
      return bad;
    }
    parsed.port = static_cast<std::uint16_t>(port);
    authority.resize(colon);
  } else if (parsed.tls) {
    parsed.port = kHttpsPort;
  }
  parsed.host = authority;
  const bool odd = absl::StrContains(url, "?") || absl::StrContains(url, "#") ||
                   absl::StrContains(url, "@") || absl::StrContains(url, " ");
  return odd || parsed.host.empty() || parsed.port == 0 ? absl::StatusOr<WitnessUrl>(bad) : parsed;
}

absl::StatusOr<HttpResponse> WitnessClient::Send(const WitnessUrl& url, HttpRequest request) const {
  HttpCallOptions options;
  options.host = url.host;
  options.port = url.port;
  options.timeout = peer_.timeout;
  options.response_bytes_max = kWitnessAnswerBytesMax;
  if (url.tls) {
    options.tls = HttpClientTls{.ca_certificate_pem = peer_.ca_certificate_pem,
                                .ca_key_sha256 = std::nullopt,
                                .server_name = url.host,
                                .certificate_chain_pem = {},
                                .private_key_pem = {}};
  }
  return call_(options, request);
}

absl::StatusOr<ledger::verifier::VerifierKey> LogOf(const ledger::LogView& log) {
  ledger::verifier::VerifierKey founding;
  bool first = true;
  for (const std::string& vkey : log.keys().Vkeys()) {
    CARNET_ASSIGN_OR_RETURN(auto key, ledger::verifier::ParseVerifierKey(vkey));
    if (first) {
      founding = std::move(key);
    } else {
      founding.successors.push_back(std::move(key));
    }
    first = false;
  }
  return founding;
}

// The answer's line of this witness; lines of other keys are none of ours.
absl::StatusOr<std::string> WitnessClient::OwnLine(const ledger::SignedHead& head,
                                                   const ledger::LogView& log,
                                                   absl::string_view answer) const {
  CARNET_ASSIGN_OR_RETURN(const auto key, LogOf(log));
  for (const absl::string_view line : absl::StrSplit(answer, '\n', absl::SkipEmpty())) {
    const std::string text = absl::StrCat(line, "\n");
    const auto verified = ledger::verifier::VerifyHead(absl::StrCat(head.note, text), key);
    if (verified.ok() && ledger::verifier::VerifyCosignature(*verified, peer_.key).ok()) {
      return text;
    }
  }
  return WithOperatorDetail(
      absl::UnauthenticatedError("witness: its answer holds no valid cosignature"), peer_.name);
}

absl::StatusOr<std::string> WitnessClient::Cosign(const ledger::SignedHead& head,
                                                  const ledger::LogView& log) {
  for (int tries = 0; tries < kWitnessTriesMax; ++tries) {
    if (known_size_ > head.head.size) {
      return WithOperatorDetail(
          absl::OutOfRangeError("witness: it knows a larger head of this log"), peer_.name);
    }
    ledger::AddCheckpointRequest order;
    order.old_size = known_size_;
    order.note = head.note;
    CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof proof,
                            log.ConsistencyProof(known_size_, head.head.size));
    for (const std::string& hash : proof.hashes()) {
      CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(AsBytes(hash)));
      order.proof.push_back(digest);
    }
    HttpRequest request;
    request.method = "POST";
    request.path = absl::StrCat(peer_.submission.path, "/add-checkpoint");
    request.body = ledger::AddCheckpointBody(order);
    CARNET_ASSIGN_OR_RETURN(const HttpResponse response, Send(peer_.submission, request));
    if (response.status == 200) {
      CARNET_ASSIGN_OR_RETURN(std::string line, OwnLine(head, log, response.body));
      known_size_ = head.head.size;
      return line;
    }
    if (response.status != 409 || response.content_type != ledger::kTlogSizeType) {
      // Its memory may have changed: the next head starts from what it says then.
      known_size_ = 0;
      if (response.status == 422) {
        return WithOperatorDetail(
            absl::OutOfRangeError("witness: the head does not extend the one that it knows"),
            peer_.name);
      }
      return response.status >= 500
                 ? WithOperatorDetail(absl::UnavailableError("witness: it failed"), peer_.name)
                 : Refused(peer_.name, response.status);
    }
    absl::string_view size = response.body;
    CARNET_RETURN_IF_ERROR(absl::ConsumeSuffix(&size, "\n") ? absl::OkStatus()
                                                            : Refused(peer_.name, 409));
    CARNET_ASSIGN_OR_RETURN(known_size_, ledger::ParseTreeSize(size));
  }
  return WithOperatorDetail(absl::UnavailableError("witness: its recorded size keeps moving"),
                            peer_.name);
}

absl::StatusOr<std::string> WitnessClient::NewestHead(absl::string_view origin) const {
  HttpRequest request;
  request.path = absl::StrCat(peer_.monitoring.path, Monitored(origin));
  CARNET_ASSIGN_OR_RETURN(HttpResponse response, Send(peer_.monitoring, request));
  if (response.status == 404) {
    return absl::NotFoundError("witness: it has no head of this log");
  }
  if (response.status != 200) {
    return WithOperatorDetail(absl::UnavailableError("witness: its monitoring path failed"),
                              peer_.name);
  }
  return std::move(response.body);
}

}  // namespace carnet::coordinator
