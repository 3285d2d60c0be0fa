// Every mistake that an author can make, with its position.
#include "policies/loader.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "policies/test_runner.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kGroups[] =
    "home: DE\n"
    "aliases: {ear: {HK: CN}}\n"
    "groups:\n"
    "  eea: {members: [DE, FR]}\n"
    "  hk-mo: {members: [HK, MO]}\n";

// The error of a bundle of kGroups (f0.yaml), House (f1.yaml) and `text` (f2.yaml).
std::string ErrorOf(const std::string& text) {
  const auto bundle = TryLoad({kGroups, House(), text});
  return bundle.ok() ? "loaded" : std::string(bundle.status().message());
}

struct Mistake {
  const char* text;      // of f2.yaml
  const char* position;  // line:column
  const char* what;
  const char* hint;
};

// The first eight lines of every policy below.
constexpr char kStart[] =
    "policy: p\n"
    "kind: guardrail\n"
    "title: T\n"
    "approvals: {propose: [a], need: 1, from: [a]}\n"
    "effective: {from: 2026-01-01}\n"
    "rules:\n"
    "  - id: r\n"
    "    effect: deny\n";

void CheckMistakes(const char* start, const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    const std::string text = absl::StrCat(start, mistake.text);
    CAPTURE(text);
    const std::string error = ErrorOf(text);
    CHECK_THAT(error, Catch::StartsWith(absl::StrCat("f2.yaml:", mistake.position, ": ")));
    CHECK_THAT(error, Catch::Contains(mistake.what));
    CHECK_THAT(error, Catch::Contains(mistake.hint));
  }
}

TEST_CASE("Loader: the policy that the mistakes are made in is sound") {
  CHECK(ErrorOf(kStart) == "loaded");
}

TEST_CASE("Loader: mistakes in conditions are named with their place and a hint") {
  CheckMistakes(
      kStart,
      {{"    when: {to.juridiction: {is: DE}}\n", "9:12", "no fact is called 'to.juridiction'",
        "did you mean 'to.jurisdiction'?"},
       {"    when: {to.jurisdiction: {is: UK}}\n", "9:34", "'UK' is not a country's code",
        "did you mean GB?"},
       {"    when: {to.jurisdiction: {in: [DE, EU]}}\n", "9:39", "'EU' is not a country's code",
        "group:eea"},
       {"    when: {to.jurisdiction: {in: group:eeaa}}\n", "9:34", "no group is called 'eeaa'",
        "did you mean 'eea'?"},
       {"    when: {to.jurisdiction: {is: group:eea}}\n", "9:34", "not a group", "use in"},
       {"    when: {to.jurisdiction: {in: DE}}\n", "9:34", "not a list of places", "[DE, FR]"},
       {"    when: {to.jurisdiction: {in: []}}\n", "9:34", "not a list of places", "[DE, FR]"},
       {"    when: {to.jurisdiction: {within: [DE]}}\n", "9:30", "'within' is no operator",
        "is, is_not, in, not_in"},
       {"    when: {to.jurisdiction: {at_least: DE}}\n", "9:30", "'at_least' is no operator",
        "is, is_not, in, not_in"},
       {"    when: {to.jurisdiction: DE}\n", "9:29", "is not said", "{is: …}"},
       {"    when: {to.jurisdiction: {}}\n", "9:29", "is not said", "{is: …}"},
       {"    when: {op: {is: sendmodel}}\n", "9:21", "'sendmodel' is no value of op",
        "did you mean 'send_model'?"},
       {"    when: {op: {in: [train, fly]}}\n", "9:29", "'fly' is no value of op", "one of place"},
       {"    when: {op: {in: train}}\n", "9:21", "not a list of values", "[model, delta]"},
       {"    when: {data.personal: {is: true}}\n", "9:32", "'true' is no value of data.personal",
        "yes, no"},
       {"    when: {data.personal: {is: unknown}}\n", "9:32",
        "a rule cannot compare data.personal with unknown", "never helps"},
       {"    when: {job.id: {is: not_applicable}}\n", "9:25", "cannot compare job.id",
        "never helps"},
       {"    when: {evidence: {has: sccs}}\n", "9:28", "'sccs' is no value of evidence", "one of"},
       {"    when: {evidence: {has: [tia]}}\n", "9:28", "is a list", "one word"},
       {"    when: {secagg.k: {at_least: many}}\n", "9:33", "is no number", "such as 8 or 0.5"},
       {"    when: {secagg.k: {at_least: 08}}\n", "9:33", "is no number", "such as 8 or 0.5"},
       {"    when: {secagg.k: {at_least: 1e3}}\n", "9:33", "is no number", "such as 8 or 0.5"},
       {"    when: {secagg.k: {at_least: -1}}\n", "9:33", "is no number", "0 or more"},
       {"    when: {people.US.shoes: {more_than: 1}}\n", "9:12", "no fact is called",
        "people.<country>.<category>"},
       {"    when: {people.UK.health: {more_than: 1}}\n", "9:12", "no fact is called",
        "people.<country>.<category>"},
       {"    when: {worker.chip_eccn: {in: [3A090.c]}}\n", "9:36", "'3A090.c' is no value",
        "did you mean '3A090"},
       {"    when: {at: {before: 2026-02-30}}\n", "9:25", "not a day", "2026-11-21"},
       {"    when: {at: {is: 2026-02-20}}\n", "9:17", "'is' is no operator of at", "before, after"},
       {"    when: {recipient.owners: {owned_by: {group: eea}}}\n", "9:41", "needs one bound",
        "at_least: 50"},
       {"    when: {recipient.owners: {owned_by: {group: eea, at_least: 101}}}\n", "9:64",
        "more than 100 percent", "0 to 100"},
       {"    when: {recipient.owners: {owned_by: {group: nowhere, at_least: 1}}}\n", "9:49",
        "no group is called 'nowhere'", "define it"},
       {"    when: {terms: [later]}\n", "9:20", "no term is called 'later'", "terms"},
       {"    when: {terms: []}\n", "9:19", "'terms' is not a list", "[ai-chip]"},
       {"    when: {any: []}\n", "9:17", "'any' is not a list", "at least one"},
       {"    when: {any: [{}]}\n", "9:18", "always true", "remove it"},
       {"    when: [op]\n", "9:11", "a condition is a list", "facts with operators"},
       {"    unless: {}\n", "9:13", "an empty 'unless' is always true", "say when"}});
}

