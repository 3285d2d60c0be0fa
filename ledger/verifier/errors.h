// The verifier's verdicts as status codes: each stands for one exit code of the tools.
#ifndef CARNET_LEDGER_VERIFIER_ERRORS_H_
#define CARNET_LEDGER_VERIFIER_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace carnet::ledger::verifier {

// UNAUTHENTICATED: the evidence is bad: a hash, a proof or a signature does not hold, or the bytes
// are malformed. Exit 1.
inline absl::Status BadEvidence(absl::string_view message) {
  return absl::UnauthenticatedError(message);
}
// NOT_FOUND: nothing is wrong with what is there, but not all that is needed is there. Exit 3.
inline absl::Status MissingData(absl::string_view message) {
  return absl::NotFoundError(message);
}
// DATA_LOSS: a log contradicts what it signed itself. Exit 4.
inline absl::Status Misbehaviour(absl::string_view message) {
  return absl::DataLossError(message);
}

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_ERRORS_H_
