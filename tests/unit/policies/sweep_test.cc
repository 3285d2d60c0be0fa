#include "policies/sweep.h"

#include "policies/change.h"
#include "policies/packs.h"
#include "testing.h"

namespace carnet::policies {
namespace {

const absl::Time kAt = absl::FromCivil(absl::CivilDay(2026, 11, 21), absl::UTCTimeZone());

// A guardrail over models that go abroad, with this requirement.
std::string Abroad(const std::string& check) {
  return Guardrail("abroad",
                   "applies_when: {artifact.kind: {is: model}}\n"
                   "rules:\n"
                   "  - id: papers\n"
                   "    effect: require\n"
                   "    when: {to.jurisdiction: {not_in: [DE, FR]}}\n"
                   "    require: [{id: tia, check: " +
                       check +
                       "}]\n"
                       "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n");
}

TEST_CASE("Sweep: nothing changed, nothing swept") {
  const auto bundle = Load({House(), Abroad("{evidence: {has: tia}}")});
  CHECK(SweepChange(*bundle, *bundle, kAt).empty());
}

TEST_CASE("Sweep: a weaker requirement opens the situations that only it refused") {
  const auto before = Load({House(), Abroad("{evidence: {has: tia}}")});
  const auto after = Load({House(), Abroad("{evidence: {any_in: [tia, bcr]}}")});
  CHECK(TouchedRules(*before, *after) ==
        std::map<std::string, std::set<std::string>>{{"abroad", {"papers"}}});
  const std::vector<SweptPolicy> swept = SweepChange(*before, *after, kAt);
  REQUIRE(swept.size() == 1);
  CHECK(swept[0].policy == "abroad");
  CHECK(swept[0].decided == swept[0].classes);
  CHECK(swept[0].allow_to_deny == 0);
  // Two operations carry a model. Only bcr without tia changes, where the place is neither DE nor
  // FR; an unknown place may be KP, where nothing goes.
  CHECK(swept[0].deny_to_allow == 2);
  REQUIRE(swept[0].opened.size() == 2);
  CHECK_THAT(swept[0].opened[0], Catch::StartsWith("send_model; evidence = [bcr]; "));
  const std::vector<SweptPolicy> back = SweepChange(*after, *before, kAt);
  REQUIRE(back.size() == 1);
  CHECK(back[0].deny_to_allow == 0);
  CHECK(back[0].allow_to_deny == 2);
}

TEST_CASE("Sweep: a bound is tried on both sides") {
  const auto before = Load({House(), Abroad("{secagg.k: {at_least: 8}}")});
  const auto after = Load({House(), Abroad("{secagg.k: {at_least: 12}}")});
  const std::vector<SweptPolicy> swept = SweepChange(*before, *after, kAt);
  REQUIRE(swept.size() == 1);
  CHECK(swept[0].deny_to_allow == 0);
  CHECK(swept[0].allow_to_deny > 0);
  CHECK_THAT(swept[0].closed[0], Catch::Contains("secagg.k = 8"));
}

TEST_CASE("Sweep: a new policy and a policy that is gone are swept whole") {
  const auto without = Load({House()});
  const auto with = Load({House(), Abroad("{evidence: {has: tia}}")});
  const std::vector<SweptPolicy> added = SweepChange(*without, *with, kAt);
  REQUIRE(added.size() == 1);
  CHECK(added[0].deny_to_allow == 0);
  CHECK(added[0].allow_to_deny > 0);
  const std::vector<SweptPolicy> removed = SweepChange(*with, *without, kAt);
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].deny_to_allow == added[0].allow_to_deny);
}

TEST_CASE("Sweep: a member of a group touches the rules that name it and no other") {
  std::vector<SourceFile> files;
  for (const char* name : {"house", "gdpr-chapter-v", "groups"}) {
    files.push_back(FindPack(name)->files.front());
  }
  const auto before = BundleFromFiles(files);
  REQUIRE(before.ok());
  const std::string members = "[AD, AR, BR, ";
  const std::size_t at = files[2].text.find(members);
  REQUIRE(at != std::string::npos);
  files[2].text.replace(at, members.size(), "[AD, AR, ");
  const auto after = BundleFromFiles(files);
  REQUIRE(after.ok());
  const std::vector<SweptPolicy> swept = SweepChange(**before, **after, kAt);
  REQUIRE(swept.size() == 1);
  CHECK(swept[0].policy == "gdpr-chapter-v");
  CHECK(swept[0].deny_to_allow == 0);
  CHECK(swept[0].allow_to_deny > 0);
  CHECK(swept[0].decided <= kSweepClassesMax);
  CHECK_THAT(swept[0].closed[0], Catch::Contains("to.jurisdiction = BR"));
}

}  // namespace
}  // namespace carnet::policies
