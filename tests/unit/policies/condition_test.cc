// Truth tables of every operator, over all kinds of values.
#include "policies/condition.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "policies/compiled.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kGroups[] = R"(
home: DE
aliases: {ear: {HK: CN}}
groups:
  eea: {members: [DE, FR, "NO", IS]}
  east: {members: [FR]}
  adequate:
    members: [CH]
    conditional:
      - {code: US, when: {recipient.certifications: {has: eu-us-dpf}}}
  ukraine: {members: [UA]}
  crimea: {members: [UA-43]}
  rest: {expression: eea + ukraine - east - crimea}
  both: {expression: adequate + eea}
  without-us: {expression: eea + adequate - us}
  us: {members: [US]}
  china: {members: [CN, RU]}
)";

// What `condition` (one line of YAML) is under `facts` (JSON).
Truth Try(const std::string& condition, const std::string& facts_json,
          const std::string& extra = "") {
  const auto bundle =
      Load({kGroups, Guardrail("g", absl::StrCat(extra,
                                                 "rules:\n  - id: r\n    effect: deny\n"
                                                 "    when: {",
                                                 condition, "}\n"))});
  const FactSet facts = Facts(facts_json);
  FactView view(bundle->compiled(), facts, Noon());
  const Policy& policy = bundle->compiled().policies[0];
  view.Enter(policy);
  return Test(policy.rules[0].when, view);
}

constexpr Truth F = Truth::kFalse;
constexpr Truth U = Truth::kUnknown;
constexpr Truth T = Truth::kTrue;

struct Row {
  const char* condition;
  const char* facts;
  Truth expected;
};

void CheckRows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.condition, row.facts);
    CHECK(Try(row.condition, row.facts) == row.expected);
  }
}

TEST_CASE("Kleene: and, or and not over three values") {
  const Truth all[] = {F, U, T};
  for (const Truth a : all) {
    for (const Truth b : all) {
      CHECK(And(a, b) == std::min(a, b));
      CHECK(Or(a, b) == std::max(a, b));
    }
  }
  CHECK(Not(F) == T);
  CHECK(Not(U) == U);
  CHECK(Not(T) == F);
}

TEST_CASE("Conditions: on an unknown fact every operator is unknown") {
  for (const char* condition :
       {"op: {is: train}", "op: {is_not: train}", "op: {in: [train]}", "op: {not_in: [train]}",
        "evidence: {has: tia}", "evidence: {any_in: [tia]}", "evidence: {all_in: [tia]}",
        "secagg.k: {at_least: 1}", "secagg.k: {at_most: 1}", "secagg.k: {more_than: 1}",
        "to.jurisdiction: {in: group:eea}", "to.jurisdiction: {not_in: group:eea}",
        "to.location_grade: {at_least: contract}", "data.personal: {is_not: yes}",
        "recipient.owners: {owned_by: {group: eea, at_least: 1}}",
        "people.US.health: {more_than: 0}", "worker.chip_eccn: {in: [3A090]}"}) {
    CAPTURE(condition);
    CHECK(Try(condition, "{}") == U);
  }
}

TEST_CASE("Conditions: on a fact that does not apply every operator is false") {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"job.id: {is: a}", "job.id"},
      {"job.id: {is_not: a}", "job.id"},
      {"job.id: {in: [a]}", "job.id"},
      {"job.id: {not_in: [a]}", "job.id"},
      {"evidence: {has: tia}", "evidence"},
      {"evidence: {any_in: [tia]}", "evidence"},
      {"evidence: {all_in: [tia]}", "evidence"},
      {"secagg.k: {at_least: 0}", "secagg.k"},
      {"secagg.k: {at_most: 9}", "secagg.k"},
      {"secagg.k: {more_than: 0}", "secagg.k"},
      {"key.held_in: {not_in: group:eea}", "key.held_in"},
      {"to.location_grade: {at_least: claimed}", "to.location_grade"},
      {"recipient.owners: {owned_by: {group: eea, at_least: 0}}", "recipient.owners"}};
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CHECK(Try(row.first, absl::StrCat("{\"", row.second, "\":\"not_applicable\"}")) == F);
  }
}

