#include "worker/policy_keeper.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/record.h"
#include "worker/core/receipts.h"

namespace carnet::worker {
namespace {

// What is wrong, in words; its presence stops the worker.
constexpr std::size_t kMarkerBytesMax = 4096;

absl::Status WithEvidence(const absl::Status& contradiction, const std::filesystem::path& marker) {
  return WithRemedy(
      WithOperatorDetail(contradiction, absl::StrCat("evidence: ", marker.string())),
      "send the policy-* files beside it to the auditors: the record and its proof are signed by "
      "the coordinator. The worker does nothing more for this log");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PolicyKeeper>> PolicyKeeper::Open(const StateDir& state,
                                                                 const v1::SignedRecord& genesis) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> marker,
                          ReadIfThere(state.policy_contradiction(), kMarkerBytesMax));
  if (marker.has_value()) {
    return WithEvidence(Contradiction("the coordinator contradicted itself about the policies"),
                        state.policy_contradiction());
  }
  CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyRecord(genesis));
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> saved,
                          ReadIfThere(state.policies(), kChainBytesMax));
  absl::StatusOr<PolicyChain> chain =
      saved.has_value() ? PolicyChain::Restore(record, *saved) : PolicyChain::Create(record);
  if (!chain.ok()) {
    return saved.has_value() ? WithRemedy(chain.status(),
                                          "restore the file `policies` of the state folder; "
                                          "without it an older revision could be passed off as "
                                          "the newest")
                             : chain.status();
  }
  // Not make_unique: the constructor is private.
  return std::unique_ptr<PolicyKeeper>(new PolicyKeeper(state, *std::move(chain)));
}

absl::Status PolicyKeeper::Follow(const v1::NextTaskResponse& response,
                                  const ledger::verifier::TreeHead& head,
                                  const ledger::verifier::KeyHistory& keys) {
  CARNET_RETURN_IF_ERROR(contradiction_);
  const std::uint64_t before = chain_.followed();
  absl::Status status;
  for (const v1::ProvenRecord& proven : response.policy()) {
    status = chain_.Follow(proven, head, keys, response.bundle_json());
    if (IsContradiction(status)) {
      status = KeepEvidence(proven, response.head(), status);
    }
    if (!status.ok()) {
      break;
    }
  }
  // A crash before this follows the same records again.
  if (chain_.followed() != before) {
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(path_, AsBytes(chain_.Save())));
  }
  return status;
}

absl::Status PolicyKeeper::KeepEvidence(const v1::ProvenRecord& proven, const std::string& note,
                                        const absl::Status& contradiction) {
  v1::Receipt receipt;
  *receipt.mutable_proof() = proven.proof();
  receipt.set_head(note);
  const std::string stem = absl::StrCat("policy-", proven.proof().index());
  CARNET_ASSIGN_OR_RETURN(const std::string proof, ReceiptFile(receipt));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(root_ / absl::StrCat(stem, ".dsse.json"),
                                         AsBytes(ledger::EnvelopeJson(proven.record()))));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(root_ / absl::StrCat(stem, ".tlog-proof"), AsBytes(proof)));
  // The marker comes last: where it is, the evidence is too.
  const std::string words = absl::StrCat(contradiction.message(), "\n").substr(0, kMarkerBytesMax);
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(marker_, AsBytes(words)));
  contradiction_ = WithEvidence(contradiction, marker_);
  return contradiction_;
}

}  // namespace carnet::worker
