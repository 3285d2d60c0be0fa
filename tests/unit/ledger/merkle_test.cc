#include "ledger/merkle.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger {
namespace {

// transparency-dev/merkle testonly/constants.go: eight leaves, and the roots of the trees of 1 to 8
// of them.
const std::vector<std::string> kLeavesHex = {"",
                                             "00",
                                             "10",
                                             "2021",
                                             "3031",
                                             "40414243",
                                             "5051525354555657",
                                             "606162636465666768696a6b6c6d6e6f"};
const std::vector<std::string> kRootsHex = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

// A tree that keeps every leaf, and reads subtrees by hashing them again.
class PlainTree {
 public:
  void Add(const Digest& leaf) { leaves_.push_back(leaf); }
  HashReader Reader() const {
    return [this](unsigned level, std::uint64_t index) -> absl::StatusOr<Digest> {
      std::vector<Digest> hashes(
          leaves_.begin() + static_cast<std::ptrdiff_t>(index << level),
          leaves_.begin() + static_cast<std::ptrdiff_t>((index + 1) << level));
      for (; hashes.size() > 1; hashes.resize(hashes.size() / 2)) {
        for (std::size_t i = 0; i < hashes.size() / 2; ++i) {
          hashes[i] = NodeHash(hashes[2 * i], hashes[2 * i + 1]);
        }
      }
      return hashes[0];
    };
  }
  const std::vector<Digest>& leaves() const { return leaves_; }

