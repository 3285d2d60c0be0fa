#include "worker/federation_file.h"

#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

using nlohmann::json;

absl::Status Malformed() {
  return absl::InvalidArgumentError("federation.json: not as this worker wrote it");
}

absl::StatusOr<std::string> Text(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) {
    return Malformed();
  }
  return it->get<std::string>();
}

absl::StatusOr<std::vector<std::string>> Addresses(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_array() || it->empty() ||
      it->size() > exchange::kJoinAddressesMax) {
    return Malformed();
  }
  std::vector<std::string> addresses;
  for (const json& item : *it) {
    if (!item.is_string() || !exchange::ParseHostPort(item.get<std::string>()).ok()) {
      return Malformed();
    }
    addresses.push_back(item.get<std::string>());
  }
  return addresses;
}

}  // namespace

absl::StatusOr<FederationFacts> FactsOf(const exchange::JoinToken& token) {
  CARNET_ASSIGN_OR_RETURN(
      crypto::SpiffeId id,
      crypto::SpiffeId::Worker(token.trust_domain, token.region, token.supplier, token.slot));
  FederationFacts facts(std::move(id));
  facts.trust_domain = token.trust_domain;
  facts.addresses = token.addresses;
  facts.https_addresses = token.https_addresses;
  facts.ca_spki_sha256 = token.ca_spki_sha256;
  facts.log_vkey = token.log_vkey;
  facts.genesis_leaf = token.genesis_leaf;
  return facts;
}

absl::StatusOr<std::string> FederationJson(const FederationFacts& facts) {
  return CanonicalJson({{"addresses", facts.addresses},
                        {"https", facts.https_addresses},
                        {"ca_spki_sha256", HexEncode(facts.ca_spki_sha256)},
                        {"log_vkey", facts.log_vkey},
                        {"genesis_leaf", HexEncode(facts.genesis_leaf)},
                        {"spiffe_id", facts.spiffe_id.ToString()}});
}

absl::StatusOr<FederationFacts> ParseFederationJson(absl::string_view text) {
  CARNET_ASSIGN_OR_RETURN(const json object, ParseJson(text, kFederationFileBytesMax));
  if (!object.is_object() || object.size() != 6) {
    return Malformed();
  }
  CARNET_ASSIGN_OR_RETURN(const std::string id_text, Text(object, "spiffe_id"));
  CARNET_ASSIGN_OR_RETURN(crypto::SpiffeId id, crypto::SpiffeId::Parse(id_text));
  if (id.kind() != crypto::SpiffeKind::kWorker) {
    return Malformed();
  }
  FederationFacts facts(std::move(id));
  facts.trust_domain = facts.spiffe_id.trust_domain();
  CARNET_ASSIGN_OR_RETURN(facts.addresses, Addresses(object, "addresses"));
  CARNET_ASSIGN_OR_RETURN(facts.https_addresses, Addresses(object, "https"));
  CARNET_ASSIGN_OR_RETURN(facts.log_vkey, Text(object, "log_vkey"));
  CARNET_ASSIGN_OR_RETURN(const std::string ca, Text(object, "ca_spki_sha256"));
  CARNET_ASSIGN_OR_RETURN(facts.ca_spki_sha256, DigestFromHex(ca));
  CARNET_ASSIGN_OR_RETURN(const std::string leaf, Text(object, "genesis_leaf"));
  CARNET_ASSIGN_OR_RETURN(facts.genesis_leaf, DigestFromHex(leaf));
  return facts;
}

}  // namespace carnet::worker
