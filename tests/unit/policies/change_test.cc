// What a change reaches, who must approve it, and what counts as tightening only.
#include "policies/change.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "testing.h"

namespace carnet::policies {
namespace {

const char kGroups[] =
    "home: DE\n"
    "groups:\n"
    "  bad: {title: Bad, members: [KP, IR]}\n"
    "  good: {title: Good, members: [FR, NL]}\n"
    "  both: {title: Used either way, members: [SG, AE]}\n"
    "  covered: {title: Whom a regime covers, members: [BR]}\n"
    "  worse: {title: Worse, expression: bad - good}\n";

const char kRules[] =
    "rules:\n"
    "  - {id: no-bad, effect: deny, when: {to.jurisdiction: {in: group:bad}}}\n"
    "  - {id: no-worse, effect: deny, when: {to.jurisdiction: {in: group:worse}}}\n"
    "  - {id: no-both, effect: deny, when: {to.jurisdiction: {in: group:both}}}\n"
    "  - id: many\n"
    "    effect: require\n"
    "    when: {op: {is: aggregate}}\n"
    "    require:\n"
    "      - {id: k, check: {secagg.k: {at_least: 8}}, fix: More workers.}\n";

std::string Law(const std::string& rules) {
  return Regime("law", "{subjects_in: group:covered}",
                "applies_when: {data.subjects_in: {any_in: group:covered}}\nrules:\n" + rules);
}

const char kAllows[] =
    "  - {id: inside, effect: allow, when: {to.jurisdiction: {in: group:good}}}\n"
    "  - {id: outside, effect: allow, when: {to.jurisdiction: {in: group:both}}}\n"
    "  - {id: papers, effect: allow, when: {evidence: {has: bcr}}, require: [{id: tia, check: "
    "{evidence: {has: tia}}, fix: Attach it.}]}\n";

struct Change {
  std::string what;
  std::string groups = kGroups;
  std::string rules = kRules;
  std::string allows = kAllows;
  std::vector<std::string> more = {};
};

std::string With(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::shared_ptr<const Bundle> Make(const Change& change) {
  std::vector<std::string> texts = {change.groups, Guardrail("rail", change.rules),
                                    Law(change.allows), House()};
  texts.insert(texts.end(), change.more.begin(), change.more.end());
  return Load(texts);
}

TEST_CASE("Tighten-only: what is decided as tightening") {
  const Change base{"base"};
  const std::vector<Change> allowed = {
      {"a deny more", kGroups, absl::StrCat(kRules, "  - {id: z, effect: deny}\n")},
      {"a require more", kGroups,
       absl::StrCat(
           kRules,
           "  - {id: z, effect: require, require: [{id: i, check: {secagg.k: {at_least: 2}}, fix: "
           "More.}]}\n")},
      {"a guardrail more",
       kGroups,
       kRules,
       kAllows,
       {Guardrail("extra", "rules:\n  - {id: z, effect: deny}\n")}},
      {"an allow less", kGroups, kRules,
       With(kAllows,
            "  - {id: outside, effect: allow, when: "
            "{to.jurisdiction: {in: group:both}}}\n",
            "")},
      {"a higher bound", kGroups, With(kRules, "at_least: 8", "at_least: 9")},
      {"an item more", kGroups, kRules,
       With(kAllows, "fix: Attach it.}]",
            "fix: Attach it.}, {id: t2, check: {secagg.k: {at_least: "
            "2}}, fix: More.}]")},
      {"other words", kGroups,
       With(kRules, "{in: group:bad}}}", "{in: group:bad}}, because: They are bad.}")},
      {"other words of a policy", kGroups,
       absl::StrCat("note: As counsel asked.\nsources: [Our own manual]\n", kRules)},
      {"other words of an item", kGroups,
       With(kRules, "fix: More workers.}", "fix: Add two., note: As counsel asked.}")},
      {"a larger group that only denies", With(kGroups, "[KP, IR]", "[KP, IR, SY]")},
      {"a smaller group that allows, and is taken away from one that denies",
       With(kGroups, "[FR, NL]", "[FR]")},
      {"a group that nobody uses", absl::StrCat(kGroups, "  new: {title: New, members: [US]}\n")},
  };
  for (const Change& change : allowed) {
    INFO(change.what);
    const absl::Status status = CheckTightensOnly(*Make(base), *Make(change));
    INFO(status.ToString());
    CHECK(status.ok());
  }
}

TEST_CASE("Tighten-only: what is not") {
  const Change base{"base"};
  const std::vector<Change> forbidden = {
      {"an allow more", kGroups, kRules,
       absl::StrCat(kAllows, "  - {id: z, effect: allow, when: {op: {is: train}}}\n")},
      {"a deny less", kGroups,
       With(kRules, "  - {id: no-bad, effect: deny, when: {to.jurisdiction: {in: group:bad}}}\n",
            "")},
      {"a lower bound", kGroups, With(kRules, "at_least: 8", "at_least: 7")},
      {"another operator", kGroups, With(kRules, "at_least: 8", "at_most: 8")},
      {"an item less", kGroups, kRules,
       With(kAllows, ", require: [{id: tia, check: {evidence: {has: tia}}, fix: Attach it.}]", "")},
      {"an item changed", kGroups, kRules, With(kAllows, "has: tia", "has: bcr")},
      {"a narrower deny", kGroups,
       With(kRules, "{in: group:bad}}}", "{in: group:bad}, op: {is: train}}}")},
      {"a weaker mode", kGroups, With(kRules, "{id: no-bad,", "{id: no-bad, mode: warn,")},
      {"an unless", kGroups,
       With(kRules, "{in: group:bad}}}", "{in: group:bad}}, unless: {op: {is: train}}}")},
      {"another effect", kGroups, kRules, With(kAllows, "in: group:good", "not_in: group:good")},
      {"a smaller group that denies", With(kGroups, "[KP, IR]", "[KP]")},
      {"a larger group that allows", With(kGroups, "[FR, NL]", "[FR, NL, GB]")},
      {"a group used either way", With(kGroups, "[SG, AE]", "[SG, AE, US]")},
      {"the other way", With(kGroups, "[SG, AE]", "[SG]")},
      {"whom a regime covers", With(kGroups, "members: [BR]", "members: [BR, CL]")},
      {"home", With(kGroups, "home: DE", "home: FR")},
      {"a new regime",
       kGroups,
       kRules,
       kAllows,
       {Regime("other", "{subjects_in: [US]}",
               "rules:\n  - {id: z, effect: allow, when: {op: {is: "
               "train}}}\n")}},
  };
  for (const Change& change : forbidden) {
    INFO(change.what);
    CHECK(CheckTightensOnly(*Make(base), *Make(change)).code() ==
          absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("Tighten-only: a policy less is not") {
  CHECK_FALSE(CheckTightensOnly(*Make({"base"}), *Load({kGroups, Law(kAllows), House()})).ok());
}

TEST_CASE("Tighten-only: a bundle that ends later is none, one that ends earlier is") {
  const auto plain = Make({"base"});
  BundleHead head;
  head.revision = 1;
  head.valid_from = Noon();
  head.valid_to = Noon() + absl::Hours(48);
  const auto before = *IssueBundle(*plain, head);
  head.valid_to = Noon() + absl::Hours(24);
  CHECK(CheckTightensOnly(*before, **IssueBundle(*plain, head)).ok());
  head.valid_to = Noon() + absl::Hours(72);
  CHECK_THAT(std::string(CheckTightensOnly(*before, **IssueBundle(*plain, head)).message()),
             Catch::Contains("it ends later"));
  // Where its rules are the reason too, they are the one that is said.
  const auto allows =
      Make({"an allow", kGroups, kRules,
            absl::StrCat(kAllows, "  - {id: z, effect: allow, when: {op: {is: train}}}\n")});
  CHECK_THAT(std::string(CheckTightensOnly(*before, **IssueBundle(*allows, head)).message()),
             Catch::Contains("law/z"));
}

std::vector<std::string> Needed(const Change& change) {
  std::vector<std::string> names;
  for (const ApprovalRule& rule : NeededApprovals(*Make({"base"}), *Make(change))) {
    names.push_back(rule.policy);
  }
  return names;
}

TEST_CASE("Approvals needed: those of every policy that a change reaches") {
  CHECK(Needed({"a rule", kGroups, With(kRules, "at_least: 8", "at_least: 7")}) == Texts{"rail"});
  CHECK(Needed({"a group", With(kGroups, "[KP, IR]", "[KP]")}) == Texts{"rail"});
  CHECK(Needed({"a group of two", With(kGroups, "[SG, AE]", "[SG]")}) == Texts{"law", "rail"});
  CHECK(Needed({"a group by an expression", With(kGroups, "[FR, NL]", "[FR]")}) ==
        Texts{"law", "rail"});
  CHECK(Needed({"home", With(kGroups, "home: DE", "home: FR")}) == Texts{"house", "law", "rail"});
  CHECK(Needed({"nothing: a renewal"}) == Texts{"house", "law", "rail"});
  CHECK(Needed({"a new policy",
                kGroups,
                kRules,
                kAllows,
                {Guardrail("extra", "rules:\n  - {id: z, effect: deny}\n")}}) ==
        Texts{"house", "extra"});
}

TEST_CASE("Approvals needed: under the rules of the bundle before, not those that it brings") {
  const auto before = Make({"base"});
  std::string house = House();
  house = With(house, "need: 1, from: [compliance]", "need: 1, from: [anybody]");
  const auto after = Load({kGroups, Guardrail("rail", kRules), Law(kAllows), house});
  const std::vector<ApprovalRule> rules = NeededApprovals(*before, *after);
  REQUIRE(rules.size() == 1);
  CHECK(rules.front().policy == "house");
  CHECK(rules.front().from == Texts{"compliance"});
}

TEST_CASE("Tighten: what asks for persons or a duty stays as it is, beside other changes") {
  const auto rules = [](const std::string& need, const std::string& more) {
    return absl::StrCat(kRules, "      - {id: chief, phase: approval, from: [dpo], need: ", need,
                        "}\n      - {id: file, phase: post, duty: File it., of: dpo, within: 3d}\n",
                        more);
  };
  const auto before = Make({"base", kGroups, rules("2", "")});
  const std::string stop = "  - {id: stop, effect: deny, when: {to.jurisdiction: {is: SG}}}\n";
  CHECK(CheckTightensOnly(*before, *Make({"stop", kGroups, rules("2", stop)})).ok());
  CHECK_FALSE(CheckTightensOnly(*before, *Make({"fewer", kGroups, rules("1", stop)})).ok());
}

}  // namespace
}  // namespace carnet::policies
