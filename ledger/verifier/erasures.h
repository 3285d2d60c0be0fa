// What the vault no longer holds, as the records say. The records themselves are never erased, so a
// log with erasures verifies like any other. Pure.
#ifndef CARNET_LEDGER_VERIFIER_ERASURES_H_
#define CARNET_LEDGER_VERIFIER_ERASURES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::verifier {

struct Erased {
  std::uint64_t index = 0;  // of the record whose value was erased
  std::string field;
  std::uint64_t ordered = 0;          // index of `erasure`
  std::optional<std::uint64_t> done;  // of `erasure-done`; none: ordered, not done yet
  std::string vault_id;
};

// Takes a record at `index`, in the order of indexes; those of other types change nothing. Error
// UNAUTHENTICATED: an order for a record that comes later, or an end without its order.
absl::Status TakeErasure(std::uint64_t index, const VerifiedRecord& record,
                         std::vector<Erased>& erased);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_ERASURES_H_
