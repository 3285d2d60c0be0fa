#include "policies/difference.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_replace.h"
#include "policies/packs.h"

namespace carnet::policies {
namespace {

const absl::Time kAt = absl::FromCivil(absl::CivilDay(2026, 11, 21), absl::UTCTimeZone());

// house, gdpr-chapter-v and the groups, after `changes` to their texts.
std::shared_ptr<const Bundle> Changed(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<SourceFile> files;
  for (const char* name : {"house", "gdpr-chapter-v", "groups"}) {
    SourceFile file = FindPack(name)->files.front();
    for (const auto& change : changes) {
      file.text = absl::StrReplaceAll(file.text, {{change.first, change.second}});
    }
    files.push_back(std::move(file));
  }
  const auto bundle = BundleFromFiles(files);
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  return *bundle;
}

TEST_CASE("Difference: none between a bundle and itself") {
  const auto bundle = Changed({});
  const Difference difference = DifferenceOf(*bundle, *bundle, kAt);
  CHECK(difference.rules.empty());
  CHECK(difference.gains.empty());
  CHECK(difference.losses.empty());
}

TEST_CASE("Difference: a country that becomes adequate gains flows, in words") {
  const auto before = Changed({{"[AD, AR, BR, ", "[AD, AR, "}});
  const Difference difference = DifferenceOf(*before, *Changed({}), kAt);
  CHECK(difference.rules == std::vector<std::string>{"Group eu-adequate gains Brazil (BR)."});
  CHECK(difference.losses.empty());
  REQUIRE(difference.gains.size() == 1);
  CHECK_THAT(difference.gains.front(),
             Catch::StartsWith("Brazil (BR) gains: ") && Catch::Contains("send delta") &&
                 Catch::Contains("of personal data about people in Austria (AT), ") &&
                 Catch::EndsWith(" and 27 more places, without papers."));
  const Difference back = DifferenceOf(*Changed({}), *before, kAt);
  CHECK(back.gains.empty());
  REQUIRE(back.losses.size() == 1);
  CHECK_THAT(back.losses.front(), Catch::StartsWith("Brazil (BR) loses: "));
}

TEST_CASE("Difference: what papers allow is told as such, and rules are named") {
  const auto after = Changed({{"evidence: {any_in: [scc-2021-914, bcr]}", "evidence: {has: bcr}"},
                              {"  - id: adequate-organisation", "  - id: epo"},
                              {"evidence: {has: tia}", "evidence: {has: art49-derogation}"}});
  const Difference difference = DifferenceOf(*Changed({}), *after, kAt);
  CHECK(difference.rules ==
        std::vector<std::string>{"Rule gdpr-chapter-v/epo is new (allow).",
                                 "Rule gdpr-chapter-v/safeguards changes: require, when.",
                                 "Rule gdpr-chapter-v/adequate-organisation is gone."});
  CHECK(difference.gains.empty());
  REQUIRE_FALSE(difference.losses.empty());
  CHECK_THAT(difference.losses.front(), Catch::Contains(", with all papers."));
}

TEST_CASE("Difference: a policy and a home that come and go are told") {
  const auto house =
      BundleFromFiles({FindPack("house")->files.front(), FindPack("groups")->files.front()});
  REQUIRE(house.ok());
  const Difference difference = DifferenceOf(**house, *Changed({{"home: DE", "home: FR"}}), kAt);
  REQUIRE(difference.rules.size() >= 2);
  CHECK(difference.rules[0] == "Home changes from DE to FR.");
  CHECK_THAT(difference.rules[1], Catch::StartsWith("Regime gdpr-chapter-v is new: "));
  CHECK_FALSE(difference.gains.empty());
}

}  // namespace
}  // namespace carnet::policies
