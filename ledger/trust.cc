#include "ledger/trust.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "crypto/ed25519.h"

namespace carnet::ledger {

std::string TrustPolicyText(const std::vector<NoteKey>& keys, const Digest& genesis_leaf_hash,
                            absl::string_view succeeds) {
  std::string text = absl::StrCat(
      "# Which log is meant, and who signs its heads. Get this file from somewhere else than the "
      "log.\n",
      "# genesis ", HexEncode(genesis_leaf_hash), "\n");
  for (const NoteKey& key : keys) {
    absl::StrAppend(&text, "log ", key.Vkey(), "\n");
  }
  if (!succeeds.empty()) {
    absl::StrAppend(&text, "# This log takes the place of ", succeeds,
                    ", which lost records. Whoever accepts that adds the "
                    "line\n#   # succeeds ",
                    succeeds, "\n");
  }
  return absl::StrCat(text, "quorum none\n");
}

std::string TrustPolicyText(const NoteKey& log, const Digest& genesis_leaf_hash) {
  return TrustPolicyText(std::vector<NoteKey>{log}, genesis_leaf_hash);
}

absl::StatusOr<std::string> WithLaterKeys(absl::string_view policy,
                                          const std::vector<NoteKey>& keys) {
  const std::vector<std::string> lines = absl::StrSplit(policy, '\n');
  std::size_t named = 0;              // one more than the place of the newest key that is named
  std::size_t before = lines.size();  // the first line that is neither a log's nor a comment
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(lines[i], absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (fields.empty() || fields[0][0] == '#') {
      continue;
    }
    if (fields[0] != "log") {
      before = std::min(before, i);
      continue;
    }
    for (std::size_t key = 0; key < keys.size(); ++key) {
      if (fields.size() > 1 && fields[1] == keys[key].Vkey()) {
        named = std::max(named, key + 1);
      }
    }
  }
  if (named == 0) {
    return absl::InvalidArgumentError("trust policy: it names no key of this log");
  }
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (std::size_t key = named; i == before && key < keys.size(); ++key) {
      absl::StrAppend(&text, "log ", keys[key].Vkey(), "\n");
    }
    absl::StrAppend(&text, lines[i], i + 1 < lines.size() ? "\n" : "");
  }
  return text;
}

std::string TrustedRootJson(const std::vector<LogKeySpan>& keys) {
  nlohmann::json logs = nlohmann::json::array();
  for (const LogKeySpan& span : keys) {
    const nlohmann::json key_id = {{"keyId", Base64Encode(span.key.FullId())}};
    nlohmann::json valid_for = {{"start", FormatTimestamp(span.from)}};
    if (span.until.has_value()) {
      valid_for["end"] = FormatTimestamp(*span.until);
    }
    logs.push_back({{"baseUrl", absl::StrCat("https://", span.key.name)},
                    {"hashAlgorithm", "SHA2_256"},
                    {"publicKey",
                     {{"rawBytes", Base64Encode(crypto::Ed25519SpkiEncode(span.key.public_key))},
                      {"keyDetails", "PKIX_ED25519"},
                      {"validFor", std::move(valid_for)}}},
                    {"logId", key_id},
                    {"checkpointKeyId", key_id}});
  }
  const nlohmann::json root = {
      {"mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
      {"tlogs", std::move(logs)},
      {"certificateAuthorities", nlohmann::json::array()},
      {"ctlogs", nlohmann::json::array()},
      {"timestampAuthorities", nlohmann::json::array()}};
  return root.dump(2) + "\n";
}

std::string TrustedRootJson(const NoteKey& log, absl::Time valid_from) {
  return TrustedRootJson(std::vector<LogKeySpan>{{log, valid_from, std::nullopt}});
}

}  // namespace carnet::ledger
