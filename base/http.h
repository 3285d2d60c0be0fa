// What the HTTP server and client share: requests, responses, and how errors map
// (docs/protocol.md).
#ifndef CARNET_BASE_HTTP_H_
#define CARNET_BASE_HTTP_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace carnet {

// Names compare without regard to case.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  // The path as sent, starting with '/', without the query. Not percent-decoded.
  std::string path = "/";
  // What follows '?', as sent; empty where there is none.
  std::string query;
  HttpHeaders headers;
  std::string body;
  // Server side: the certificate that the client proved to hold, in DER, verified against the
  // client CA; empty where it showed none. The client leaves it empty.
  std::string peer_certificate_der;
  // Server side: the peer's address without its port. For logs of this machine only.
  std::string peer_address;

  // The first header of that name, or empty.
  absl::string_view Header(absl::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  // Besides Content-Type, Content-Length and Connection, which the server sets. A header with a
  // control character is left out.
  HttpHeaders headers;
  std::string body;

  absl::string_view Header(absl::string_view name) const;
};

// The HTTP status of an error, as the Connect protocol maps them
// (connectrpc.com/docs/protocol#error-codes).
int HttpStatusFromCode(absl::StatusCode code);
// The code's name in Connect: "invalid_argument".
absl::string_view ConnectCodeName(absl::StatusCode code);

// A Connect error: the mapped status and {"code":"not_found","message":"…"}. Only message() is
// sent.
HttpResponse ErrorResponse(const absl::Status& status);

// OK for 2xx. Else the error that ErrorResponse wrote, or one by the HTTP status alone for a body
// that is no Connect error. The message of a peer is cut to 1 KiB of printable ASCII.
absl::Status StatusFromResponse(const HttpResponse& response);

}  // namespace carnet

#endif  // CARNET_BASE_HTTP_H_