TEST_CASE("Loader: mistakes in rules are named with their place and a hint") {
  CheckMistakes(
      kStart,
      {{"    becuase: x\n", "9:5", "unknown key 'becuase' in a rule", "did you mean 'because'?"},
       {"    require: [{id: i, check: {op: {is: train}}}]\n", "9:5",
        "unknown key 'require' in a rule", "expected one of"},
       {"    removes: [personal]\n", "9:5", "unknown key 'removes'", "expected one of"},
       {"    floor: maybe\n", "9:12", "'floor' is 'maybe'", "no, yes"},
       {"    mode: enforced\n", "9:11", "'mode' is 'enforced'", "did you mean 'enforce'?"},
       {"    status: stayed\n", "9:13", "'status' is 'stayed'", "in_force"},
       {"    status: {in_force_from: tomorrow}\n", "9:29", "not a day", "2026-11-21"},
       {"    status: {note: what}\n", "9:13", "the status is not said", "stayed_until"},
       {"    status: {not_enforced: yes, proposed: yes}\n", "9:13", "or twice", "one of"},
       {"    cites: {a: b}\n", "9:12", "'cites' is a map", "a list"},
       {"  - id: r\n    effect: deny\n", "9:5", "two rules are called r", "rename one"},
       {"  - id: a.b\n    effect: deny\n", "9:9", "'id' is 'a.b'", "letters, digits"},
       {"  - effect: deny\n", "9:5", "a rule has no 'id'", "add 'id:'"},
       {"  - id: s\n", "9:5", "a rule says no effect", "effect: allow"},
       {"  - id: s\n    effect: permit\n", "10:13", "'permit' is no effect", "allow, deny"},
       {"    unconfirmed: {a: b}\n", "9:18", "'unconfirmed' is a map", "a list"},
       {"  - id: no-allow\n    effect: deny\n", "9:9", "a reason of the engine", "another name"},
       {"  - id: s\n    effect: allow\n", "10:13", "a guardrail never grants", "regime"},
       {"  - id: s\n    effect: require\n", "9:5", "a rule has no 'require'", "add 'require:'"},
       {"  - id: s\n    effect: require\n    require: []\n", "11:14", "requires nothing", "item"},
       {"  - id: s\n    effect: require\n    require: [{id: i, check: {}}]\n", "11:30",
        "asks nothing", "which fact"},
       {"  - id: s\n    effect: require\n    require: [{id: i}]\n", "11:15", "has no 'check'",
        "add 'check:'"},
       {"  - id: s\n    effect: require\n    require: [{id: i, check: {op: {is: train}}, phase: "
        "runtime}]\n",
        "11:30", "reads what no plan decides", "secagg.k"},
       {"  - id: s\n    effect: require\n    require: [{id: i, check: {op: {is: train}}}, {id: i, "
        "check: {op: {is: train}}}]\n",
        "11:50", "two requirements are called i", "rename one"},
       {"exceptions: [{id: E, lifts: q, only_when: {op: {is: train}}, ticket: T, valid: {from: "
        "2026-01-01, to: 2026-01-02}}]\n",
        "9:29", "no rule is called 'q'", "name a rule"},
       {"exceptions: [{id: E, lifts: r, only_when: {}, ticket: T, valid: {from: 2026-01-01, to: "
        "2026-01-02}}]\n",
        "9:43", "holds always", "which flows"},
       {"exceptions: [{id: E, lifts: r, only_when: {op: {is: train}}, valid: {from: 2026-01-01, "
        "to: 2026-01-02}}]\n",
        "9:14", "has no 'ticket'", "add 'ticket:'"},
       {"exceptions: [{id: E, lifts: r, only_when: {op: {is: train}}, ticket: T, valid: {from: "
        "2026-01-01, to: 2026-06-30}}]\n",
        "9:80", "too long", "180 days"}});
}

