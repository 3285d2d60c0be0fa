#include "ledger/verifier/shared_proof.h"

#include <bit>

#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger::verifier {

// Depth is at most 64; each step opens a subtree that holds a leaf or an end, so that the work is
// bounded by what the caller gave.
struct PartialTree::Walk {
  PartialTree& tree;
  const std::map<std::uint64_t, Digest>& leaves;
  const std::set<std::uint64_t>& ends;
  std::span<const Digest> nodes;
  bool too_few = false;

  Digest Hash(std::uint64_t first, std::uint64_t count) {
    const Digest hash = Compute(first, count);
    tree.subtrees_.emplace(std::make_pair(first, count), hash);
    return hash;
  }

  Digest Compute(std::uint64_t first, std::uint64_t count) {
    const auto leaf = leaves.lower_bound(first);
    const bool holds_leaf = leaf != leaves.end() && leaf->first - first < count;
    const auto end = ends.upper_bound(first);
    const bool holds_end = end != ends.end() && *end - first < count;
    if (!holds_leaf && !holds_end) {
      return TakeNode();
    }
    if (count == 1) {
      return leaf->second;
    }
    const std::uint64_t left_count = std::bit_floor(count - 1);
    const std::uint64_t middle = first + left_count;
    const Digest left = Hash(first, left_count);
    const Digest right = Hash(middle, count - left_count);
    if (ends.count(middle) != 0) {
      tree.prefixes_[middle] = left;
    }
    // An earlier size that ends inside the right half begins with the left one.
    for (auto inside = ends.upper_bound(middle); inside != ends.end() && *inside - first < count;
         ++inside) {
      Digest& root = tree.prefixes_[*inside];
      root = HashChildren(left, root);
    }
    return HashChildren(left, right);
  }

  Digest TakeNode() {
    if (nodes.empty()) {
      too_few = true;
      return {};
    }
    const Digest node = nodes.front();
    nodes = nodes.subspan(1);
    return node;
  }
};

absl::StatusOr<PartialTree> PartialTree::Build(std::uint64_t size,
                                               const std::map<std::uint64_t, Digest>& leaves,
                                               const std::set<std::uint64_t>& prefixes,
                                               std::span<const Digest> nodes) {
  if (!leaves.empty() && leaves.rbegin()->first >= size) {
    return BadEvidence("shared proof: a record beyond the head");
  }
  std::set<std::uint64_t> ends;
  for (const std::uint64_t prefix : prefixes) {
    if (prefix > 0 && prefix < size) {
      ends.insert(prefix);
    }
  }
  PartialTree tree;
  tree.size_ = size;
  for (const auto& [index, hash] : leaves) {
    tree.leaves_.insert(index);
  }
  Walk walk{.tree = tree, .leaves = leaves, .ends = ends, .nodes = nodes};
  tree.root_ = size == 0 ? crypto::Sha256({}) : walk.Hash(0, size);
  if (walk.too_few) {
    return BadEvidence("shared proof: a node is missing");
  }
  if (!walk.nodes.empty()) {
    return BadEvidence("shared proof: it has more nodes than it needs");
  }
  return tree;
}

std::optional<Digest> PartialTree::RootOf(std::uint64_t size) const {
  if (size == 0) {
    return crypto::Sha256({});
  }
  if (size == size_) {
    return root_;
  }
  const auto found = prefixes_.find(size);
  return found == prefixes_.end() ? std::nullopt : std::optional<Digest>(found->second);
}

std::optional<std::vector<Digest>> PartialTree::InclusionPath(std::uint64_t index) const {
  if (index >= size_ || subtrees_.count({index, 1}) == 0) {
    return std::nullopt;
  }
  std::vector<Digest> path;
  std::uint64_t first = 0;
  std::uint64_t count = size_;
  while (count > 1) {
    const std::uint64_t left_count = std::bit_floor(count - 1);
    const bool left = index - first < left_count;
    const auto sibling =
        subtrees_.find(left ? std::make_pair(first + left_count, count - left_count)
                            : std::make_pair(first, left_count));
    if (sibling == subtrees_.end()) {
      return std::nullopt;
    }
    path.push_back(sibling->second);
    first += left ? 0 : left_count;
    count = left ? left_count : count - left_count;
  }
  return std::vector<Digest>(path.rbegin(), path.rend());
}

void PartialTree::AddNodes(std::uint64_t first, std::uint64_t count,
                           const std::set<std::uint64_t>& prefixes,
                           std::vector<Digest>& nodes) const {
  const auto leaf = leaves_.lower_bound(first);
  const auto end = prefixes.upper_bound(first);
  const bool open = (leaf != leaves_.end() && *leaf - first < count) ||
                    (end != prefixes.end() && *end - first < count);
  if (!open) {
    const auto known = subtrees_.find({first, count});
    CARNET_CHECK(known != subtrees_.end());
    nodes.push_back(known->second);
  } else if (count > 1) {
    const std::uint64_t left_count = std::bit_floor(count - 1);
    AddNodes(first, left_count, prefixes, nodes);
    AddNodes(first + left_count, count - left_count, prefixes, nodes);
  }
}

std::vector<Digest> PartialTree::NodesFor(const std::set<std::uint64_t>& prefixes) const {
  std::vector<Digest> nodes;
  if (size_ > 0) {
    AddNodes(0, size_, prefixes, nodes);
  }
  return nodes;
}

}  // namespace carnet::ledger::verifier
