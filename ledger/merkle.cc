#include "ledger/merkle.h"

#include <bit>
#include <cstdint>
#include <utility>

#include "base/status.h"
#include "crypto/hash.h"

namespace carnet::ledger {
namespace {

constexpr std::uint8_t kLeafPrefix = 0x00;
constexpr std::uint8_t kNodePrefix = 0x01;

// The k of RFC 9162 §2.1.1: the largest power of two smaller than n. Precondition: n > 1.
std::uint64_t SplitPoint(std::uint64_t n) {
  return std::bit_floor(n - 1);
}

// MTH(D[first : first + count]) for a range as the RFC's recursion makes them: every power-of-two
// part is aligned.
absl::StatusOr<Digest> RangeRoot(std::uint64_t first, std::uint64_t count,
                                 const HashReader& reader) {
  if (std::has_single_bit(count)) {
    const auto level = static_cast<unsigned>(std::countr_zero(count));
    return reader(level, first >> level);
  }
  const std::uint64_t split = SplitPoint(count);
  CARNET_ASSIGN_OR_RETURN(const Digest left, RangeRoot(first, split, reader));
  CARNET_ASSIGN_OR_RETURN(const Digest right, RangeRoot(first + split, count - split, reader));
  return NodeHash(left, right);
}

// SUBPROOF(m, D[first : first + count], whole) of RFC 9162 §2.1.4.1. Depth: at most 64.
absl::Status Subproof(std::uint64_t m, std::uint64_t first, std::uint64_t count, bool whole,
                      const HashReader& reader, std::vector<Digest>& path) {
  if (m == count) {
    if (!whole) {
      CARNET_ASSIGN_OR_RETURN(const Digest root, RangeRoot(first, count, reader));
      path.push_back(root);
    }
    return absl::OkStatus();
  }
  const std::uint64_t split = SplitPoint(count);
  const bool left = m <= split;
  if (left) {
    CARNET_RETURN_IF_ERROR(Subproof(m, first, split, whole, reader, path));
  } else {
    CARNET_RETURN_IF_ERROR(Subproof(m - split, first + split, count - split, false, reader, path));
  }
  CARNET_ASSIGN_OR_RETURN(
      const Digest sibling,
      left ? RangeRoot(first + split, count - split, reader) : RangeRoot(first, split, reader));
  path.push_back(sibling);
  return absl::OkStatus();
}

}  // namespace

Digest LeafHash(ByteView entry) {
  Bytes input;
  input.reserve(1 + entry.size());
  input.push_back(kLeafPrefix);
  input.insert(input.end(), entry.begin(), entry.end());
  return crypto::Sha256(input);
}

Digest NodeHash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 1 + 2 * kDigestBytes> input;
  input[0] = kNodePrefix;
  std::copy(left.begin(), left.end(), input.begin() + 1);
  std::copy(right.begin(), right.end(), input.begin() + 1 + kDigestBytes);
  return crypto::Sha256(input);
}

Digest EmptyRoot() {
  return crypto::Sha256({});
}

absl::StatusOr<CompactRange> CompactRange::FromHashes(std::uint64_t size,
                                                      std::vector<Digest> hashes) {
  if (size > kTreeSizeMax || hashes.size() != static_cast<std::size_t>(std::popcount(size))) {
    return absl::InvalidArgumentError("compact range: not one hash for each perfect subtree");
  }
  CompactRange range;
  range.size_ = size;
  range.hashes_ = std::move(hashes);
  return range;
}

void CompactRange::Append(const Digest& leaf_hash) {
  CARNET_CHECK(size_ < kTreeSizeMax);
  Digest hash = leaf_hash;
  // Each trailing one bit of the size is a perfect subtree that this leaf completes into one twice
  // as large.
  for (std::uint64_t bits = size_; (bits & 1) == 1; bits >>= 1) {
    hash = NodeHash(hashes_.back(), hash);
    hashes_.pop_back();
  }
  hashes_.push_back(hash);
  ++size_;
}

Digest CompactRange::Root() const {
  if (hashes_.empty()) {
    return EmptyRoot();
  }
  Digest root = hashes_.back();
  for (std::size_t i = hashes_.size() - 1; i-- > 0;) {
    root = NodeHash(hashes_[i], root);
  }
  return root;
}

absl::StatusOr<CompactRange> RangeOfSize(std::uint64_t size, const HashReader& reader) {
  std::vector<Digest> hashes;
  std::uint64_t first = 0;
  for (unsigned level = 64; level-- > 0;) {
    if (((size >> level) & 1) == 0) {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const Digest hash, reader(level, first >> level));
    hashes.push_back(hash);
    first += std::uint64_t{1} << level;
  }
  return CompactRange::FromHashes(size, std::move(hashes));
}

absl::StatusOr<Digest> RootOfSize(std::uint64_t size, const HashReader& reader) {
  CARNET_ASSIGN_OR_RETURN(const CompactRange range, RangeOfSize(size, reader));
  return range.Root();
}

absl::StatusOr<std::vector<Digest>> InclusionPath(std::uint64_t index, std::uint64_t size,
                                                  const HashReader& reader) {
  if (index >= size || size > kTreeSizeMax) {
    return absl::OutOfRangeError("inclusion proof: the index is beyond the tree");
  }
  std::vector<Digest> path;  // PATH of RFC 9162 §2.1.3.1, from the root down: reversed at the end.
  std::uint64_t first = 0;
  std::uint64_t count = size;
  while (count > 1) {
    const std::uint64_t split = SplitPoint(count);
    const bool left = index - first < split;
    CARNET_ASSIGN_OR_RETURN(
        const Digest sibling,
        left ? RangeRoot(first + split, count - split, reader) : RangeRoot(first, split, reader));
    path.push_back(sibling);
    first += left ? 0 : split;
    count = left ? split : count - split;
  }
  return std::vector<Digest>(path.rbegin(), path.rend());
}

absl::StatusOr<std::vector<Digest>> ConsistencyPath(std::uint64_t old_size, std::uint64_t new_size,
                                                    const HashReader& reader) {
  if (old_size > new_size || new_size > kTreeSizeMax) {
    return absl::OutOfRangeError("consistency proof: the old tree is larger than the new one");
  }
  std::vector<Digest> path;
  if (old_size > 0 && old_size < new_size) {
    CARNET_RETURN_IF_ERROR(Subproof(old_size, 0, new_size, true, reader, path));
  }
  return path;
}

}  // namespace carnet::ledger
