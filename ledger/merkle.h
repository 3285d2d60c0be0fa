// The Merkle tree of the log, writer side (RFC 6962 §2.1 = RFC 9162 §2.1, SHA-256). Pure. Whoever
// checks a log uses ledger/verifier/merkle.h, which shares no code with this.
#ifndef CARNET_LEDGER_MERKLE_H_
#define CARNET_LEDGER_MERKLE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace carnet::ledger {

// Largest tree: sizes stay within what SQLite and a C2SP checkpoint can say.
inline constexpr std::uint64_t kTreeSizeMax = (std::uint64_t{1} << 63) - 1;
// Hashes in one proof: the path of a tree of kTreeSizeMax leaves, and one more for a consistency
// proof.
inline constexpr std::size_t kProofHashesMax = 64;

// SHA-256 of 0x00 and the entry.
Digest LeafHash(ByteView entry);
// SHA-256 of 0x01, left and right.
Digest NodeHash(const Digest& left, const Digest& right);
// SHA-256 of nothing: the root of a tree without leaves.
Digest EmptyRoot();

// The right edge of a tree: enough to append and to give the root, at most 63 hashes. A value.
class CompactRange {
 public:
  CompactRange() = default;
  // The edge of a tree of `size` leaves. hashes: of its perfect subtrees, largest first: one for
  // each bit set in `size`. Error INVALID_ARGUMENT: another count, or size > kTreeSizeMax.
  static absl::StatusOr<CompactRange> FromHashes(std::uint64_t size, std::vector<Digest> hashes);

  // Precondition: size() < kTreeSizeMax.
  void Append(const Digest& leaf_hash);
  std::uint64_t size() const { return size_; }
  Digest Root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> hashes_;  // largest subtree first
};

// Reads the hash of a perfect subtree: 2^level leaves, from leaf index << level on. Its errors pass
// through.
using HashReader = std::function<absl::StatusOr<Digest>(unsigned level, std::uint64_t index)>;

// The edge and the root of the first `size` leaves. The reader is asked only for subtrees within
// `size`.
absl::StatusOr<CompactRange> RangeOfSize(std::uint64_t size, const HashReader& reader);
absl::StatusOr<Digest> RootOfSize(std::uint64_t size, const HashReader& reader);

// RFC 9162 §2.1.3.1: leaf sibling first. Error OUT_OF_RANGE: index >= size.
absl::StatusOr<std::vector<Digest>> InclusionPath(std::uint64_t index, std::uint64_t size,
                                                  const HashReader& reader);

// RFC 9162 §2.1.4.1; empty where old_size is 0 or equals new_size. Error OUT_OF_RANGE: old_size >
// new_size.
absl::StatusOr<std::vector<Digest>> ConsistencyPath(std::uint64_t old_size, std::uint64_t new_size,
                                                    const HashReader& reader);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_MERKLE_H_
