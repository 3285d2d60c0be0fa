#include "ledger/verifier/merkle.h"

#include <bit>

#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

Digest HashOf(std::uint8_t prefix, ByteView first, ByteView second) {
  Bytes input;
  input.reserve(1 + first.size() + second.size());
  input.push_back(prefix);
  input.insert(input.end(), first.begin(), first.end());
  input.insert(input.end(), second.begin(), second.end());
  return crypto::Sha256(input);
}

absl::Status NotConsistent() {
  return BadEvidence("consistency proof: the newer tree does not extend the older one");
}

}  // namespace

Digest HashLeaf(ByteView entry) {
  return HashOf(0x00, entry, {});
}

Digest HashChildren(const Digest& left, const Digest& right) {
  return HashOf(0x01, left, right);
}

absl::Status VerifyInclusion(const Digest& leaf_hash, std::uint64_t index, std::uint64_t size,
                             std::span<const Digest> path, const Digest& root) {
  const absl::Status bad =
      BadEvidence("inclusion proof: the record is not at its index under this head");
  if (index >= size || path.size() > kProofHashesMax) {
    return bad;
  }
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  Digest r = leaf_hash;
  for (const Digest& p : path) {
    if (sn == 0) {
      return bad;
    }
    if ((fn & 1) == 1 || fn == sn) {
      r = HashChildren(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = HashChildren(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && r == root ? absl::OkStatus() : bad;
}

absl::Status VerifyConsistency(std::uint64_t old_size, const Digest& old_root,
                               std::uint64_t new_size, const Digest& new_root,
                               std::span<const Digest> path) {
  if (old_size > new_size || path.size() > kProofHashesMax) {
    return NotConsistent();
  }
  if (old_size == new_size) {
    return path.empty() && old_root == new_root ? absl::OkStatus() : NotConsistent();
  }
  if (old_size == 0) {
    return path.empty() && old_root == crypto::Sha256({}) ? absl::OkStatus() : NotConsistent();
  }
  // A perfect old tree is a subtree of the new one, and the proof leaves its hash out.
  std::size_t next = 0;
  Digest fr = old_root;
  if (!std::has_single_bit(old_size)) {
    if (path.empty()) {
      return NotConsistent();
    }
    fr = path[next++];
  }
  Digest sr = fr;
  std::uint64_t fn = old_size - 1;
  std::uint64_t sn = new_size - 1;
  while ((fn & 1) == 1) {
    fn >>= 1;
    sn >>= 1;
  }
  for (; next < path.size(); ++next) {
    const Digest& c = path[next];
    if (sn == 0) {
      return NotConsistent();
    }
    if ((fn & 1) == 1 || fn == sn) {
      fr = HashChildren(c, fr);
      sr = HashChildren(c, sr);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      sr = HashChildren(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return fr == old_root && sr == new_root && sn == 0 ? absl::OkStatus() : NotConsistent();
}

void RootBuilder::Add(const Digest& leaf_hash) {
  Digest hash = leaf_hash;
  unsigned level = 0;
  for (; ((size_ >> level) & 1) == 1; ++level) {
    hash = HashChildren(perfect_[level], hash);
  }
  perfect_[level] = hash;
  ++size_;
}

Digest RootBuilder::Root() const {
  if (size_ == 0) {
    return crypto::Sha256({});
  }
  auto level = static_cast<unsigned>(std::countr_zero(size_));
  Digest root = perfect_[level];
  for (++level; level < 64; ++level) {
    if (((size_ >> level) & 1) == 1) {
      root = HashChildren(perfect_[level], root);
    }
  }
  return root;
}

}  // namespace carnet::ledger::verifier
