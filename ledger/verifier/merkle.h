// Checking Merkle proofs (RFC 9162 §2.1.3.2 and §2.1.4.2). Pure.
#ifndef CARNET_LEDGER_VERIFIER_MERKLE_H_
#define CARNET_LEDGER_VERIFIER_MERKLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "base/bytes.h"

namespace carnet::ledger::verifier {

inline constexpr std::size_t kProofHashesMax = 64;

Digest HashLeaf(ByteView entry);
Digest HashChildren(const Digest& left, const Digest& right);

// Error UNAUTHENTICATED: the leaf is not at `index` of the tree of `size` leaves and root `root`.
absl::Status VerifyInclusion(const Digest& leaf_hash, std::uint64_t index, std::uint64_t size,
                             std::span<const Digest> path, const Digest& root);

// Error UNAUTHENTICATED: the tree of new_size does not provably extend that of old_size. From size
// 0 every tree follows (old_root must be the empty tree's, the path empty); equal sizes take an
// empty path and equal roots.
absl::Status VerifyConsistency(std::uint64_t old_size, const Digest& old_root,
                               std::uint64_t new_size, const Digest& new_root,
                               std::span<const Digest> path);

// The root of a tree from its leaves, one after the other, in 64 hashes of memory.
class RootBuilder {
 public:
  void Add(const Digest& leaf_hash);
  std::uint64_t size() const { return size_; }
  Digest Root() const;

 private:
  std::uint64_t size_ = 0;
  Digest perfect_[64] =
      {};  // [level]: the open perfect subtree of 2^level leaves, where bit `level` of size_ is set
};

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_MERKLE_H_
