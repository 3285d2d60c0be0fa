// `carnet ledger verify-proof`: one record, one file, offline.
#include "cli/commands/ledger_proof.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/output.h"
#include "ledger/record.h"
#include "ledger/verifier/record.h"
#include "ledger/verifier/tlog_proof.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kEnvelopeBytesMax = std::size_t{2} * 1024 * 1024;

struct ProofOptions {
  std::string proof;
  std::string trust;
  std::string record;  // a DSSE envelope
  std::string signer;  // its key in hex
  std::string leaf;    // in place of both
};

absl::StatusOr<Digest> LeafOf(const ProofOptions& options) {
  if (!options.leaf.empty() && options.record.empty() && options.signer.empty()) {
    return DigestFromHex(options.leaf);
  }
  if (!options.leaf.empty() || options.record.empty() || options.signer.empty()) {
    return WithRemedy(absl::InvalidArgumentError("verify-proof: of which record?"),
                      "give --record FILE.dsse.json with --signer KEY, or --leaf HASH");
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes key_bytes, HexDecode(options.signer));
  CARNET_ASSIGN_OR_RETURN(const auto key, crypto::ToEd25519PublicKey(key_bytes));
  CARNET_ASSIGN_OR_RETURN(const Bytes envelope, ReadFile(options.record, kEnvelopeBytesMax));
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record,
                          ledger::ParseEnvelope(AsText(envelope), key));
  CARNET_ASSIGN_OR_RETURN(const auto verified, ledger::verifier::VerifyRecord(record));
  return verified.leaf_hash;
}

absl::StatusOr<int> VerifyProof(const ProofOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Bytes policy_text,
                          ReadFile(options.trust, ledger::verifier::kTrustPolicyBytesMax));
  CARNET_ASSIGN_OR_RETURN(const auto policy,
                          ledger::verifier::ParseTrustPolicy(AsText(policy_text)));
  CARNET_ASSIGN_OR_RETURN(const Digest leaf, LeafOf(options));
  CARNET_ASSIGN_OR_RETURN(const Bytes text,
                          ReadFile(options.proof, ledger::verifier::kTlogProofBytesMax));
  CARNET_ASSIGN_OR_RETURN(const auto proof, ledger::verifier::ParseTlogProof(AsText(text)));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::TrustedHead trusted,
                          ledger::verifier::VerifyTlogProof(proof, leaf, policy));
  if (context.json) {
    nlohmann::json cosigned = nlohmann::json::array();
    for (const auto& [witness, time] : trusted.cosigned) {
      cosigned.push_back({{"witness", witness}, {"time", FormatTimestamp(time)}});
    }
    *context.out << nlohmann::json{{"good", true},
                                   {"origin", trusted.head.tree.origin},
                                   {"index", proof.index},
                                   {"size", trusted.head.tree.size},
                                   {"leaf_hash", HexEncode(leaf)},
                                   {"cosigned", std::move(cosigned)},
                                   {"operator_only", trusted.operator_only}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "record  " << proof.index << ", leaf " << HexEncode(leaf) << "\nlog     "
               << trusted.head.tree.origin << "\nhead    " << trusted.head.tree.size
               << " records, root " << HexEncode(trusted.head.tree.root) << '\n';
  for (const auto& [witness, time] : trusted.cosigned) {
    *context.out << "        cosigned by " << witness << " at " << FormatTimestamp(time) << '\n';
  }
  *context.out << Coloured(context, Colour::kGood, "good\n");
  if (trusted.operator_only) {
    *context.out << Coloured(context, Colour::kDim,
                             "  note: operator only: no protection against a split view\n");
  }
  return kGood;
}

}  // namespace

void AddLedgerVerifyProof(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<ProofOptions>();
  CLI::App* command =
      AddCommand(noun, context, "verify-proof", "Check a C2SP tlog-proof of one record, offline",
                 [options, &context] { return VerifyProof(*options, context); });
  command->add_option("PROOF", options->proof, "A .tlog-proof file")->required();
  command->add_option("--trust", options->trust, "trust.policy, from somewhere else than the proof")
      ->required();
  command->add_option("--record", options->record, "The record, a DSSE envelope");
  command->add_option("--signer", options->signer, "Its signer's Ed25519 key, 64 hex digits");
  command->add_option("--leaf", options->leaf, "Its leaf hash in place of both, 64 hex digits");
}

}  // namespace carnet::cli
