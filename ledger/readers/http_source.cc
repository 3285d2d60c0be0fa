#include "ledger/readers/http_source.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/gzip.h"
#include "base/status.h"

namespace carnet::ledger {
namespace {

constexpr std::size_t kUrlBytesMax = 1024;
constexpr std::size_t kWidth = 256;
// The largest that a resource may be: a note, hashes, 256 entries or statements with their lengths.
constexpr std::size_t kHeadBytesMax = std::size_t{16} * 1024;
constexpr std::size_t kTileBytesMax = kWidth * kDigestBytes;
constexpr std::size_t kEntriesBytesMax = kWidth * (65'535 + 2);
constexpr std::size_t kStatementsBytesMax = kWidth * ((std::size_t{1} << 20) + 4);
constexpr absl::Duration kReadTime = absl::Minutes(5);

absl::Status BadUrl(absl::string_view why) {
  return WithRemedy(absl::InvalidArgumentError(absl::StrCat("log URL: ", why)),
                    "https://HOST[:PORT][/PREFIX], where checkpoint and tile/ lie below PREFIX");
}

std::size_t BytesMaxOf(absl::string_view path) {
  if (path == "checkpoint") {
    return kHeadBytesMax;
  }
  if (absl::StartsWith(path, "statements/")) {
    return kStatementsBytesMax;
  }
  return absl::StartsWith(path, "tile/entries/") ? kEntriesBytesMax : kTileBytesMax;
}

// Characters that stand for themselves in a path (RFC 3986 §3.3), and percent-encoded ones.
bool IsPathText(absl::string_view text) {
  constexpr absl::string_view kOthers = "/-._~!$&'()*+,;=:@%";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && !absl::StrContains(kOthers, c)) {
      return false;
    }
  }
  for (const absl::string_view segment : absl::StrSplit(text, '/')) {
    if (segment == "." || segment == "..") {
      return false;
    }
  }
  return true;
}

bool IsHostText(absl::string_view text) {
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != ':') {
      return false;
    }
  }
  return !text.empty();
}

// "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT".
absl::Status ParseAuthority(absl::string_view text, LogUrl& url) {
  absl::string_view host = text;
  absl::string_view port;
  bool has_port = false;
  if (absl::ConsumePrefix(&host, "[")) {
    const std::size_t end = host.find(']');
    if (end == absl::string_view::npos) {
      return BadUrl("an address in brackets has no end");
    }
    port = host.substr(end + 1);
    host = host.substr(0, end);
    has_port = absl::ConsumePrefix(&port, ":");
    if (!has_port && !port.empty()) {
      return BadUrl("not a host and port");
    }
  } else if (const std::size_t colon = text.find(':'); colon != absl::string_view::npos) {
    has_port = true;
    port = text.substr(colon + 1);
    host = text.substr(0, colon);
  }
  std::uint32_t number = url.port;
  if (has_port && (!absl::SimpleAtoi(port, &number) || number == 0 || number > 65535 ||
                   absl::StrCat(number) != port)) {
    return BadUrl("not a port");
  }
  if (!IsHostText(host)) {
    return BadUrl("not a host");
  }
  url.host = std::string(host);
  url.port = static_cast<std::uint16_t>(number);
  return absl::OkStatus();
}

// What the call's outcome means for who reads a log.
absl::StatusOr<std::string> BodyOf(const absl::StatusOr<HttpResponse>& response) {
  if (absl::IsResourceExhausted(response.status())) {
    return absl::UnauthenticatedError("log server: a resource is larger than it may be");
  }
  if (absl::IsDataLoss(response.status())) {
    return absl::UnavailableError("log server: it does not answer with HTTP");
  }
  CARNET_RETURN_IF_ERROR(response);
  switch (response->status) {
    case 200:
      return response->body;
    case 404:
    case 410:
      return absl::NotFoundError("log server: it does not have all that the log needs");
    case 401:
    case 403:
      return WithRemedy(absl::NotFoundError("log server: it does not show this to everybody"),
                        "read as a person of the federation: --state DIR, or CARNET_CONTEXT");
    default:
      return WithOperatorDetail(absl::UnavailableError("log server: it answers with an error"),
                                absl::StrCat("HTTP status ", response->status));
  }
}

}  // namespace

bool IsLogUrl(absl::string_view text) {
  return absl::StartsWithIgnoreCase(text, "https://") ||
         absl::StartsWithIgnoreCase(text, "http://");
}

absl::StatusOr<LogUrl> ParseLogUrl(absl::string_view text) {
  LogUrl url;
  if (text.size() > kUrlBytesMax) {
    return BadUrl("too long");
  }
  if (absl::ConsumePrefix(&text, "http://")) {
    url.tls = false;
    url.port = 80;
  } else if (!absl::ConsumePrefix(&text, "https://")) {
    return BadUrl("neither https:// nor http://");
  }
  const std::size_t slash = std::min(text.find('/'), text.size());
  CARNET_RETURN_IF_ERROR(ParseAuthority(text.substr(0, slash), url));
  absl::string_view prefix = text.substr(slash);
  if (!IsPathText(prefix)) {
    return BadUrl("not a plain path; no query, no fragment");
  }
  while (absl::ConsumeSuffix(&prefix, "/")) {
  }
  url.prefix = std::string(prefix);
  return url;
}

absl::StatusOr<Bytes> HttpSource::Read(absl::string_view path) {
  const std::size_t bytes_max = BytesMaxOf(path);
  HttpCallOptions options;
  options.host = server_.url.host;
  options.port = server_.url.port;
  options.timeout = kReadTime;
  options.response_bytes_max = bytes_max;
  if (server_.url.tls) {
    HttpClientTls tls;
    tls.ca_certificate_pem = server_.ca_certificate_pem;
    tls.server_name = server_.server_name.empty() ? server_.url.host : server_.server_name;
    tls.certificate_chain_pem = server_.certificate_chain_pem;
    const ByteView key = server_.private_key_pem.View();
    tls.private_key_pem = {reinterpret_cast<const char*>(key.data()), key.size()};
    options.tls = std::move(tls);
  }
  HttpRequest request;
  request.path = absl::StrCat(server_.url.prefix, "/", path);
  request.headers.emplace_back("Accept-Encoding", "gzip");
  const absl::StatusOr<HttpResponse> response = HttpCall(options, request);
  CARNET_ASSIGN_OR_RETURN(const std::string body, BodyOf(response));
  const absl::string_view encoding = response->Header("Content-Encoding");
  if (encoding.empty() || absl::EqualsIgnoreCase(encoding, "identity")) {
    return ToBytes(body);
  }
  if (!absl::EqualsIgnoreCase(encoding, "gzip")) {
    return absl::UnavailableError("log server: it sends an encoding that nobody asked for");
  }
  const absl::StatusOr<std::string> plain = Gunzip(body, bytes_max);
  return plain.ok() ? absl::StatusOr<Bytes>(ToBytes(*plain))
                    : absl::UnauthenticatedError("log server: a resource is not what gzip makes");
}

}  // namespace carnet::ledger
