// A log behind a URL: a coordinator, or any web server with an exported folder.
#ifndef CARNET_LEDGER_READERS_HTTP_SOURCE_H_
#define CARNET_LEDGER_READERS_HTTP_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/http_client.h"
#include "crypto/secret_bytes.h"
#include "ledger/verifier/whole_log.h"

namespace carnet::ledger {

// https://HOST[:PORT][/PREFIX]; http:// is for loopback addresses alone.
struct LogUrl {
  bool tls = true;
  std::string host;  // an IP address (without brackets) or a DNS name
  std::uint16_t port = 443;
  std::string prefix;  // "" or "/…" without a slash at its end
};
// Whether `text` means a URL and no folder.
bool IsLogUrl(absl::string_view text);
// INVALID_ARGUMENT: anything else, also a user name, a query, a fragment, or `.` and `..` in it.
absl::StatusOr<LogUrl> ParseLogUrl(absl::string_view text);

struct LogServer {
  LogUrl url;
  // For https: the certificate of the CA that the server's comes from. System CAs are never used.
  std::string ca_certificate_pem;
  std::string server_name;            // that the server's certificate carries; empty: the host
  std::string certificate_chain_pem;  // the reader's own, where the server asks for one
  crypto::SecretBytes private_key_pem;
};

// One request for each resource; none is sent before the first Read. Everything that comes is
// bounded by what the resource may be, also what gzip makes of it. Not thread-safe.
class HttpSource final : public verifier::LogSource {
 public:
  explicit HttpSource(LogServer server) : server_(std::move(server)) {}

  // NOT_FOUND: the server has none, or none for this reader. UNAUTHENTICATED: it is not the server
  // that it must be, or what it sends can be no such resource. UNAVAILABLE, DEADLINE_EXCEEDED: it
  // cannot be reached, or answers with something else; try again.
  absl::StatusOr<Bytes> Read(absl::string_view path) override;

 private:
  const LogServer server_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_READERS_HTTP_SOURCE_H_