 private:
  std::vector<Digest> leaves_;
};

PlainTree TreeOf(std::uint64_t size) {
  PlainTree tree;
  for (std::uint64_t i = 0; i < size; ++i) {
    tree.Add(LeafHash(AsBytes(absl::StrCat("entry ", i))));
  }
  return tree;
}

std::vector<Digest> RootsOf(const PlainTree& tree) {
  std::vector<Digest> roots = {EmptyRoot()};
  CompactRange range;
  for (const Digest& leaf : tree.leaves()) {
    range.Append(leaf);
    roots.push_back(range.Root());
  }
  return roots;
}

TEST_CASE("Merkle: leaf, node and empty hashes are those of RFC 6962") {
  // transparency-dev/merkle rfc6962/rfc6962_test.go
  CHECK(HexEncode(EmptyRoot()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(HexEncode(LeafHash(AsBytes("L123456"))) ==
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
  // That test's node hash is of the bytes "N123" and "N456", which are no digests: the verifier's
  // and the writer's node hashes are held against the roots below instead.
}

TEST_CASE("Merkle: roots of the eight known leaves") {
  CompactRange range;
  verifier::RootBuilder builder;
  PlainTree tree;
  for (std::size_t i = 0; i < kLeavesHex.size(); ++i) {
    const Bytes entry = *HexDecode(kLeavesHex[i]);
    range.Append(LeafHash(entry));
    builder.Add(verifier::HashLeaf(entry));
    tree.Add(LeafHash(entry));
    CHECK(HexEncode(range.Root()) == kRootsHex[i]);
    CHECK(HexEncode(builder.Root()) == kRootsHex[i]);
    CHECK(HexEncode(*RootOfSize(i + 1, tree.Reader())) == kRootsHex[i]);
  }
}

TEST_CASE("Merkle: the proof of leaf 0 in 8, which is that from 1 to 8, is the known one") {
  // transparency-dev/merkle testdata/consistency/1/happy-path.json
  PlainTree tree;
  for (const std::string& leaf : kLeavesHex) {
    tree.Add(LeafHash(*HexDecode(leaf)));
  }
  const std::vector<Digest> path = *InclusionPath(0, 8, tree.Reader());
  REQUIRE(path.size() == 3);
  CHECK(Base64Encode(path[0]) == "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=");
  CHECK(Base64Encode(path[1]) == "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=");
  CHECK(Base64Encode(path[2]) == "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=");
  CHECK(*ConsistencyPath(1, 8, tree.Reader()) == path);
}

TEST_CASE(
    "Merkle: every inclusion proof of trees of 1 to 300 verifies, and a changed one does not") {
  const PlainTree tree = TreeOf(300);
  const std::vector<Digest> roots = RootsOf(tree);
  const HashReader reader = tree.Reader();
  std::size_t wrong = 0;
  std::size_t accepted_lies = 0;
  for (std::uint64_t size = 1; size <= 300; ++size) {
    for (std::uint64_t index = 0; index < size; ++index) {
      std::vector<Digest> path = *InclusionPath(index, size, reader);
      const Digest& leaf = tree.leaves()[index];
      wrong += verifier::VerifyInclusion(leaf, index, size, path, roots[size]).ok() ? 0 : 1;
      // Another place, another size, another root, a path cut or grown.
      accepted_lies +=
          verifier::VerifyInclusion(leaf, index + 1, size, path, roots[size]).ok() ? 1 : 0;
      accepted_lies +=
          verifier::VerifyInclusion(leaf, index ^ 2, size, path, roots[size]).ok() ? 1 : 0;
      accepted_lies +=
          verifier::VerifyInclusion(leaf, index, size, path, roots[size - 1]).ok() ? 1 : 0;
      path.push_back(roots[size]);
      accepted_lies += verifier::VerifyInclusion(leaf, index, size, path, roots[size]).ok() ? 1 : 0;
      path.pop_back();
      // One bit of one hash, another one each time.
      if (!path.empty()) {
        path[(index + size) % path.size()][(index * 7) % 32] ^=
            static_cast<std::uint8_t>(1u << (size % 8));
        accepted_lies +=
            verifier::VerifyInclusion(leaf, index, size, path, roots[size]).ok() ? 1 : 0;
        path.pop_back();
        accepted_lies +=
            verifier::VerifyInclusion(leaf, index, size, path, roots[size]).ok() ? 1 : 0;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(accepted_lies == 0);
}

TEST_CASE(
    "Merkle: every consistency proof between sizes up to 300 verifies, and a changed one does "
    "not") {
  const PlainTree tree = TreeOf(300);
  const std::vector<Digest> roots = RootsOf(tree);
  const HashReader reader = tree.Reader();
  std::size_t wrong = 0;
  std::size_t accepted_lies = 0;
  for (std::uint64_t size = 0; size <= 300; ++size) {
    for (std::uint64_t old = 0; old <= size; ++old) {
      std::vector<Digest> path = *ConsistencyPath(old, size, reader);
      wrong += verifier::VerifyConsistency(old, roots[old], size, roots[size], path).ok() ? 0 : 1;
      Digest other = roots[old];
      other[size % 32] ^= 0x10;
      accepted_lies +=
          verifier::VerifyConsistency(old, other, size, roots[size], path).ok() ? 1 : 0;
      // From nothing every tree follows.
      const bool any = old == 0 && size > 0;
      const Digest& other_root = roots[size > 0 ? size - 1 : 1];
      accepted_lies +=
          !any && verifier::VerifyConsistency(old, roots[old], size, other_root, path).ok() ? 1 : 0;
      path.push_back(roots[old]);
      accepted_lies +=
          verifier::VerifyConsistency(old, roots[old], size, roots[size], path).ok() ? 1 : 0;
      path.pop_back();
      if (!path.empty()) {
        path[(old + size) % path.size()][(old * 5) % 32] ^=
            static_cast<std::uint8_t>(1u << (old % 8));
        accepted_lies +=
            verifier::VerifyConsistency(old, roots[old], size, roots[size], path).ok() ? 1 : 0;
        path.pop_back();
        accepted_lies +=
            verifier::VerifyConsistency(old, roots[old], size, roots[size], path).ok() ? 1 : 0;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(accepted_lies == 0);
}

TEST_CASE("Merkle: a compact range continues from its hashes, and refuses another count of them") {
  const PlainTree tree = TreeOf(77);
  const CompactRange half = *RangeOfSize(70, tree.Reader());
  CompactRange range = half;
  for (std::size_t i = 70; i < 77; ++i) {
    range.Append(tree.leaves()[i]);
  }
  CHECK(range.Root() == RootsOf(tree)[77]);
  CHECK(absl::IsInvalidArgument(CompactRange::FromHashes(3, {Digest{}}).status()));
}

TEST_CASE("Merkle: proofs beyond the tree are refused") {
  const PlainTree tree = TreeOf(4);
  CHECK(absl::IsOutOfRange(InclusionPath(4, 4, tree.Reader()).status()));
  CHECK(absl::IsOutOfRange(ConsistencyPath(4, 3, tree.Reader()).status()));
}

}  // namespace
}  // namespace carnet::ledger
