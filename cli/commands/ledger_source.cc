#include "cli/commands/ledger_source.h"

#include <cstdlib>
#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "cli/client_context.h"
#include "cli/credentials.h"
#include "crypto/certificates.h"
#include "exchange/join_token.h"
#include "ledger/readers/directory_source.h"
#include "ledger/readers/http_source.h"

namespace carnet::cli {
namespace {

absl::Status UsePersonOf(const std::filesystem::path& context, ledger::LogServer& server) {
  CARNET_ASSIGN_OR_RETURN(const ClientIdentity identity, LoadContext(context));
  CARNET_ASSIGN_OR_RETURN(TlsCredentials tls, ReadTlsCredentials(identity));
  server.ca_certificate_pem = std::move(tls.ca_pem);
  server.certificate_chain_pem = std::move(tls.certificate_pem);
  server.private_key_pem = std::move(tls.key_pem);
  server.server_name = exchange::CoordinatorServerName(identity.facts.trust_domain());
  return absl::OkStatus();
}

absl::Status ChooseTrust(const LogSourceOptions& options, ledger::LogServer& server) {
  if (!options.ca.empty()) {
    CARNET_ASSIGN_OR_RETURN(const Bytes ca, ReadFile(options.ca, crypto::kCertificatePemBytesMax));
    server.ca_certificate_pem = ToString(ca);
  } else {
    const absl::StatusOr<std::filesystem::path> context =
        FindContext(options.state, std::getenv(kContextVariable));
    if (!context.ok()) {
      return WithRemedy(
          absl::InvalidArgumentError("log URL: by whose word is this the right server?"),
          "give --ca FILE, the certificate of the CA that the server's comes from; or --state DIR "
          "to read as its operator");
    }
    CARNET_RETURN_IF_ERROR(UsePersonOf(*context, server));
  }
  if (!options.server_name.empty()) {
    server.server_name = options.server_name;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ledger::verifier::LogSource>> OpenLogSource(
    const LogSourceOptions& options) {
  if (!ledger::IsLogUrl(options.place)) {
    if (!options.ca.empty() || !options.server_name.empty() || !options.state.empty()) {
      return absl::InvalidArgumentError("--ca, --server-name and --state go with a URL");
    }
    return std::make_unique<ledger::DirectorySource>(options.place);
  }
  ledger::LogServer server;
  CARNET_ASSIGN_OR_RETURN(server.url, ledger::ParseLogUrl(options.place));
  if (server.url.tls) {
    CARNET_RETURN_IF_ERROR(ChooseTrust(options, server));
  }
  return std::make_unique<ledger::HttpSource>(std::move(server));
}

}  // namespace carnet::cli