TEST_CASE("Loader: an exception lifts no floor and only what a rule really asks") {
  const std::string exception =
      "exceptions: [{id: E, lifts: %, only_when: {op: {is: train}}, ticket: T, valid: {from: "
      "2026-01-01, to: 2026-01-02}}]\n";
  const auto with = [&](const std::string& rules, const std::string& lifts) {
    std::string text = exception;
    text.replace(text.find('%'), 1, lifts);
    return ErrorOf(Guardrail("p", rules + text));
  };
  const std::string floor = "rules:\n  - {id: r, effect: deny, floor: yes}\n";
  const std::string require =
      "rules:\n  - {id: r, effect: require, require: [{id: i, check: {op: {is: train}}}]}\n";
  CHECK_THAT(with(floor, "r"), Catch::Contains("it is a floor"));
  CHECK_THAT(with(require, "r"), Catch::Contains("rule.item"));
  CHECK_THAT(with(require, "r.j"), Catch::Contains("no deny and no requirement"));
  CHECK(with(require, "r.i") == "loaded");
  CHECK(with("rules:\n  - {id: r, effect: deny}\n", "r") == "loaded");
  CHECK_THAT(with("rules:\n  - {id: r, effect: deny}\n", "r.i"), Catch::Contains("rule.item"));
}

