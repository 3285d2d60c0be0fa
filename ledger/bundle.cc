#include "ledger/bundle.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/record.h"

namespace carnet::ledger {
namespace {

absl::StatusOr<nlohmann::json> HashList(const v1::InclusionProof& proof) {
  nlohmann::json hashes = nlohmann::json::array();
  for (const std::string& hash : proof.hashes()) {
    if (hash.size() != kDigestBytes) {
      return absl::InvalidArgumentError("bundle: a hash of the proof is not 32 bytes");
    }
    hashes.push_back(Base64Encode(AsBytes(hash)));
  }
  return hashes;
}

}  // namespace

absl::StatusOr<std::string> SigstoreBundle(const v1::ProvenRecord& record, const SignedHead& head,
                                           const NoteKey& log) {
  CARNET_ASSIGN_OR_RETURN(const std::string entry, LeafEntry(record.record()));
  CARNET_ASSIGN_OR_RETURN(const auto signer,
                          crypto::ToEd25519PublicKey(AsBytes(record.record().public_key())));
  CARNET_ASSIGN_OR_RETURN(nlohmann::json hashes, HashList(record.proof()));
  // 64-bit numbers are text, as proto3 JSON writes them.
  const std::string index = absl::StrCat(record.proof().index());
  const nlohmann::json tlog_entry = {
      {"logIndex", index},
      {"logId", {{"keyId", Base64Encode(log.FullId())}}},
      {"kindVersion", {{"kind", "hashedrekord"}, {"version", "0.0.2"}}},
      {"integratedTime", "0"},
      {"inclusionProof",
       {{"logIndex", index},
        {"rootHash", Base64Encode(head.head.root)},
        {"treeSize", absl::StrCat(head.head.size)},
        {"hashes", std::move(hashes)},
        {"checkpoint", {{"envelope", head.note}}}}},
      {"canonicalizedBody", Base64Encode(AsBytes(entry))}};
  const nlohmann::json bundle = {
      {"mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json"},
      {"verificationMaterial",
       {{"publicKey", {{"hint", HexEncode(crypto::Sha256(crypto::Ed25519SpkiEncode(signer)))}}},
        {"tlogEntries", nlohmann::json::array({tlog_entry})}}},
      {"dsseEnvelope", nlohmann::json::parse(EnvelopeJson(record.record()))}};
  return bundle.dump(2) + "\n";
}

absl::StatusOr<std::string> TlogProof(const v1::InclusionProof& proof, const SignedHead& head) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json hashes, HashList(proof));
  std::string text = absl::StrCat("c2sp.org/tlog-proof@v1\nindex ", proof.index(), "\n");
  for (const nlohmann::json& hash : hashes) {
    absl::StrAppend(&text, hash.get<std::string>(), "\n");
  }
  return absl::StrCat(text, "\n", head.note);
}

}  // namespace carnet::ledger
