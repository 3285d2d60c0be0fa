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
  CHECK(swept[0].whole());
  CHECK(swept[0].allow_to_deny == 0);
  // Three operations carry a model. Only bcr without tia changes, where the place is neither DE nor
  // FR, or unknown: that it may be KP, where nothing goes, did not change.
  CHECK(swept[0].deny_to_allow == 6);
  REQUIRE(swept[0].opened.size() == 6);
  CHECK_THAT(swept[0].opened[0], Catch::StartsWith("send_model; evidence = [bcr]; "));
  const std::vector<SweptPolicy> back = SweepChange(*after, *before, kAt);
  REQUIRE(back.size() == 1);
  CHECK(back[0].deny_to_allow == 0);
  CHECK(back[0].allow_to_deny == 6);
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
  std::uint64_t told = 0;
  const std::vector<SweptPolicy> swept = SweepChange(
      **before, **after, kAt, [&told](const std::string&, std::uint64_t decided, std::uint64_t of) {
        ++told;
        CHECK(decided == 1000 * told);
        CHECK(of > 0);
      });
  REQUIRE(swept.size() == 1);
  CHECK(told == swept[0].decided / 1000);
  CHECK(swept[0].policy == "gdpr-chapter-v");
  CHECK(swept[0].deny_to_allow == 0);
  CHECK(swept[0].allow_to_deny > 0);
  CHECK(swept[0].decided <= kSweepClassesMax);
  CHECK_THAT(swept[0].closed[0], Catch::Contains("to.jurisdiction = BR"));
}

// ---- what did not change hides nothing ----

// The sweep of the only policy that changed.
SweptPolicy SweepOne(const std::string& before, const std::string& after) {
  const std::vector<SweptPolicy> swept =
      SweepChange(*Load({House(), before}), *Load({House(), after}), kAt);
  REQUIRE(swept.size() == 1);
  return swept[0];
}

std::string Rules(const std::string& rules) {
  return Guardrail("abroad", "rules:\n" + rules);
}

TEST_CASE("Sweep: papers that an unchanged rule asks for hide nothing") {
  const std::string scc =
      "  - {id: scc, effect: require, require: [{id: has, check: {evidence: {has: "
      "scc-2021-914}}}]}\n";
  const SweptPolicy swept = SweepOne(
      Rules(
          scc +
          "  - {id: tia, effect: require, require: [{id: has, check: {evidence: {has: tia}}}]}\n"),
      Rules(scc));
  CHECK(swept.deny_to_allow > 0);
  CHECK(swept.allow_to_deny == 0);
}

TEST_CASE("Sweep: an unchanged rule about the place that stands for a group hides nothing") {
  const std::string never = "  - {id: never, effect: deny, when: {to.jurisdiction: {is: AD}}}\n";
  const auto papers = [](const std::string& paper) {
    return "  - {id: papers, effect: require, when: {to.jurisdiction: {not_in: [DE, FR]}}, "
           "require: "
           "[{id: has, check: {evidence: {" +
           paper + "}}}]}\n";
  };
  const SweptPolicy swept =
      SweepOne(Rules(never + papers("has: tia")), Rules(never + papers("any_in: [tia, bcr]")));
  REQUIRE(swept.deny_to_allow > 0);
  CHECK_THAT(swept.opened[0], Catch::Contains("to.jurisdiction = AD"));
}

TEST_CASE("Sweep: a fact that only an unchanged rule reads hides nothing") {
  const std::string who =
      "  - {id: who, effect: require, require: [{id: is, check: {recipient.org: {is: "
      "falcon}}}]}\n";
  const SweptPolicy swept =
      SweepOne(Rules(who + "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n"),
               Rules(who));
  CHECK(swept.deny_to_allow > 0);
}

