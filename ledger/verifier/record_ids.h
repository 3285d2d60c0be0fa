// Putting back what a compact manifest leaves out of a statement (docs/formats.md, "Ids that follow
// from a record"). Pure and thread-safe.
#ifndef CARNET_LEDGER_VERIFIER_RECORD_IDS_H_
#define CARNET_LEDGER_VERIFIER_RECORD_IDS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::ledger::verifier {

// The statement with its ids in their places; as it is, where it holds no mark. Error
// UNAUTHENTICATED: a mark that is not as due, or more than `bytes_max` bytes.
absl::StatusOr<std::string> RestoreIds(absl::string_view shortened, std::size_t bytes_max);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_RECORD_IDS_H_
