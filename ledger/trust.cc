#include "ledger/trust.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "crypto/ed25519.h"

namespace carnet::ledger {

std::string TrustPolicyText(const NoteKey& log, const Digest& genesis_leaf_hash) {
  return absl::StrCat(
      "# Which log is meant, and who signs its heads. Get this file from somewhere else than the "
      "log.\n",
      "# genesis ", HexEncode(genesis_leaf_hash), "\n", "log ", log.Vkey(), "\n", "quorum none\n");
}

std::string TrustedRootJson(const NoteKey& log, absl::Time valid_from) {
  const nlohmann::json key_id = {{"keyId", Base64Encode(log.FullId())}};
  const nlohmann::json root = {
      {"mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
      {"tlogs", nlohmann::json::array(
                    {{{"baseUrl", absl::StrCat("https://", log.name)},
                      {"hashAlgorithm", "SHA2_256"},
                      {"publicKey",
                       {{"rawBytes", Base64Encode(crypto::Ed25519SpkiEncode(log.public_key))},
                        {"keyDetails", "PKIX_ED25519"},
                        {"validFor", {{"start", FormatTimestamp(valid_from)}}}}},
                      {"logId", key_id},
                      {"checkpointKeyId", key_id}}})},
      {"certificateAuthorities", nlohmann::json::array()},
      {"ctlogs", nlohmann::json::array()},
      {"timestampAuthorities", nlohmann::json::array()}};
  return root.dump(2) + "\n";
}

}  // namespace carnet::ledger
