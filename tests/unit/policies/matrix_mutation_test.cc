// All changes of the packs that mutants.h knows; minutes.
#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"
#include "mutants.h"
#include "policies/packs.h"

namespace carnet::policies {
namespace {

TEST_CASE("Mutation: no change of any pack goes unnoticed by its tests") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const nlohmann::json json = nlohmann::json::parse((*bundle)->CanonicalJson());
  CHECK(absl::StrJoin(testing::Survivors(json, testing::MutantsOf(json)), "\n") == "");
}

}  // namespace
}  // namespace carnet::policies
