#include "policies/packs.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"
#include "policies/test_runner.h"

namespace carnet::policies {
namespace {

TEST_CASE("Packs: every case of the worked bundle holds as written") {
  const auto bundle = StarterBundle("DE");
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK(report->outcomes.size() >= 37);
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.place << " " << outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

TEST_CASE("Packs: the starter bundle takes the home it is given") {
  const auto bundle = StarterBundle("FR");
  REQUIRE(bundle.ok());
  CHECK((*bundle)->home() == "FR");
  CHECK_FALSE(StarterBundle("UK").ok());
}

TEST_CASE("Packs: the starter bundle survives the way through the ledger byte for byte") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const auto again = BundleFromJson((*bundle)->CanonicalJson());
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  CHECK((*again)->CanonicalJson() == (*bundle)->CanonicalJson());
  CHECK((*again)->sha256() == (*bundle)->sha256());
  const auto before = RunTests(**bundle);
  const auto after = RunTests(**again);
  REQUIRE(before.ok());
  REQUIRE(after.ok());
  REQUIRE(before->outcomes.size() == after->outcomes.size());
  for (std::size_t i = 0; i < before->outcomes.size(); ++i) {
    CHECK(before->outcomes[i].decision.SerializeAsString() ==
          after->outcomes[i].decision.SerializeAsString());
  }
}

TEST_CASE("Packs: the policies of the digits example hold all their cases") {
  const auto bundle = LoadBundle(std::string(CARNET_SOURCE_DIR "/examples/digits/policies"));
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK(report->outcomes.size() >= 40);
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.place << " " << outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

}  // namespace
}  // namespace carnet::policies
