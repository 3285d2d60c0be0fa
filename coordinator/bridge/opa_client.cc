#include "coordinator/bridge/opa_client.h"

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/bridge/opa_answer.h"
#include "coordinator/core/bridge.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kPemBytesMax = std::size_t{256} * 1024;
constexpr char kDataApi[] = "/v1/data/";
constexpr int kHttpOk = 200;

static_assert(kOpaReasonsMax == kBridgeReasonsMax && kOpaReasonBytesMax == kBridgeReasonBytesMax &&
              kOpaDecisionIdBytesMax == kBridgeDecisionIdBytesMax);

absl::Status BadBridge(absl::string_view what, absl::string_view where) {
  return WithOperatorDetail(absl::InvalidArgumentError(absl::StrCat("bridge.opa: ", what)), where);
}

bool IsLoopback(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return error ? host == "localhost" : address.is_loopback();
}

absl::StatusOr<absl::Duration> Bounded(const v1::Duration& value, absl::Duration fallback,
                                       absl::Duration min, absl::Duration max, const char* name) {
  const absl::Duration span = value.millis() > 0 ? absl::Milliseconds(value.millis()) : fallback;
  if (span < min || span > max) {
    return BadBridge(absl::StrCat(name, " from ", absl::FormatDuration(min), " to ",
                                  absl::FormatDuration(max), " was expected"),
                     absl::FormatDuration(span));
  }
  return span;
}

const char* ErrorOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return "timed-out";
    case absl::StatusCode::kUnauthenticated:
      return "not-trusted";
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
      return "not-a-verdict";
    default:
      return "unreachable";
  }
}

}  // namespace

absl::StatusOr<OpaOptions> LoadOpaOptions(const v1::OpaConfig& config,
                                          const std::filesystem::path& state_dir) {
  OpaOptions options;
  absl::StatusOr<WitnessUrl> url = ParseWitnessUrl(config.url());
  if (!url.ok() || !absl::StartsWith(url->path, kDataApi)) {
    return BadBridge("https://HOST[:PORT]/v1/data/PATH of a rule was expected", config.url());
  }
  options.url = *std::move(url);
  options.engine_sha256 = ToString(crypto::Sha256(AsBytes(config.url())));
  if (std::string& host = options.url.host;
      absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);  // of an IPv6 address
  }
  if (!options.url.tls && !IsLoopback(options.url.host)) {
    return BadBridge("plain http is for loopback addresses alone", config.url());
  }
  if (options.url.tls) {
    if (config.ca_file().empty()) {
      return BadBridge("https needs `ca_file`", config.url());
    }
    CARNET_ASSIGN_OR_RETURN(const Bytes pem, ReadFile(state_dir / config.ca_file(), kPemBytesMax));
    options.ca_certificate_pem = ToString(pem);
  }
  CARNET_ASSIGN_OR_RETURN(
      options.timeout,
      Bounded(config.timeout(), kOpaTimeout, absl::Milliseconds(1), kOpaTimeoutMax, "a timeout"));
  CARNET_ASSIGN_OR_RETURN(
      options.valid_for,
      Bounded(config.valid_for(), kOpaValidFor, kBridgeValidMin, kBridgeValidMax, "valid_for"));
  return options;
}

std::string OpaClient::AskOnce(const std::string& input, v1::BridgeVerdict* verdict) const {
  if (stopped_) {
    return "unreachable";
  }
  HttpCallOptions call;
  call.host = options_.url.host;
  call.port = options_.url.port;
  call.timeout = options_.timeout;
  call.response_bytes_max = kOpaAnswerBytesMax;
  if (options_.url.tls) {
    call.tls = HttpClientTls{.ca_certificate_pem = options_.ca_certificate_pem,
                             .ca_key_sha256 = std::nullopt,
                             .server_name = options_.url.host,
                             .certificate_chain_pem = {},
                             .private_key_pem = {}};
  }
  HttpRequest request;
  request.method = "POST";
  request.path = options_.url.path;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  request.body = absl::StrCat("{\"input\":", input, "}");
  const absl::StatusOr<HttpResponse> response = call_(call, request);
  if (!response.ok()) {
    Log(LogLevel::kWarning, "bridge.no_answer", {{"bridge", "opa"}, {"why", response.status()}});
    return ErrorOf(response.status());
  }
  if (response->status != kHttpOk) {
    Log(LogLevel::kWarning, "bridge.refused", {{"bridge", "opa"}, {"status", response->status}});
    return "refused";
  }
  const absl::StatusOr<OpaAnswer> answer = ParseOpaAnswer(response->body);
  if (absl::IsNotFound(answer.status())) {
    // It judged, and its rules say nothing for this input: asking again would change nothing.
    Log(LogLevel::kWarning, "bridge.undefined", {{"bridge", "opa"}});
    verdict->set_outcome(kBridgeDenied);
    verdict->add_reasons(kBridgeUndefined);
    return "";
  }
  if (!answer.ok()) {
    Log(LogLevel::kWarning, "bridge.no_verdict", {{"bridge", "opa"}, {"why", answer.status()}});
    return "not-a-verdict";
  }
  verdict->set_outcome(answer->allow ? kBridgeAllowed : kBridgeDenied);
  verdict->mutable_reasons()->Assign(answer->reasons.begin(), answer->reasons.end());
  verdict->set_engine_decision_id(answer->decision_id);
  return "";
}

RecordBridgeVerdict OpaClient::Ask(const std::string& input) const {
  RecordBridgeVerdict command;
  command.valid_for = options_.valid_for;
  command.verdict.set_bridge(kBridgeOfOpa);
  command.verdict.set_input(input);
  command.verdict.set_engine_sha256(options_.engine_sha256);
  metrics_.Add(metric::kBridgeQuestions, {kBridgeOfOpa});
  const std::string error = AskOnce(input, &command.verdict);
  if (!error.empty()) {
    command.verdict.set_outcome(kBridgeError);
    command.verdict.set_error(error);
  }
  metrics_.Add(metric::kBridgeVerdicts, {kBridgeOfOpa, command.verdict.outcome()});
  return command;
}

}  // namespace carnet::coordinator