TEST_CASE("Loader: mistakes in the head of a policy are named with their place and a hint") {
  const std::string rules = "rules:\n  - {id: r, effect: deny}\n";
  const std::vector<Mistake> mistakes = {
      {"kind: guard\n", "2:7", "'kind' is 'guard'", "guardrail, regime"},
      {"kind: guardrail\ncovers: everything\n", "3:9", "a guardrail covers nobody", "regime"},
      {"kind: guardrail\nzone: Europe/Berlin\n", "3:7", "'Europe/Berlin' is no zone", "+08:00"},
      {"kind: guardrail\naliases: war\n", "3:10", "no aliases are called 'war'", "define"},
      {"kind: guardrail\nappliesWhen: {}\n", "3:1", "unknown key 'appliesWhen'",
       "did you mean 'applies_when'?"},
      {"kind: guardrail\nreview: {by: never}\n", "3:14", "not a day", "2026-11-21"},
      {"kind: guardrail\nreview: {by: 2027-01-01, grace: 30}\n", "3:33", "no number of days",
       "30d"},
      {"kind: guardrail\nfacts_as_of: 2026-13-01\n", "3:14", "not a day", "2026-11-21"},
      {"kind: guardrail\nterms: {t: {}}\n", "3:12", "'t' is no term", "not empty"},
      {"kind: guardrail\nmode: off\n", "3:7", "'mode' is 'off'", "enforce, warn, shadow"}};
  for (const Mistake& mistake : mistakes) {
    const std::string text = absl::StrCat("policy: p\n", mistake.text, "title: T\n", kHead, rules);
    CAPTURE(text);
    const std::string error = ErrorOf(text);
    CHECK_THAT(error, Catch::StartsWith(absl::StrCat("f2.yaml:", mistake.position, ": ")));
    CHECK_THAT(error, Catch::Contains(mistake.what));
    CHECK_THAT(error, Catch::Contains(mistake.hint));
  }
  CHECK_THAT(ErrorOf("policy: p\nkind: guardrail\n" + rules),
             Catch::Contains("has no 'title'") && Catch::Contains("has no 'approvals'") &&
                 Catch::Contains("has no 'effective'"));
  CHECK_THAT(ErrorOf("policy: facts\nkind: guardrail\ntitle: T\n" + std::string(kHead) + rules),
             Catch::Contains("'facts' is a reason of the engine"));
}

TEST_CASE("Loader: a regime must be able to say yes, but not to everything") {
  CHECK_THAT(ErrorOf(Regime("p", "everything", "rules:\n  - {id: r, effect: allow}\n")),
             Catch::Contains("allows everything to everybody"));
  CHECK_THAT(ErrorOf(Regime("p", "{subjects_in: [DE]}", "rules:\n  - {id: r, effect: deny}\n")),
             Catch::Contains("a regime without an allow"));
  CHECK_THAT(ErrorOf(Regime("p", "no personal data", "rules:\n  - {id: r, effect: allow}\n")),
             Catch::Contains("two regimes cover no personal data: house and p"));
  CHECK_THAT(ErrorOf(Regime("p", "{subjects_in: DE}", "rules:\n  - {id: r, effect: allow}\n")),
             Catch::Contains("not a list of places"));
  CHECK_THAT(ErrorOf(Regime("p", "all", "rules:\n  - {id: r, effect: allow}\n")),
             Catch::Contains("no personal data, everything"));
  CHECK(ErrorOf(Regime("p", "{subjects_in: group:eea}", "rules:\n  - {id: r, effect: allow}\n")) ==
        "loaded");
  CHECK_THAT(ErrorOf(Regime("p", "{subjects_in: [FR]}",
                            "rules:\n  - {id: a, effect: allow}\n  - {id: r, effect: declassify, "
                            "removes: [personal]}\n")),
             Catch::Contains("always removes labels"));
}

TEST_CASE("Loader: aliases may not hide a member of a group or a literal") {
  const auto with = [](const std::string& when) {
    return ErrorOf(
        Guardrail("p", "aliases: ear\nrules:\n  - {id: r, effect: deny, when: {" + when + "}}\n"));
  };
  CHECK_THAT(with("to.jurisdiction: {in: group:hk-mo}"),
             Catch::Contains("holds HK, which this policy reads as CN"));
  CHECK_THAT(with("to.jurisdiction: {is: HK}"), Catch::Contains("reads HK as CN"));
  CHECK(with("to.jurisdiction: {is: CN}") == "loaded");
}