TEST_CASE("Conditions: is, is_not, in, not_in on words and names") {
  CheckRows({{"op: {is: train}", R"({"op":"train"})", T},
             {"op: {is: train}", R"({"op":"place"})", F},
             {"op: {is_not: train}", R"({"op":"train"})", F},
             {"op: {is_not: train}", R"({"op":"place"})", T},
             {"op: {in: [train, place]}", R"({"op":"place"})", T},
             {"op: {in: [train, place]}", R"({"op":"resume"})", F},
             {"op: {not_in: [train, place]}", R"({"op":"place"})", F},
             {"op: {not_in: [train, place]}", R"({"op":"resume"})", T},
             {"job.id: {is: triage-7}", R"({"job.id":"triage-7"})", T},
             {"job.id: {is: triage-7}", R"({"job.id":"triage-8"})", F},
             {"data.personal: {is: no}", R"({"data.personal":"no"})", T}});
}

TEST_CASE("Conditions: bounds on numbers, both ends") {
  CheckRows({{"secagg.k: {at_least: 8}", R"({"secagg.k":8})", T},
             {"secagg.k: {at_least: 8}", R"({"secagg.k":7})", F},
             {"secagg.k: {at_most: 8}", R"({"secagg.k":8})", T},
             {"secagg.k: {at_most: 8}", R"({"secagg.k":8.5})", F},
             {"secagg.k: {more_than: 8}", R"({"secagg.k":8})", F},
             {"secagg.k: {more_than: 8}", R"({"secagg.k":8.000001})", T},
             {"secagg.k: {at_least: 2, at_most: 4}", R"({"secagg.k":3})", T},
             {"secagg.k: {at_least: 2, at_most: 4}", R"({"secagg.k":5})", F},
             {"people.US.health: {more_than: 10000}", R"({"people.US.health":10000})", F},
             {"people.US.health: {more_than: 10000}", R"({"people.US.health":10001})", T}});
}

TEST_CASE("Conditions: ordered words compare by their order") {
  CheckRows({{"to.location_grade: {at_least: contract}", R"({"to.location_grade":"claimed"})", F},
             {"to.location_grade: {at_least: contract}", R"({"to.location_grade":"contract"})", T},
             {"to.location_grade: {at_least: contract}", R"({"to.location_grade":"provider"})", T},
             {"to.location_grade: {at_most: claimed}", R"({"to.location_grade":"claimed"})", T},
             {"to.location_grade: {more_than: claimed}", R"({"to.location_grade":"claimed"})", F},
             {"to.location_grade: {is: provider}", R"({"to.location_grade":"provider"})", T},
             {"to.location_grade: {in: [claimed]}", R"({"to.location_grade":"contract"})", F}});
}

TEST_CASE("Conditions: has, any_in and all_in on lists, the empty and the half-known one too") {
  CheckRows({{"evidence: {has: tia}", R"({"evidence":[]})", F},
             {"evidence: {any_in: [tia, bcr]}", R"({"evidence":[]})", F},
             {"evidence: {all_in: [tia, bcr]}", R"({"evidence":[]})", F},
             {"evidence: {has: tia}", R"({"evidence":["tia"]})", T},
             {"evidence: {has: tia}", R"({"evidence":["bcr"]})", F},
             {"evidence: {any_in: [tia, bcr]}", R"({"evidence":["bcr","scc-2021-914"]})", T},
             {"evidence: {all_in: [tia, bcr]}", R"({"evidence":["bcr","scc-2021-914"]})", F},
             {"evidence: {all_in: [tia, bcr]}", R"({"evidence":["bcr"]})", T},
             {"evidence: {has: tia}", R"({"evidence":["bcr","unknown"]})", U},
             {"evidence: {has: tia}", R"({"evidence":["tia","unknown"]})", T},
             {"evidence: {any_in: [tia]}", R"({"evidence":["unknown"]})", U},
             {"evidence: {all_in: [tia]}", R"({"evidence":["tia","unknown"]})", U},
             {"evidence: {all_in: [tia]}", R"({"evidence":["bcr","unknown"]})", F}});
}

