// Whether the holders of roles can change and renew policies, and who is missing.
#include "policies/holders.h"

#include "policies/roles.h"
#include "testing.h"

namespace carnet::policies {
namespace {

const ApprovalRule kLaw{"law", {"dpo"}, 2, {"dpo", "legal"}};
const ApprovalRule kHouse{"house", {"compliance"}, 2, {"compliance", "legal"}};

std::vector<std::string> Short(const std::vector<ApprovalRule>& rules, const Holders& holders) {
  std::vector<std::string> names;
  for (const Shortage& shortage : ShortagesOf(rules, holders)) {
    names.push_back(shortage.rule.policy);
  }
  return names;
}

TEST_CASE("Holders: the author never counts among those who approve") {
  CHECK(Short({kLaw}, {{"dpo", {"ann"}}, {"legal", {"bea"}}}) == std::vector<std::string>{"law"});
  CHECK(Short({kLaw}, {{"dpo", {"ann"}}, {"legal", {"bea", "cleo"}}}).empty());
  // An author who is no approver leaves them all.
  const ApprovalRule apart{"apart", {"member"}, 2, {"dpo", "legal"}};
  CHECK(Short({apart}, {{"dpo", {"ann"}}, {"legal", {"bea"}}, {"member", {"mia"}}}).empty());
  CHECK(Short({apart}, {{"dpo", {"ann"}}, {"legal", {"bea"}}, {"member", {"ann"}}}) ==
        std::vector<std::string>{"apart"});
}

TEST_CASE("Holders: a person of two roles counts once") {
  CHECK(Short({kLaw}, {{"dpo", {"ann", "bea"}}, {"legal", {"ann", "bea"}}}) ==
        std::vector<std::string>{"law"});
  CHECK(Short({kLaw}, {{"dpo", {"ann", "bea"}}, {"legal", {"cleo", "bea"}}}).empty());
}

TEST_CASE("Holders: what nobody may write, or roles that nobody holds, are said") {
  const Holders holders = {{"legal", {"ann", "bea", "cleo"}}};
  const std::vector<Shortage> shortages = ShortagesOf({kLaw}, holders);
  REQUIRE(shortages.size() == 1);
  CHECK_FALSE(shortages[0].has_author);
  CHECK(shortages[0].unheld == std::vector<std::string>{"dpo"});
  CHECK(ShortageText(shortages[0]) ==
        "law needs 2 of dpo, legal besides its author (dpo): nobody may be the author; nobody "
        "holds dpo");
  CHECK(CheckHolders({kLaw}, holders).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ShortageText(ShortagesOf({kLaw}, {{"dpo", {"ann"}}, {"legal", {"bea"}}})[0]) ==
        "law needs 2 of dpo, legal besides its author (dpo): there is 1");
}

TEST_CASE("Holders: a renewal has one author, who leaves enough for every policy") {
  // Each can be changed, by ann the one and by bea the other; nobody can be the author of both.
  const ApprovalRule first{"first", {"a"}, 1, {"b"}};
  const ApprovalRule second{"second", {"b"}, 1, {"a"}};
  const Holders holders = {{"a", {"ann"}}, {"b", {"bea"}}};
  CHECK(Short({first}, holders).empty());
  CHECK(Short({second}, holders).empty());
  CHECK(Short({first, second}, holders).size() == 1);
  CHECK(Short({first, second}, {{"a", {"ann", "cleo"}}, {"b", {"bea"}}}).empty());
}

TEST_CASE("Holders: the persons who are missing are enough, and none is an admin for it") {
  const std::vector<ApprovalRule> rules = {
      kLaw, kHouse, {"odd", {"admin", "x"}, 3, {"admin", "x"}}};
  for (const Holders& some :
       {Holders{}, Holders{{"dpo", {"ann"}}}, Holders{{"legal", {"ann", "bea"}}}}) {
    Holders holders = some;
    const std::vector<std::set<std::string>> missing = PersonsMissing(rules, holders);
    CHECK_FALSE(missing.empty());
    CHECK_FALSE(ShortagesOf(rules, holders).empty());
    int number = 0;
    for (const std::set<std::string>& roles : missing) {
      CHECK(roles.count("admin") == 0);
      for (const std::string& role : roles) {
        holders[role].insert(absl::StrCat("new-", number));
      }
      ++number;
    }
    CHECK(ShortagesOf(rules, holders).empty());
    CHECK(PersonsMissing(rules, holders).empty());
  }
}

TEST_CASE("Holders: one person with every role lacks as many as the policies ask for") {
  const Holders holders = {{"dpo", {"op"}}, {"legal", {"op"}}, {"compliance", {"op"}}};
  CHECK(PersonsMissing({kLaw, kHouse}, holders).size() == 2);
}

TEST_CASE("Holders: every role that a bundle asks for is found") {
  const auto bundle = Load(
      {absl::StrCat("policy: rail\nkind: guardrail\ntitle: Rail\n"
                    "approvals: {propose: [compliance], need: 1, from: [works-council]}\n"
                    "effective: {from: 2026-01-01}\n"
                    "rules:\n"
                    "  - id: sign\n"
                    "    effect: require\n"
                    "    when: {op: {is: place}}\n"
                    "    require:\n"
                    "      - {id: yes, phase: approval, from: [medical-board], need: 1}\n"
                    "      - {id: after, phase: post, duty: file it, of: registrar, within: 60d}\n"
                    "  - {id: never, effect: deny, when: {to.jurisdiction: {is: KP}}}\n"
                    "exceptions:\n"
                    "  - id: pilot\n"
                    "    lifts: never\n"
                    "    only_when: {job.purpose: {is: pilot}}\n"
                    "    ticket: T-1\n"
                    "    valid: {from: 2026-11-21, to: 2026-12-21}\n"
                    "    approvals: {need: 1, from: [board]}\n"),
       House()});
  CHECK(RolesAskedFor(*bundle) == std::set<std::string>{"board", "compliance", "medical-board",
                                                        "registrar", "works-council"});
}

TEST_CASE("Holders: who writes what, when everything changes, tightens, or stays as it is") {
  const std::vector<ApprovalRule> rules = {kHouse, kLaw};
  const auto first = [&](const std::set<std::string>& roles, Authorship authorship) {
    const ApprovalRule* const rule = FirstNotAuthors(rules, roles, authorship);
    return rule == nullptr ? std::string() : rule->policy;
  };
  CHECK(first({"compliance", "dpo"}, Authorship::kChanges).empty());
  CHECK(first({"compliance"}, Authorship::kChanges) == "law");
  CHECK(first({"legal"}, Authorship::kChanges) == "house");
  CHECK(first({"legal"}, Authorship::kTightens).empty());
  CHECK(first({"compliance"}, Authorship::kRenews).empty());
  CHECK(first({"dpo"}, Authorship::kRenews).empty());
  CHECK(first({"legal"}, Authorship::kRenews) == "house");
  CHECK(first({}, Authorship::kRenews) == "house");
}

TEST_CASE("Roles: an admin beside a role of policy is a mixture") {
  CHECK(MixesAdminWithPolicy(std::set<std::string>{"admin", "dpo"}));
  CHECK_FALSE(MixesAdminWithPolicy(std::set<std::string>{"admin", "operator", "member"}));
  CHECK_FALSE(MixesAdminWithPolicy(std::set<std::string>{"dpo", "member", "auditor"}));
}

}  // namespace
}  // namespace carnet::policies
