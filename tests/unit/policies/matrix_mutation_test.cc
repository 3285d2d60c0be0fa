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
  const std::vector<testing::Mutant> all = testing::MutantsOf(json);
  const testing::Unnoticed unnoticed = testing::UnnoticedOf(json, all);
  WARN(all.size() << " changes, " << unnoticed.refused.size() << " found by the loader alone");
  CHECK(absl::StrJoin(unnoticed.survivors, "\n") == "");
  CHECK(absl::StrJoin(unnoticed.refused, "\n") == "");
}

}  // namespace
}  // namespace carnet::policies