TEST_CASE("Conditions: a part of a country is in it, a country is not in its part") {
  CheckRows({{"to.jurisdiction: {is: US}", R"({"to.jurisdiction":"US-CA"})", T},
             {"to.jurisdiction: {is: US-CA}", R"({"to.jurisdiction":"US"})", F},
             {"to.jurisdiction: {is_not: US}", R"({"to.jurisdiction":"US-CA"})", F},
             {"to.jurisdiction: {in: group:eea}", R"({"to.jurisdiction":"FR-75"})", T},
             {"to.jurisdiction: {in: group:crimea}", R"({"to.jurisdiction":"UA"})", F},
             {"to.jurisdiction: {in: group:crimea}", R"({"to.jurisdiction":"UA-43"})", T},
             {"to.jurisdiction: {in: group:ukraine}", R"({"to.jurisdiction":"UA-43"})", T},
             {"to.jurisdiction: {in: group:rest}", R"({"to.jurisdiction":"UA-43"})", F},
             {"to.jurisdiction: {in: group:rest}", R"({"to.jurisdiction":"UA-09"})", T},
             {"to.jurisdiction: {in: group:rest}", R"({"to.jurisdiction":"UA"})", T},
             {"data.subjects_in: {has: US}", R"({"data.subjects_in":["US-CA"]})", T}});
}

TEST_CASE("Conditions: groups are sets, read from left to right") {
  CheckRows(
      {{"to.jurisdiction: {in: group:eea}", R"({"to.jurisdiction":"NO"})", T},
       {"to.jurisdiction: {in: group:eea}", R"({"to.jurisdiction":"CH"})", F},
       {"to.jurisdiction: {not_in: group:eea}", R"({"to.jurisdiction":"CH"})", T},
       {"to.jurisdiction: {in: group:rest}", R"({"to.jurisdiction":"DE"})", T},
       {"to.jurisdiction: {in: group:rest}", R"({"to.jurisdiction":"FR"})", F},
       {"to.jurisdiction: {in: [CH, group:eea]}", R"({"to.jurisdiction":"CH"})", T},
       {"to.jurisdiction: {in: [CH, group:eea]}", R"({"to.jurisdiction":"IS"})", T},
       {"data.subjects_in: {any_in: group:eea}", R"({"data.subjects_in":["KE","DE"]})", T},
       {"data.subjects_in: {all_in: group:eea}", R"({"data.subjects_in":["KE","DE"]})", F},
       {"data.subjects_in: {any_in: group:eea}", R"({"data.subjects_in":["KE","unknown"]})", U},
       {"data.subjects_in: {any_in: group:eea}", R"({"data.subjects_in":[]})", F}});
}

TEST_CASE("Conditions: a member under a condition is as sure as its condition") {
  const char* certified = R"({"to.jurisdiction":"US","recipient.certifications":["eu-us-dpf"]})";
  const char* not_certified = R"({"to.jurisdiction":"US","recipient.certifications":[]})";
  const char* unknown = R"({"to.jurisdiction":"US"})";
  CheckRows({{"to.jurisdiction: {in: group:adequate}", certified, T},
             {"to.jurisdiction: {in: group:adequate}", not_certified, F},
             {"to.jurisdiction: {in: group:adequate}", unknown, U},
             {"to.jurisdiction: {not_in: group:adequate}", certified, F},
             {"to.jurisdiction: {not_in: group:adequate}", not_certified, T},
             {"to.jurisdiction: {not_in: group:adequate}", unknown, U},
             {"to.jurisdiction: {in: group:both}", unknown, U},
             {"to.jurisdiction: {in: group:without-us}", unknown, F},
             {"to.jurisdiction: {in: group:adequate}",
              R"({"to.jurisdiction":"US-CA","recipient.certifications":["eu-us-dpf"]})", T},
             {"to.jurisdiction: {in: group:adequate}", R"({"to.jurisdiction":"CH"})", T},
             {"to.jurisdiction: {in: group:adequate}", R"({"to.jurisdiction":"KE"})", F}});
}

