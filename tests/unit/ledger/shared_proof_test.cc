#include "ledger/shared_proof.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "ledger/merkle.h"
#include "ledger/verifier/shared_proof.h"
#include "tests/testing/seeds.h"

namespace carnet::ledger {
namespace {

// A tree in memory and a reader of it.
struct Tree {
  explicit Tree(std::uint64_t size) {
    for (std::uint64_t i = 0; i < size; ++i) {
      leaves.push_back(LeafHash(AsBytes(std::to_string(i))));
    }
  }
  Digest Subtree(unsigned level, std::uint64_t index) const {
    return level == 0 ? leaves[index]
                      : NodeHash(Subtree(level - 1, 2 * index), Subtree(level - 1, 2 * index + 1));
  }
  HashReader Reader() const {
    return [this](unsigned level, std::uint64_t index) -> absl::StatusOr<Digest> {
      return Subtree(level, index);
    };
  }
  Digest Root(std::uint64_t size) const { return *RootOfSize(size, Reader()); }

  std::vector<Digest> leaves;
};

// A choice of leaves and earlier sizes, from the bits of two numbers.
struct Choice {
  Choice(std::uint64_t size, std::uint64_t leaf_bits, std::uint64_t prefix_bits) {
    for (std::uint64_t i = 0; i < size; ++i) {
      if ((leaf_bits >> (i % 64) & 1) == 1) {
        indexes.push_back(i);
      }
      if ((prefix_bits >> (i % 64) & 1) == 1) {
        prefixes.push_back(i + 1);
      }
    }
  }
  std::map<std::uint64_t, Digest> Known(const Tree& tree) const {
    std::map<std::uint64_t, Digest> known;
    for (const std::uint64_t index : indexes) {
      known.emplace(index, tree.leaves[index]);
    }
    return known;
  }
  std::set<std::uint64_t> Ends() const { return {prefixes.begin(), prefixes.end()}; }

  std::vector<std::uint64_t> indexes;
  std::vector<std::uint64_t> prefixes;
};

void CheckChoice(const Tree& tree, const Choice& choice) {
  const std::uint64_t size = tree.leaves.size();
  const auto nodes = SharedProof(choice.indexes, choice.prefixes, size, tree.Reader());
  REQUIRE(nodes.ok());
  const auto known = choice.Known(tree);
  const auto ends = choice.Ends();
  const auto shown = verifier::PartialTree::Build(size, known, ends, *nodes);
  REQUIRE(shown.ok());
  CHECK(shown->root() == tree.Root(size));
  for (const std::uint64_t prefix : choice.prefixes) {
    CHECK(shown->RootOf(prefix) == tree.Root(prefix));
  }
  for (const std::uint64_t index : choice.indexes) {
    CHECK(shown->InclusionPath(index) == *InclusionPath(index, size, tree.Reader()));
  }
  // For fewer earlier sizes the proof is the one that its writer would have made.
  CHECK(shown->NodesFor({}) == *SharedProof(choice.indexes, {}, size, tree.Reader()));
  // Minimal: without any one of them, or with one more, there is no proof.
  std::vector<Digest> changed = *nodes;
  changed.push_back(tree.leaves[0]);
  CHECK_FALSE(verifier::PartialTree::Build(size, known, ends, changed).ok());
  if (!nodes->empty()) {
    changed.resize(nodes->size() - 1);
    CHECK_FALSE(verifier::PartialTree::Build(size, known, ends, changed).ok());
  }
}

TEST_CASE("Shared proof: every choice of leaves and earlier sizes of small trees is proven") {
  for (std::uint64_t size = 1; size <= 6; ++size) {
    const Tree tree(size);
    for (std::uint64_t leaf_bits = 0; leaf_bits < (std::uint64_t{1} << size); ++leaf_bits) {
      for (std::uint64_t prefix_bits = 0; prefix_bits < (std::uint64_t{1} << size); ++prefix_bits) {
        CheckChoice(tree, Choice(size, leaf_bits, prefix_bits));
      }
    }
  }
}

TEST_CASE("Shared proof: random choices of larger trees are proven") {
  for (const std::uint64_t seed : testing::Seeds(5)) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    for (const std::uint64_t size : {63, 64, 65, 130}) {
      const Tree tree(size);
      CheckChoice(tree, Choice(size, random() & random() & random(), random() & random()));
    }
  }
}

TEST_CASE("Shared proof: of everything it is empty, of nothing it is the root") {
  const Tree tree(7);
  CHECK(SharedProof({0, 1, 2, 3, 4, 5, 6}, {}, 7, tree.Reader())->empty());
  const auto nothing = SharedProof({}, {}, 7, tree.Reader());
  REQUIRE(nothing->size() == 1);
  CHECK(nothing->front() == tree.Root(7));
  const auto empty = verifier::PartialTree::Build(0, {}, {0}, {});
  REQUIRE(empty.ok());
  CHECK(empty->root() == EmptyRoot());
  CHECK(empty->RootOf(0) == EmptyRoot());
}

// RFC 9162 §2.1.5 draws the tree of seven leaves: PATH of d3 is [c, g, l], of d0 [b, h, l], with
// h = MTH(D[2:4]), g = MTH(D[0:2]), l = MTH(D[4:7]).
TEST_CASE("Shared proof: nodes of the tree of RFC 9162 stand from left to right") {
  const Tree tree(7);
  const auto nodes = SharedProof({0, 3}, {}, 7, tree.Reader());
  REQUIRE(nodes.ok());
  const Digest l = NodeHash(tree.Subtree(1, 2), tree.leaves[6]);
  CHECK(*nodes == std::vector<Digest>{tree.leaves[1], tree.leaves[2], l});
}

TEST_CASE("Shared proof: nodes in another order give another root") {
  const Tree tree(8);
  auto nodes = *SharedProof({1, 6}, {5}, 8, tree.Reader());
  const std::map<std::uint64_t, Digest> known = {{1, tree.leaves[1]}, {6, tree.leaves[6]}};
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
    std::swap(nodes[i], nodes[i + 1]);
    CAPTURE(i);
    CHECK(verifier::PartialTree::Build(8, known, {5}, nodes)->root() != tree.Root(8));
    std::swap(nodes[i], nodes[i + 1]);
  }
}

TEST_CASE("Shared proof: what is beyond the tree or out of order is refused") {
  const Tree tree(4);
  CHECK(absl::IsOutOfRange(SharedProof({4}, {}, 4, tree.Reader()).status()));
  CHECK(absl::IsOutOfRange(SharedProof({}, {5}, 4, tree.Reader()).status()));
  CHECK(absl::IsInvalidArgument(SharedProof({1, 1}, {}, 4, tree.Reader()).status()));
  CHECK(absl::IsInvalidArgument(SharedProof({2, 1}, {}, 4, tree.Reader()).status()));
  CHECK_FALSE(verifier::PartialTree::Build(4, {{4, Digest{}}}, {}, {}).ok());
}

}  // namespace
}  // namespace carnet::ledger