TEST_CASE("Sweep: an allow counts though others of its regime do not, and a deny though they do") {
  const std::string plain =
      "  - {id: always, effect: allow, when: {deal.kind: {is: investment}}}\n";
  const std::string closed = Regime("people", "everything", "rules:\n" + plain);
  const SweptPolicy allow = SweepOne(
      closed, Regime("people", "everything",
                     "rules:\n" + plain +
                         "  - {id: more, effect: allow, when: {secagg.k: {at_least: 8}}}\n"));
  CHECK(allow.deny_to_allow > 0);
  CHECK(allow.allow_to_deny == 0);
  const SweptPolicy deny = SweepOne(
      closed,
      Regime("people", "everything",
             "rules:\n" + plain + "  - {id: few, effect: deny, when: {secagg.k: {at_most: 7}}}\n"));
  CHECK(deny.deny_to_allow == 0);
  CHECK(deny.allow_to_deny > 0);
}

TEST_CASE("Sweep: the house itself is asked where no personal data is concerned") {
  const auto before = Load({House()});
  const auto after = Load({Regime("house", "no personal data",
                                  "rules:\n  - {id: yes-indeed, effect: allow, when: "
                                  "{to.jurisdiction: {not_in: [KP]}}}\n")});
  const std::vector<SweptPolicy> swept = SweepChange(*before, *after, kAt);
  REQUIRE(swept.size() == 1);
  CHECK(swept[0].allow_to_deny > 0);
  CHECK(swept[0].deny_to_allow == 0);
}

// ---- values ----

TEST_CASE("Sweep: of many words every pair is tried, and the report says that not every set was") {
  const std::string rule =
      "  - {id: both, effect: deny, when: {evidence: {has: tia}, any: [{evidence: {has: bcr}}]}, "
      "unless: {evidence: {any_in: [scc-2021-914, difc-scc, art49-derogation, "
      "sg-transfer-contract, asean-mcc]}}}\n";
  const std::string other = "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n";
  const SweptPolicy swept = SweepOne(Rules(rule + other), Rules(other));
  CHECK(swept.deny_to_allow > 0);
  CHECK(swept.cut == std::vector<std::string>{"evidence"});
  CHECK(!swept.whole());
}

TEST_CASE("Sweep: three places together are tried") {
  const std::string deny =
      "  - {id: three, effect: deny, when: {data.subjects_in: {has: KE}, any: [{any: "
      "[{data.subjects_in: {has: UG}}]}]}, unless: {data.subjects_in: {has: TZ}}}\n";
  const std::string without =
      "  - {id: three, effect: deny, when: {data.subjects_in: {has: KE}, any: [{any: "
      "[{data.subjects_in: {has: UG}}]}]}}\n";
  const SweptPolicy swept = SweepOne(Rules(without), Rules(deny));
  REQUIRE(swept.deny_to_allow > 0);
  CHECK_THAT(swept.opened[0], Catch::Contains("[KE, TZ, UG]"));
  CHECK(swept.whole());
}

TEST_CASE("Sweep: between two bounds that are neighbours lies a number") {
  const auto rule = [](const std::string& bound) {
    return Rules("  - {id: owners, effect: deny, when: {recipient.listed_owner_pct: {" + bound +
                 "}}}\n");
  };
  const SweptPolicy swept = SweepOne(rule("more_than: 49"), rule("at_least: 50"));
  REQUIRE(swept.deny_to_allow > 0);
  CHECK_THAT(swept.opened[0], Catch::Contains("recipient.listed_owner_pct = 49.5"));
}

TEST_CASE("Sweep: the model that a key opens is tried") {
  const std::string other = "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n";
  const SweptPolicy swept = SweepOne(
      Rules(
          "  - {id: keys, effect: deny, when: {op: {is: use_key}, artifact.kind: {is: model}}}\n" +
          other),
      Rules(other));
  CHECK(swept.deny_to_allow == 1);
}

// ---- time and persons ----

