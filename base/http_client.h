// One HTTPS call to a server whose CA is pinned: by its certificate, or by the SHA-256 of its
// public key, which is all that a join token carries.
#ifndef CARNET_BASE_HTTP_CLIENT_H_
#define CARNET_BASE_HTTP_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/http.h"

namespace carnet {

// TLS 1.3 only. Exactly one of the two pins is set. System CAs are never used.
struct HttpClientTls {
  // The CA's certificate in PEM.
  std::string ca_certificate_pem;
  // SHA-256 of the CA's SubjectPublicKeyInfo in DER (RFC 7469 §2.4). The server must send that CA's
  // certificate in its chain; it is then the only trust anchor.
  std::optional<Digest> ca_key_sha256;
  // The DNS name that the server's certificate must carry, also sent as SNI:
  // coordinator.<trust-domain>.
  std::string server_name;
  // Optional client certificate with its issuers, and its key. PEM, read during the call and not
  // kept.
  absl::string_view certificate_chain_pem;
  absl::string_view private_key_pem;
};

struct HttpCallOptions {
  std::string host = "127.0.0.1";  // where to connect: an IP address or a DNS name
  std::uint16_t port = 0;
  // Unset: plain HTTP, refused with INVALID_ARGUMENT unless `host` is a loopback address.
  std::optional<HttpClientTls> tls;
  absl::Duration timeout = absl::Seconds(30);  // for the whole call
  std::size_t response_bytes_max = std::size_t{8} << 20;
};

// Makes one connection, one request, and closes. Blocks. Any HTTP status is an answer
// (StatusFromResponse turns it into an error).
//
// Errors:
//   INVALID_ARGUMENT    options that cannot be used
//   UNAVAILABLE         the name does not resolve, nothing listens, or the connection broke.
//   Without an answer
//                       the outcome of a request that was sent is unknown: retry only what is
//                       idempotent.
//   DEADLINE_EXCEEDED   `timeout` passed; as above
//   UNAUTHENTICATED     the server is not who it must be: other CA, other name, expired
//   certificate, TLS
//                       below 1.3, or it refused our certificate. Do not retry.
//   RESOURCE_EXHAUSTED  the answer is larger than `response_bytes_max`
//   DATA_LOSS           the answer is not HTTP
absl::StatusOr<HttpResponse> HttpCall(const HttpCallOptions& options, const HttpRequest& request);

}  // namespace carnet

#endif  // CARNET_BASE_HTTP_CLIENT_H_
