#include "policies/group_findings.h"

#include <catch2/catch.hpp>

#include "policies/packs.h"
#include "testing.h"

namespace carnet::policies {
namespace {

std::shared_ptr<const Bundle> WithGroups(const std::string& groups) {
  return Load({House(), "home: DE\ngroups:\n" + groups});
}

TEST_CASE("Groups: a list says where it comes from, of which day it is and until when it counts") {
  CHECK(UnsourcedGroups(*WithGroups("  eu: {members: [DE], source: a test, as_of: 2026-01-01, "
                                    "review_by: 2027-01-01}\n"))
            .empty());
  const auto bundle = WithGroups(
      "  a: {members: [DE]}\n"
      "  b: {members: [FR], source: [x, y], as_of: 2026-01-01}\n"
      "  c: {members: [], conditional: [{code: US, when: {op: {is: train}}}], as_of: 2026-01-01, "
      "review_by: 2027-01-01}\n"
      "  d: {expression: a + b}\n");
  CHECK(UnsourcedGroups(*bundle) == Texts{"group a has no source, no as_of, no review_by",
                                          "group b has no review_by", "group c has no source"});
  CHECK(UnsourcedGroups(*Load({House()})).empty());
  CHECK(CheckSourced(*Load({House()})).ok());
  const absl::Status refused = CheckSourced(*bundle);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(refused.message()),
             Catch::Contains("group b has no review_by; group c has no source"));
}

TEST_CASE("Groups: a list is overdue from the day after its review on") {
  const auto bundle = WithGroups(
      "  a: {members: [DE], review_by: 2026-11-20}\n"
      "  b: {members: [FR], review_by: 2026-11-21}\n"
      "  c: {members: [IT]}\n");
  CHECK(OverdueGroups(*bundle, Noon()) == Texts{"group a was to be reviewed by 2026-11-20"});
  CHECK(OverdueGroups(*bundle, At("2026-11-21T23:59:59Z")).size() == 1);
  CHECK(OverdueGroups(*bundle, At("2026-11-22T00:00:00Z")).size() == 2);
  CHECK(OverdueGroups(*Load({House()}), Noon()).empty());
}

TEST_CASE("Groups: every list of the starter packs is sourced, and none was overdue when made") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  CHECK(UnsourcedGroups(**bundle) == Texts{});
  CHECK(OverdueGroups(**bundle, Noon()) == Texts{});
}

}  // namespace
}  // namespace carnet::policies
