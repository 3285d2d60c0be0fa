#include "worker/core/receipts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {

using ledger::verifier::HeadTracker;
using ledger::verifier::VerifiedHead;
using ledger::verifier::VerifierKey;

absl::StatusOr<std::optional<ProofWanted>> ProofFor(const HeadTracker& tracker,
                                                    const VerifierKey& log,
                                                    absl::string_view note) {
  CARNET_ASSIGN_OR_RETURN(const VerifiedHead head, ledger::verifier::VerifyHead(note, log));
  if (!tracker.head().has_value() || tracker.head()->tree.size == head.tree.size) {
    return std::optional<ProofWanted>();
  }
  const std::uint64_t remembered = tracker.head()->tree.size;
  return std::optional<ProofWanted>(ProofWanted{.old_size = std::min(remembered, head.tree.size),
                                                .new_size = std::max(remembered, head.tree.size)});
}

absl::Status CheckReceipt(const v1::SignedRecord& record, const v1::Receipt& receipt,
                          const v1::ConsistencyProof& consistency, const VerifierKey& log,
                          HeadTracker* tracker, std::optional<ledger::verifier::Fork>* fork) {
  CARNET_ASSIGN_OR_RETURN(const VerifiedHead head,
                          ledger::verifier::VerifyHead(receipt.head(), log));
  CARNET_ASSIGN_OR_RETURN(const auto verified, ledger::verifier::VerifyRecord(record));
  CARNET_RETURN_IF_ERROR(
      ledger::verifier::VerifyInclusionProof(verified.leaf_hash, receipt.proof(), head.tree));
  return CheckPrefix(receipt.head(), consistency, log, tracker, fork);
}

absl::Status CheckPrefix(absl::string_view note, const v1::ConsistencyProof& consistency,
                         const VerifierKey& log, HeadTracker* tracker,
                         std::optional<ledger::verifier::Fork>* fork) {
  CARNET_ASSIGN_OR_RETURN(const VerifiedHead head, ledger::verifier::VerifyHead(note, log));
  if (!tracker->head().has_value() || head.tree.size >= tracker->head()->tree.size) {
    const absl::Status advanced = tracker->Advance(note, consistency).status();
    *fork = tracker->fork();
    return advanced;
  }
  // An older head: what we remember must extend it.
  CARNET_ASSIGN_OR_RETURN(HeadTracker older, HeadTracker::Create(log, note));
  const absl::Status extended = older.Advance(tracker->head()->note, consistency).status();
  *fork = older.fork();
  return extended;
}

absl::StatusOr<std::string> ReceiptFile(const v1::Receipt& receipt) {
  std::string text = absl::StrCat("c2sp.org/tlog-proof@v1\nindex ", receipt.proof().index(), "\n");
  for (const std::string& hash : receipt.proof().hashes()) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(AsBytes(hash)));
    absl::StrAppend(&text, Base64Encode(digest), "\n");
  }
  absl::StrAppend(&text, "\n", receipt.head());
  return text;
}

}  // namespace carnet::worker
