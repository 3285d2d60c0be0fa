// The tests of the packs are themselves tested: whatever single thing of a pack is changed, some
// case must fail. A share of the changes, others for every commit; matrix_mutation_test.cc makes
// them all.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "absl/strings/str_join.h"
#include "mutants.h"
#include "policies/packs.h"
#include "tests/testing/seeds.h"

namespace carnet::policies {
namespace {

TEST_CASE("Mutation: some case fails for a change of a pack, whichever it is") {
  constexpr std::size_t kShare = 25;
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const nlohmann::json json = nlohmann::json::parse((*bundle)->CanonicalJson());
  const std::vector<testing::Mutant> all = testing::MutantsOf(json);
  REQUIRE(all.size() > 1500);
  for (const std::uint64_t seed : carnet::testing::Seeds(1)) {
    CAPTURE(seed);
    std::vector<testing::Mutant> share;
    std::sample(all.begin(), all.end(), std::back_inserter(share), kShare, std::mt19937_64(seed));
    const testing::Unnoticed unnoticed = testing::UnnoticedOf(json, share);
    CHECK(absl::StrJoin(unnoticed.survivors, "\n") == "");
    CHECK(absl::StrJoin(unnoticed.refused, "\n") == "");
  }
}

}  // namespace
}  // namespace carnet::policies
