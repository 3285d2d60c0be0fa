// `carnet user show|renew|keygen`: as whom this machine talks to the coordinator, and for how long.
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/commands/user_keygen.h"
#include "cli/commands/user_renew.h"
#include "crypto/certificates.h"

namespace carnet::cli {
namespace {

absl::StatusOr<int> Show(const std::string& state, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(state));
  const ClientIdentity& identity = client->identity();
  CARNET_ASSIGN_OR_RETURN(const Bytes pem,
                          ReadFile(identity.certificate_file, crypto::kCertificatePemBytesMax));
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo certificate,
                          crypto::ParseCertificatePem(AsText(pem)));
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519KeyPair key, client->StatementKey());
  const std::string until = FormatTimestamp(certificate.validity.not_after);
  if (context.json) {
    *context.out << nlohmann::json{{"user_id", identity.facts.user_id()},
                                   {"address", identity.facts.address()},
                                   {"trust_domain", identity.facts.trust_domain()},
                                   {"public_key", HexEncode(key.public_key())},
                                   {"certificate_until", until},
                                   {"log_vkey", identity.facts.log_vkey()}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << identity.facts.user_id() << " of " << identity.facts.trust_domain() << '\n'
               << "  coordinator  " << identity.facts.address() << '\n'
               << "  key          ed25519 " << HexEncode(key.public_key()) << '\n'
               << "  certificate  until " << until << '\n'
               << "  log          " << identity.facts.log_vkey() << '\n';
  return kGood;
}

absl::StatusOr<int> Renew(const std::string& state, const std::string& https,
                          CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::filesystem::path file,
                          FindContext(state, std::getenv(kContextVariable)));
  CARNET_ASSIGN_OR_RETURN(const RenewedPerson person, RenewPerson({file, https}));
  const std::string until = FormatTimestamp(person.until);
  if (context.json) {
    *context.out << nlohmann::json{{"user_id", person.user_id},
                                   {"certificate_until", until},
                                   {"authorities_sha256", person.authority_sha256}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "the certificate of " << person.user_id << " was renewed: until " << until
               << '\n';
  if (person.authority_sha256.size() > 1) {
    *context.out << "  the certificate authority gives way to another one: both are in ca_file\n";
  }
  return kGood;
}

}  // namespace

void RegisterUserCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "user", "People");
  const auto state = std::make_shared<std::string>();
  AddCommand(*noun, context, "show", "Who you are to the coordinator",
             [state, &context] { return Show(*state, context); })
      ->add_option("--state", *state,
                   "The coordinator's state folder; default: the context in CARNET_CONTEXT");
  RegisterUserKeygen(*noun, context);
  const auto https = std::make_shared<std::string>();
  CLI::App* renew = AddCommand(*noun, context, "renew", "A fresh certificate for the same key",
                               [state, https, &context] { return Renew(*state, *https, context); });
  renew->add_option("--https", *https,
                    "HOST:PORT of the coordinator's HTTPS, where the context does not say");
  renew->add_option("--state", *state,
                    "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace carnet::cli
