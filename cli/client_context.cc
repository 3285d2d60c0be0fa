#include "cli/client_context.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/ids.h"
#include "base/status.h"
#include "exchange/join_token.h"
#include "ledger/verifier/heads.h"

namespace carnet::cli {
namespace {

absl::Status Bad(const std::filesystem::path& file, absl::string_view field,
                 absl::string_view what) {
  return WithRemedy(
      WithOperatorDetail(absl::InvalidArgumentError(absl::StrCat("context: ", field, ": ", what)),
                         file.string()),
      "`carnet init` writes a context.yaml for each person");
}

}  // namespace

absl::StatusOr<std::filesystem::path> FindContext(const std::string& state_dir,
                                                  const char* variable) {
  if (!state_dir.empty()) {
    return std::filesystem::path(state_dir) / "operator" / "context.yaml";
  }
  if (variable != nullptr && *variable != '\0') {
    return std::filesystem::path(variable);
  }
  return WithRemedy(absl::InvalidArgumentError("which coordinator is meant?"),
                    "give --state DIR, or set CARNET_CONTEXT to the path of a context.yaml");
}

absl::StatusOr<ClientIdentity> LoadContext(const std::filesystem::path& file) {
  ClientIdentity identity;
  CARNET_ASSIGN_OR_RETURN(identity.facts, LoadYamlFile<v1::ClientContext>(file));
  v1::ClientContext& facts = identity.facts;
  if (!exchange::ParseHostPort(facts.address()).ok()) {
    return Bad(file, "address", "HOST:PORT of the coordinator's gRPC port");
  }
  if (!ValidateTrustDomain(facts.trust_domain()).ok()) {
    return Bad(file, "trust_domain", "a DNS name");
  }
  if (!IsId("u", facts.user_id())) {
    return Bad(file, "user_id", "u- and 16 characters of a-z2-7");
  }
  if (!ledger::verifier::ParseVerifierKey(facts.log_vkey()).ok()) {
    return Bad(file, "log_vkey", "the log's verifier key, as `carnet init` printed it");
  }
  if (facts.tls_key_dir().empty()) {
    facts.set_tls_key_dir(facts.key_dir());
  }
  const std::pair<const char*, const std::string*> paths[] = {
      {"ca_file", &facts.ca_file()},
      {"certificate_file", &facts.certificate_file()},
      {"key_dir", &facts.key_dir()}};
  for (const auto& [field, path] : paths) {
    if (path->empty()) {
      return Bad(file, field, "required");
    }
  }
  std::error_code error;
  identity.file = std::filesystem::absolute(file, error);
  const std::filesystem::path base = identity.file.parent_path();
  identity.ca_file = base / facts.ca_file();
  identity.certificate_file = base / facts.certificate_file();
  identity.tls_key_dir = base / facts.tls_key_dir();
  identity.key_dir = base / facts.key_dir();
  return identity;
}

}  // namespace carnet::cli