TEST_CASE("Loader: mistakes in groups are named with their place and a hint") {
  const std::vector<Mistake> mistakes = {
      {"home: EU\ngroups: {}\n", "1:7", "'EU' is not a country's code", "group:eea"},
      {"groups:\n  a: {members: [DE, UK]}\n", "2:21", "'UK' is not", "GB"},
      {"groups:\n  a: {members: [DE, DE]}\n", "2:21", "holds DE twice", "remove one"},
      {"groups:\n  a: {}\n", "2:6", "group a is not said", "members"},
      {"groups:\n  a: {members: [DE], expression: a}\n", "2:6", "group a is not said", "either"},
      {"groups:\n  a: {expression: b}\n", "2:19", "no group is called 'b'", "did you mean 'a'?"},
      {"groups:\n  a: {members: [DE]}\n  b: {expression: a a}\n", "3:19", "'a' stands where",
       "a + b - c"},
      {"groups:\n  a: {members: [DE]}\n  b: {expression: a +}\n", "3:19", "ends with a sign",
       "after it"},
      {"groups:\n  a: {expression: b}\n  b: {expression: a}\n", "2:6",
       "group a is made from itself", "circle"},
      {"groups:\n  a: {expression: b}\n  b: {expression: c}\n  c: {expression: d}\n  d: "
       "{expression: "
       "e}\n  e: {members: [DE]}\n",
       "2:6", "the expression of group a is too large", "nested 3 deep"},
      {"groups:\n  a: {members: [DE]}\n  b: {expression: a + a + a + a + a + a + a + a + a + a + a "
       "+ "
       "a + a + a + a + a + a}\n",
       "3:6", "the expression of group b is too large", "at most 16 names"},
      {"groups:\n  a: {conditional: [{code: US, when: {}}]}\n", "2:38", "always true", "members"},
      {"groups:\n  a: {conditional: [{code: US, when: {to.jurisdiction: {in: group:a}}}]}\n",
       "2:61", "a group cannot be named here", "single places"},
      {"aliases: {ear: {HK: XX}}\ngroups: {}\n", "1:21", "'HK' is no alias", "one country's code"},
      {"aliases: {ear: {HK: CN, CN: RU}}\ngroups: {}\n", "1:21", "'HK' is no alias",
       "no alias itself"},
      {"groups: {a: {members: [DE], sauce: x}}\n", "1:29", "unknown key 'sauce'", "source"}};
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.text);
    const auto bundle = TryLoad({mistake.text, House()});
    REQUIRE_FALSE(bundle.ok());
    const std::string error(bundle.status().message());
    CHECK_THAT(error, Catch::StartsWith(absl::StrCat("f0.yaml:", mistake.position, ": ")));
    CHECK_THAT(error, Catch::Contains(mistake.what));
    CHECK_THAT(error, Catch::Contains(mistake.hint));
  }
}

TEST_CASE("Loader: mistakes in tests are found when the bundle is loaded") {
  const std::string head = "tests: t\nat: 2026-11-21T09:00:00Z\n";
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {head + "cases: []\n", "tests nothing"},
      {head, "has no 'cases'"},
      {"tests: t\ncases: [{name: n, expect: allow}]\n", "the case has no time"},
      {"tests: t\nat: yesterday\ncases: [{name: n, expect: allow}]\n", "'at' is no time"},
      {head + "cases: [{name: n, expect: maybe}]\n", "'expect' is 'maybe'"},
      {head + "cases: [{name: n}]\n", "has no 'expect'"},
      {head + "cases: [{name: n, expect: allow, set: {to.place: DE}}]\n",
       "no fact is called 'to.place'"},
      {head + "cases: [{name: n, expect: allow, set: {to.jurisdiction: UK}}]\n",
       "no value of to.jurisdiction"},
      {head + "cases: [{name: n, expect: allow, set: {secagg.k: few}}]\n", "no value of secagg.k"},
      {head + "cases: [{name: n, expect: allow, situation: s}]\n", "no situation is called 's'"},
      {head + "cases: [{name: n, expect: deny, reason: house/nothing}]\n",
       "no rule gives the reason 'house/nothing'"},
      {head + "cases: [{name: n, expect: allow, not_reason: house/yes-inded}]\n",
       "did you mean 'house/yes-indeed'"},
      {head + "cases: [{name: n, expect: deny, missing: to.jurisdictoin}]\n",
       "did you mean 'to.jurisdiction'"},
      {head + "counters: one\ncases: [{name: n, expect: allow}]\n", "can only be zero"},
      {head + "base-allow: {kind: regime, rules: [{id: ok, effect: deny}]}\ncases: [{name: n, "
              "expect: allow}]\n",
       "not the test-only regime"},
      {head + "wants: x\ncases: [{name: n, expect: allow}]\n", "unknown key 'wants'"}};
  for (const auto& mistake : mistakes) {
    CAPTURE(mistake.first);
    const std::string error = ErrorOf(mistake.first);
    CHECK_THAT(error, Catch::StartsWith("f2.yaml:"));
    CHECK_THAT(error, Catch::Contains(mistake.second));
  }
}

