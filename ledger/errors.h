// How this room says that a log contradicts itself, as opposed to a file that is merely damaged.
#ifndef CARNET_LEDGER_ERRORS_H_
#define CARNET_LEDGER_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace carnet::ledger {

// DATA_LOSS, marked: the store and a head that this log signed contradict each other (a rollback, a
// fork, a changed byte). A process that sees it appends nothing and exits with code 4. Never retry.
absl::Status LogMisbehaviourError(absl::string_view message);
bool IsLogMisbehaviour(const absl::Status& status);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_ERRORS_H_
