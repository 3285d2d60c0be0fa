// Checking one proof for many records (docs/formats.md, "Shared proof"): from the leaf hashes that
// the reader knows and the fewest further nodes to the root, and to the roots of earlier sizes.
// Pure.
#ifndef CARNET_LEDGER_VERIFIER_SHARED_PROOF_H_
#define CARNET_LEDGER_VERIFIER_SHARED_PROOF_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace carnet::ledger::verifier {

// A tree as far as a proof shows it.
class PartialTree {
 public:
  // leaves: by index. prefixes: sizes whose roots are wanted; those of 0 and from `size` on are
  // passed over. nodes: in the order of the format; each is used, and none is missing.
  // Error UNAUTHENTICATED: a leaf beyond the tree, a node too few, a node too many.
  static absl::StatusOr<PartialTree> Build(std::uint64_t size,
                                           const std::map<std::uint64_t, Digest>& leaves,
                                           const std::set<std::uint64_t>& prefixes,
                                           std::span<const Digest> nodes);

  // What leaves and nodes give. Hold it against a trusted head before anything else is believed.
  const Digest& root() const { return root_; }
  // Of the first `size` leaves; none: it was not asked for. Sizes 0 and that of the tree are known.
  std::optional<Digest> RootOf(std::uint64_t size) const;
  // RFC 9162 §2.1.3, leaf sibling first; none: the leaf was not given.
  std::optional<std::vector<Digest>> InclusionPath(std::uint64_t index) const;

  // The proof for the same leaves and only these earlier sizes, all of which this tree was built
  // with.
  std::vector<Digest> NodesFor(const std::set<std::uint64_t>& prefixes) const;

 private:
  struct Walk;
  void AddNodes(std::uint64_t first, std::uint64_t count, const std::set<std::uint64_t>& prefixes,
                std::vector<Digest>& nodes) const;

  std::uint64_t size_ = 0;
  Digest root_{};
  std::set<std::uint64_t> leaves_;  // indexes
  std::map<std::uint64_t, Digest> prefixes_;
  // Every subtree that the proof shows, by its first leaf and its count of leaves.
  std::map<std::pair<std::uint64_t, std::uint64_t>, Digest> subtrees_;
};

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_SHARED_PROOF_H_