TEST_CASE("Loader: what belongs to tests is refused outside them") {
  CHECK_THAT(ErrorOf(std::string(kStart) + "counters: zero\n"),
             Catch::Contains("unknown key 'counters'"));
  CHECK_THAT(ErrorOf(std::string(kStart) + "base-allow: {kind: regime}\n"),
             Catch::Contains("unknown key 'base-allow'"));
}

TEST_CASE("Loader: every mistake is told at once, in the order of the file, up to a limit") {
  const std::string error = ErrorOf(std::string(kStart) +
                                    "    when: {op: {is: fly}, to.jurisdiction: {is: UK}}\n"
                                    "    mode: later\n");
  CHECK_THAT(error, Catch::Matches("(?:f2.yaml:9:21: [^\n]*\n)(?:f2.yaml:9:49: [^\n]*\n)"
                                   "f2.yaml:10:11: [^\n]*"));
  std::string many = kStart;
  for (std::size_t i = 0; i < kLoadErrorsMax + 5; ++i) {
    absl::StrAppend(&many, "  - {id: r", i, ", effect: deny, mode: later}\n");
  }
  CHECK_THAT(ErrorOf(many), Catch::EndsWith("\nand 5 more"));
}

TEST_CASE("Loader: files that are nothing, or twice the same, are refused") {
  CHECK_THAT(ErrorOf("what: this\n"), Catch::Contains("neither a policy, groups nor tests"));
  CHECK_THAT(ErrorOf("groups: {}\n"), Catch::Contains("a second file of groups"));
  CHECK_THAT(ErrorOf(House()), Catch::Contains("two policies are called house"));
  CHECK_THAT(ErrorOf("policy: p\npolicy: q\n"), Catch::Contains("f2.yaml:2:1"));
  CHECK_FALSE(TryLoad({kGroups}).ok());
  CHECK_FALSE(TryLoad({}).ok());
  CHECK_FALSE(BundleFromFiles(std::vector<SourceFile>(kBundleFilesMax + 1, {"f", House()})).ok());
}

TEST_CASE("Loader: NO is Norway and a comma in a flow map cannot add a key unseen") {
  const auto bundle = TryLoad({"groups: {a: {members: [NO]}}\n", House()});
  CHECK(bundle.ok());
  // The trap of YAML: the note ends at the comma, and `then` is a key of its own.
  CHECK_FALSE(TryLoad({House(), Guardrail("p",
                                          "rules:\n  - {id: r, effect: deny, note: wait, then "
                                          "enforce}\n")})
                  .ok());
}

