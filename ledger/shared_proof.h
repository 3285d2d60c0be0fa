// One proof for many records and earlier sizes of a log (docs/formats.md, "Shared proof"), writer
// side. Whoever checks one uses ledger/verifier/shared_proof.h, which shares no code with this.
#ifndef CARNET_LEDGER_SHARED_PROOF_H_
#define CARNET_LEDGER_SHARED_PROOF_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "ledger/merkle.h"
#include "ledger/view.h"

namespace carnet::ledger {

// What somebody who knows the leaves at `indexes` still needs for the root of the tree of `size`
// leaves, and for the root of its first p leaves for each p in `prefixes`. Walks from the root
// down, left before right: a subtree with none of these leaves, and none of these ends strictly
// inside, is one hash. indexes, prefixes: ascending, without repeats; prefixes of 0 or `size` add
// nothing. Errors: INVALID_ARGUMENT not ascending. OUT_OF_RANGE an index or prefix beyond the tree.
absl::StatusOr<std::vector<Digest>> SharedProof(const std::vector<std::uint64_t>& indexes,
                                                const std::vector<std::uint64_t>& prefixes,
                                                std::uint64_t size, const HashReader& reader);
// The same from a log's tiles. Errors besides: LogView's.
absl::StatusOr<std::vector<Digest>> ProveTogether(const LogView& log,
                                                  const std::vector<std::uint64_t>& indexes,
                                                  const std::vector<std::uint64_t>& prefixes,
                                                  std::uint64_t tree_size);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_SHARED_PROOF_H_