TEST_CASE("Sweep: a rule that begins later is tried on its day") {
  const auto rule = [](const std::string& more) {
    return Rules("  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}" + more + "}\n");
  };
  const SweptPolicy swept = SweepOne(rule(""), rule(", status: {in_force_from: 2027-01-01}"));
  CHECK(swept.deny_to_allow > 0);
  CHECK(swept.allow_to_deny == 0);
  const SweptPolicy added =
      SweepOne(Rules("  - {id: else, effect: deny, when: {op: {is: train}}}\n"),
               Rules("  - {id: else, effect: deny, when: {op: {is: train}}}\n"
                     "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}, status: "
                     "{in_force_from: 2027-01-01}}\n"));
  REQUIRE(added.allow_to_deny > 0);
  CHECK_THAT(added.closed[0], Catch::Contains("; from 2027-01-01; "));
}

TEST_CASE("Sweep: an exception is tried while it is valid, and with the approvals it asks for") {
  const std::string deny = "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n";
  const auto with = [&](const std::string& more) {
    return Rules(deny +
                 "exceptions:\n  - {id: E-1, lifts: never, only_when: {job.id: {is: "
                 "triage-7}}, ticket: L-1, valid: {from: 2027-01-01, to: 2027-01-31}" +
                 more + "}\n");
  };
  const SweptPolicy later = SweepOne(Rules(deny), with(""));
  REQUIRE(later.deny_to_allow > 0);
  CHECK_THAT(later.opened[0], Catch::Contains("; from 2027-01-01; "));
  const SweptPolicy approved =
      SweepOne(Rules(deny), with(", approvals: {need: 2, from: [compliance]}"));
  CHECK(approved.deny_to_allow == later.deny_to_allow);
  CHECK_THAT(approved.opened[0], Catch::Contains("abroad/E-1 by person-1 as compliance"));
}

// ---- coverage ----

TEST_CASE("Sweep: for whose people a regime begins or ceases to speak is listed") {
  const std::string rules = "rules:\n  - {id: ok, effect: allow}\n";
  const SweptPolicy swept = SweepOne(Regime("people", "{subjects_in: [KE, UG]}", rules),
                                     Regime("people", "{subjects_in: [KE, TZ]}", rules));
  CHECK(swept.newly_covered == std::vector<std::string>{"TZ"});
  CHECK(swept.no_longer_covered == std::vector<std::string>{"UG"});
}

TEST_CASE(
    "Sweep: where fewer persons, or others, are asked for, what they alone let out is opened") {
  const auto asks = [](const std::string& who) {
    return Load(
        {House(), Guardrail("sign", absl::StrCat("rules:\n  - id: abroad\n    effect: require\n"
                                                 "    when: {op: {is: send_model}}\n    require:\n"
                                                 "      - {id: chief, phase: approval, ",
                                                 who, "}\n"))});
  };
  const auto two = asks("need: 2, from: [dpo]");
  const auto one = asks("need: 1, from: [dpo]");
  const auto other = asks("need: 1, from: [legal]");
  const std::vector<SweptPolicy> fewer = SweepChange(*two, *one, kAt);
  REQUIRE(fewer.size() == 1);
  CHECK(fewer[0].deny_to_allow > 0);
  CHECK(fewer[0].allow_to_deny == 0);
  REQUIRE_FALSE(fewer[0].opened.empty());
  CHECK_THAT(fewer[0].opened[0], Catch::Contains("approvals = "));
  const std::vector<SweptPolicy> more = SweepChange(*one, *two, kAt);
  REQUIRE(more.size() == 1);
  CHECK(more[0].deny_to_allow == 0);
  CHECK(more[0].allow_to_deny == fewer[0].deny_to_allow);
  const std::vector<SweptPolicy> others = SweepChange(*one, *other, kAt);
  REQUIRE(others.size() == 1);
  CHECK(others[0].deny_to_allow > 0);
  CHECK(others[0].allow_to_deny == others[0].deny_to_allow);
}

}  // namespace
}  // namespace carnet::policies