TEST_CASE("Conditions: home is the home of the groups, in rules and in facts") {
  CheckRows({{"key.held_in: {is: home}", R"({"key.held_in":"home"})", T},
             {"key.held_in: {is: home}", R"({"key.held_in":"DE"})", T},
             {"key.held_in: {is: home}", R"({"key.held_in":"DE-BY"})", T},
             {"key.held_in: {is: home}", R"({"key.held_in":"FR"})", F},
             {"key.held_in: {in: group:eea}", R"({"key.held_in":"home"})", T}});
}

TEST_CASE("Conditions: aliases are applied before any test, in the policy that names them") {
  const char* hong_kong = R"({"to.jurisdiction":"HK"})";
  CHECK(Try("to.jurisdiction: {in: group:china}", hong_kong, "aliases: ear\n") == T);
  CHECK(Try("to.jurisdiction: {is: CN}", hong_kong, "aliases: ear\n") == T);
  CHECK(Try("to.jurisdiction: {in: group:china}", hong_kong) == F);
  CHECK(Try("to.jurisdiction: {is: CN}", R"({"to.jurisdiction":"MO"})", "aliases: ear\n") == F);
}

TEST_CASE("Conditions: a bare chip number counts as each of its paragraphs") {
  CheckRows({{"worker.chip_eccn: {in: [3A090.a]}", R"({"worker.chip_eccn":"3A090"})", T},
             {"worker.chip_eccn: {is_not: 3A090.a}", R"({"worker.chip_eccn":"3A090"})", F},
             {"worker.chip_eccn: {in: [3A090.a]}", R"({"worker.chip_eccn":"3A090.b"})", F},
             {"worker.chip_eccn: {in: [3A090]}", R"({"worker.chip_eccn":"3A090.b"})", T},
             {"worker.chip_eccn: {in: [4A090]}", R"({"worker.chip_eccn":"3A090"})", F},
             {"worker.chip_eccn: {is: none}", R"({"worker.chip_eccn":"none"})", T}});
}

TEST_CASE(
    "Conditions: owners are summed, and the unaccounted rest decides only when it cannot matter") {
  const char* half = "recipient.owners: {owned_by: {group: china, at_least: 50}}";
  const char* more = "recipient.owners: {owned_by: {group: china, more_than: 50}}";
  const auto owners = [](const std::string& list) {
    return "{\"recipient.owners\":[" + list + "]}";
  };
  const auto one = [](const std::string& code, const std::string& percent) {
    return "{\"jurisdiction\":\"" + code + "\",\"percent\":" + percent + "}";
  };
  CHECK(Try(half, owners("")) == U);
  CHECK(Try(half, owners(one("CN", "50"))) == T);
  CHECK(Try(more, owners(one("CN", "50"))) == U);
  CHECK(Try(more, owners(one("CN", "50") + "," + one("DE", "50"))) == F);
  CHECK(Try(half, owners(one("CN", "49") + "," + one("RU", "1"))) == T);
  CHECK(Try(half, owners(one("CN", "49.9") + "," + one("RU", "0.1"))) == T);
  CHECK(Try(half, owners(one("CN", "49") + "," + one("DE", "51"))) == F);
  CHECK(Try(half, owners(one("CN", "49") + "," + one("DE", "50"))) == U);
  CHECK(Try(half, owners(one("CN", "10") + "," + one("unknown", "40"))) == U);
  CHECK(Try(half, owners(one("unknown", "49") + "," + one("DE", "51"))) == F);
}

TEST_CASE("Conditions: before and after are whole days") {
  // Noon of 2026-11-21.
  CHECK(Try("at: {before: 2026-11-22}", "{}") == T);
  CHECK(Try("at: {before: 2026-11-21}", "{}") == F);
  CHECK(Try("at: {after: 2026-11-20}", "{}") == T);
  CHECK(Try("at: {after: 2026-11-21}", "{}") == F);
  CHECK(Try("at: {before: 2026-11-22}", "{}", "zone: +14:00\n") == F);
}