TEST_CASE("Loader: a folder is read whole, and what looks like a forgotten policy is refused") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("carnet-policies-", ::getpid());
  std::filesystem::remove_all(folder);
  REQUIRE(std::filesystem::create_directories(folder / "below.yaml.d"));
  const auto write = [&folder](const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  };
  CHECK(LoadBundle(folder).status().code() == absl::StatusCode::kNotFound);
  write("house.yaml", House());
  write("groups.yaml", kGroups);
  write("README.md", "not a policy");
  write("below.yaml.d/other.yaml", "nonsense: [");
  const auto bundle = LoadBundle(folder);
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  CHECK((*bundle)->PolicyNames() == Texts{"house"});
  CHECK((*bundle)->home() == "DE");
  CHECK((*bundle)->rule_count() == 1);
  LoadOptions abroad;
  abroad.home = "FR";
  CHECK((*LoadBundle(folder, abroad))->home() == "FR");
  abroad.home = "UK";
  CHECK_FALSE(LoadBundle(folder, abroad).ok());
  write("bad.yaml", "policy: p\nkind: regim\n");
  CHECK_THAT(std::string(LoadBundle(folder).status().message()),
             Catch::Contains("bad.yaml:2:7: 'kind' is 'regim'"));
  std::filesystem::remove(folder / "bad.yaml");
  write("late.yml", House());
  CHECK_THAT(std::string(LoadBundle(folder).status().message()), Catch::Contains("rename it"));
  std::filesystem::remove_all(folder);
  CHECK(LoadBundle(folder).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("Bundle: its JSON reads back to the same bytes, head included") {
  const auto bundle =
      Load({kGroups, House(), Guardrail("a", "rules:\n  - {id: r, effect: deny}\n"),
            "tests: t\nat: 2026-11-21T09:00:00Z\ncases: [{name: n, expect: deny}]\n"});
  BundleHead head;
  head.revision = 7;
  head.parent = bundle->sha256();
  head.valid_from = At("2026-11-21T00:00:00Z");
  head.valid_to = head.valid_from + kBundleValidityMax;
  const auto issued = IssueBundle(*bundle, head);
  REQUIRE(issued.ok());
  CHECK((*issued)->sha256() != bundle->sha256());
  const auto again = BundleFromJson((*issued)->CanonicalJson());
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  CHECK((*again)->CanonicalJson() == (*issued)->CanonicalJson());
  CHECK((*again)->head() == head);
  CHECK((*again)->revision() == 7);
  CHECK(RunTests(**again)->passed == RunTests(*bundle)->passed);
}

TEST_CASE("Bundle: a head that no bundle may have is refused") {
  const auto bundle = Load({House()});
  const absl::Time start = At("2026-11-21T00:00:00Z");
  const std::vector<BundleHead> heads = {
      {0, std::nullopt, start, start + absl::Hours(1)},
      {1, std::nullopt, start, start},
      {1, std::nullopt, start, start - absl::Hours(1)},
      {1, std::nullopt, start, start + kBundleValidityMax + absl::Seconds(1)},
      {1, std::nullopt, start, start + absl::Milliseconds(1500)},
      {1, std::nullopt, absl::InfinitePast(), absl::InfiniteFuture()},
      {std::uint64_t{1} << 60, std::nullopt, start, start + absl::Hours(1)}};
  for (const BundleHead& head : heads) {
    CHECK(IssueBundle(*bundle, head).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Bundle: JSON that is not exactly a bundle is refused") {
  const std::string json = Load({House()})->CanonicalJson();
  REQUIRE(BundleFromJson(json).ok());
  const auto replaced = [&json](const std::string& from, const std::string& to) {
    std::string text = json;
    REQUIRE(text.find(from) != std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::string> wrong = {"",
                                          "{}",
                                          "[]",
                                          " " + json,
                                          json + " ",
                                          json.substr(0, json.size() - 1),
                                          replaced("\"facts\":1", "\"facts\":2"),
                                          replaced("\"facts\":1", "\"facts\":1.0"),
                                          replaced("carnet-bundle/1", "carnet-bundle/2"),
                                          replaced("\"tests\":[]", "\"tests\":[],\"x\":1"),
                                          replaced("\"tests\":[]", "\"tests\":{}"),
                                          replaced("\"tests\":[]", "\"revision\":0,\"tests\":[]"),
                                          replaced("\"tests\":[]", "\"revision\":1,\"tests\":[]"),
                                          replaced("yes-indeed", "yes-\\u202eindeed"),
                                          replaced("\"yes-indeed\"", "1"),
                                          replaced("\"yes-indeed\"", "null"),
                                          replaced("allow", "permit"),
                                          replaced("\"policies\":[", "\"policies\":[1,"),
                                          std::string(kBundleJsonBytesMax + 1, ' ')};
  for (const std::string& text : wrong) {
    CAPTURE(text.substr(0, 400));
    CHECK(BundleFromJson(text).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Bundle: one that is too large is refused when it is made") {
  std::string rules = "rules:\n";
  const std::string because(2000, 'b');
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&rules, "  - {id: r", i, ", effect: deny, because: ", because, "}\n");
  }
  CHECK_THAT(std::string(TryLoad({House(), Guardrail("p", rules)}).status().message()),
             Catch::Contains("larger than"));
}

TEST_CASE("Bundle: a subset has only the policies that it names") {
  const auto bundle =
      Load({kGroups, House(), Guardrail("a", "rules:\n  - {id: r, effect: deny}\n")});
  const auto subset = SubsetOf(*bundle, {"house"});
  REQUIRE(subset.ok());
  CHECK((*subset)->PolicyNames() == Texts{"house"});
  CHECK(SubsetOf(*bundle, {"other"}).status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace carnet::policies
