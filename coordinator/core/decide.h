// The one place where the coordinator makes up its mind. Pure: the same state and command give the
// same records.
#ifndef CARNET_COORDINATOR_CORE_DECIDE_H_
#define CARNET_COORDINATOR_CORE_DECIDE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/state.h"
#include "ledger/record.h"

namespace carnet::coordinator {

// A record to append: either one that the coordinator signs (predicate and subjects), or one that
// came signed.
struct NewRecord {
  ledger::Predicate predicate;
  std::vector<ledger::Subject>
      subjects;  // empty: they follow from the predicate (ledger::SubjectsOf)
  std::optional<v1::SignedRecord> signed_record;
};

struct Decided {
  std::vector<NewRecord> records;  // appended together, in this order; may be empty
  // The record that answers the caller: an index of this state or of the records above (state.size
  // + i). Absent where the command changed nothing and needs no receipt.
  std::optional<std::uint64_t> answer_index;
  // What the caller hears instead of an index: a refusal that is on record.
  absl::Status answer = absl::OkStatus();
  // Of a command that may ask: what the organisation's own policy engine is to be asked (inputs,
  // core/bridge.h) before the same command is decided again, which may not ask any more. Everything
  // above is empty then.
  std::set<std::string> questions = {};
  // Refusals that are on record already, and were not put there again: the operations refused.
  std::vector<v1::Operation> repeated;
};

// Errors leave no record: INVALID_ARGUMENT the command is malformed; NOT_FOUND it names what does
// not exist; PERMISSION_DENIED the caller has not the role, or is revoked; FAILED_PRECONDITION
// wrong state, e.g. a round that is closed; ALREADY_EXISTS a token used with another key. A command
// whose request_id is on record gets that record again.
absl::StatusOr<Decided> Decide(const State& state, const Command& command);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_DECIDE_H_