TEST_CASE("Conditions: any is or, a block is and, terms are shared") {
  CheckRows({{"any: [{op: {is: train}}, {secagg.k: {at_least: 1}}]", R"({"op":"place"})", U},
             {"any: [{op: {is: train}}, {secagg.k: {at_least: 1}}]", R"({"op":"train"})", T},
             {"any: [{op: {is: train}}, {op: {is: place}}]", R"({"op":"resume"})", F},
             {"op: {is: train}, secagg.k: {at_least: 1}", R"({"op":"train"})", U},
             {"op: {is: train}, secagg.k: {at_least: 1}", R"({"op":"place"})", F},
             {"op: {is: train}, secagg.k: {at_least: 1}", R"({"op":"train","secagg.k":1})", T}});
  const char* terms = "terms:\n  many: {secagg.k: {at_least: 8}}\n  training: {op: {is: train}}\n";
  CHECK(Try("terms: [many, training]", R"({"op":"train","secagg.k":9})", terms) == T);
  CHECK(Try("terms: [many, training]", R"({"op":"train","secagg.k":7})", terms) == F);
  CHECK(Try("terms: [many]", "{}", terms) == U);
}

TEST_CASE("Conditions: only facts whose absence matters are missing") {
  const auto missing = [](const std::string& condition, const std::string& facts_json) {
    const auto bundle =
        Load({kGroups, Guardrail("g", "rules:\n  - id: r\n    effect: deny\n    when: {" +
                                          condition + "}\n")});
    const FactSet facts = Facts(facts_json);
    FactView view(bundle->compiled(), facts, Noon());
    const Policy& policy = bundle->compiled().policies[0];
    view.Enter(policy);
    NamedFacts named;
    CollectMissing(policy.rules[0].when, view, &named);
    TextList paths;
    AddPaths(named, &paths);
    CHECK(std::is_sorted(paths.begin(), paths.end()));
    return std::set<std::string>(paths.begin(), paths.end());
  };
  using Paths = std::set<std::string>;
  CHECK(missing("op: {is: train}, secagg.k: {at_least: 1}", "{}") == Paths{"op", "secagg.k"});
  CHECK(missing("op: {is: train}, secagg.k: {at_least: 1}", R"({"op":"train"})") ==
        Paths{"secagg.k"});
  CHECK(missing("op: {is: train}, secagg.k: {at_least: 1}", R"({"op":"place"})").empty());
  CHECK(missing("any: [{op: {is: place}}, {secagg.k: {at_least: 1}}]", R"({"op":"train"})") ==
        Paths{"secagg.k"});
  CHECK(missing("to.jurisdiction: {in: group:adequate}", R"({"to.jurisdiction":"US"})") ==
        Paths{"recipient.certifications"});
  CHECK(missing("to.jurisdiction: {in: group:adequate}", "{}") == Paths{"to.jurisdiction"});
  CHECK(missing("evidence: {has: tia}", R"({"evidence":["unknown"]})") == Paths{"evidence"});
}

TEST_CASE("Conditions: the facts that were read come in the order of their paths, counters too") {
  const auto bundle = Load({kGroups, Guardrail("g", R"(rules:
  - id: r
    effect: deny
    when: {to.jurisdiction: {in: group:adequate}, op: {is: train}, secagg.k: {at_least: 1},
           people.US.genomic: {more_than: 99}, evidence: {has: tia}}
)")});
  const FactSet facts = Facts(
      R"({"op":"train","to.jurisdiction":"US","evidence":["tia","bcr"],"people.US.genomic":101})");
  FactView view(bundle->compiled(), facts, Noon());
  const Policy& policy = bundle->compiled().policies[0];
  view.Enter(policy);
  NamedFacts used;
  CollectUsed(policy.rules[0].when, view, &used);
  TextList texts;
  AddTexts(used, view, &texts);
  CHECK(std::vector<std::string>(texts.begin(), texts.end()) ==
        std::vector<std::string>{"evidence = [bcr, tia]", "op = train", "people.US.genomic = 101",
                                 "recipient.certifications = unknown", "secagg.k = unknown",
                                 "to.jurisdiction = US"});
}

}  // namespace
}  // namespace carnet::policies
