#include "ledger/later_head.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/errors.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger {
namespace {

absl::StatusOr<verifier::VerifierKey> AsVerifierKey(const LogKeys& keys) {
  CARNET_ASSIGN_OR_RETURN(verifier::VerifierKey log,
                          verifier::ParseVerifierKey(keys.founding().Vkey()));
  for (std::size_t i = 1; i < keys.all().size(); ++i) {
    CARNET_ASSIGN_OR_RETURN(verifier::VerifierKey later,
                            verifier::ParseVerifierKey(keys.all()[i].note.Vkey()));
    log.successors.push_back(std::move(later));
  }
  return log;
}

}  // namespace

absl::StatusOr<Head> ParseLaterHead(absl::string_view note, const LogKeys& keys,
                                    const std::vector<v1::SignedRecord>& handovers) {
  CARNET_ASSIGN_OR_RETURN(verifier::VerifierKey log, AsVerifierKey(keys));
  for (const v1::SignedRecord& handover : handovers) {
    const auto record = verifier::VerifyRecord(handover);
    if (!record.ok()) {
      continue;
    }
    if (auto next = verifier::FollowLogKey(log, *record); next.ok()) {
      log = *std::move(next);
    }
  }
  CARNET_ASSIGN_OR_RETURN(const verifier::VerifiedHead head, verifier::VerifyHead(note, log));
  return Head{.origin = head.tree.origin, .size = head.tree.size, .root = head.tree.root};
}

absl::Status CheckShownHead(Log& log, absl::string_view note,
                            const std::vector<v1::SignedRecord>& handovers) {
  const absl::Status own = log.CheckOwnHead(note);
  if (!absl::IsUnauthenticated(own) || handovers.empty()) {
    return own;
  }
  const absl::StatusOr<Head> later = ParseLaterHead(note, log.keys(), handovers);
  if (!later.ok()) {
    return own;
  }
  return log.CloseAs(LogMisbehaviourError(
      absl::StrCat("log: somebody holds a head of ", later->size,
                   " records by a key that this log handed over to; it holds ", log.Size(),
                   " and no such handover: the state was rolled back")));
}

}  // namespace carnet::ledger
