// In every doubt the answer is no, and hostile files never become policies.
#include <catch2/catch.hpp>

#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kAllowAbroad[] =
    "applies_when: {data.subjects_in: {has: DE}}\n"
    "rules:\n"
    "  - {id: inside, effect: allow, when: {to.jurisdiction: {is: DE}}}\n"
    "  - {id: clauses, effect: allow, when: {evidence: {has: bcr}}}\n";

FactSet GermanModel() {
  return Facts(R"({"op":"send_model","artifact.kind":"model","data.personal":"yes",
                   "data.subjects_in":["DE"],"to.jurisdiction":"DE","evidence":[]})");
}

struct Doubt {
  const char* name;
  const char* fact;   // set to `value`; empty: nothing
  const char* value;  // JSON
  const char* reason;
};

TEST_CASE("Default deny: what nobody knows, and what no policy speaks for, is refused") {
  const auto bundle = Load(
      {"groups: {partners: {members: [FR], conditional: [{code: US, when: "
       "{recipient.certifications: {has: eu-us-dpf}}}]}}\n",
       House(), Regime("gdpr", "{subjects_in: [DE]}", kAllowAbroad),
       Guardrail("site",
                 "rules:\n"
                 "  - {id: claimed, effect: deny, when: {to.location_grade: {in: [claimed]}}}\n"
                 "  - id: partner\n"
                 "    effect: require\n"
                 "    when: {op: {is: stage_data}}\n"
                 "    require: [{id: listed, check: {to.jurisdiction: {in: group:partners}}}]\n"
                 "  - {id: few, effect: limit, count: people.DE.health, window: {last: 365d}, "
                 "ceiling: 10, when: {data.categories: {has: health}}}\n")});
  FactSet sound = GermanModel();
  REQUIRE(sound.Set("to.location_grade", Value::Text("contract")).ok());
  REQUIRE(sound.Set("data.categories", Value::List({})).ok());
  CHECK(Evaluate(*bundle, sound, Noon()).verdict() == v1::VERDICT_ALLOW);
  const std::vector<Doubt> doubts = {
      {"nobody knows the destination", "to.jurisdiction", R"("unknown")", "gdpr/no-allow"},
      {"nobody knows the evidence", "to.jurisdiction", R"("SG")", "gdpr/no-allow"},
      {"nobody graded the place", "to.location_grade", R"("unknown")", "site/claimed"},
      {"nobody signed the labels", "data.subjects_in", R"("unknown")", "uncovered/unknown"},
      {"nobody says whether people are in it", "data.personal", R"("unknown")",
       "uncovered/unknown"},
      {"one of the places is not known", "data.subjects_in", R"(["DE","unknown"])",
       "uncovered/unknown"},
      {"the pack for one place is missing", "data.subjects_in", R"(["DE","KE"])", "uncovered/KE"},
      {"people, but of no place", "data.subjects_in", "[]", "facts/inconsistent"},
      {"nobody knows the categories that a limit asks for", "data.categories", R"("unknown")",
       "site/few"},
      {"nobody opened the counter", "data.categories", R"(["health"])", "site/few"},
      {"nobody knows the operation", "op", R"("unknown")", "site/partner.listed"},
  };
  for (const Doubt& doubt : doubts) {
    CAPTURE(doubt.name);
    FactSet facts = sound;
    const FactSpec* spec = FindFactSpec(doubt.fact);
    REQUIRE(spec != nullptr);
    const auto value = ValueFromJson(*spec, nlohmann::json::parse(doubt.value));
    REQUIRE(value.ok());
    REQUIRE(facts.Set(doubt.fact, *value).ok());
    const v1::Decision decision = Evaluate(*bundle, facts, Noon());
    CHECK(decision.verdict() == v1::VERDICT_DENY);
    CHECK_THAT(Reasons(decision), Catch::VectorContains(std::string(doubt.reason)));
    CHECK(decision.obligations().empty());
    CHECK(decision.reservations().empty());
  }
  CHECK(Evaluate(*bundle, FactSet(), Noon()).verdict() == v1::VERDICT_DENY);
}

TEST_CASE("Default deny: a membership that depends on what nobody knows does not help") {
  const auto bundle =
      Load({"groups: {partners: {members: [FR], conditional: [{code: US, when: "
            "{recipient.certifications: {has: eu-us-dpf}}}]}}\n",
            House(),
            Guardrail("p",
                      "rules:\n  - {id: out, effect: deny, when: {to.jurisdiction: {not_in: "
                      "group:partners}}}\n")});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("to.jurisdiction", Value::Text("US")).ok());
  const v1::Decision decision = Evaluate(*bundle, facts, Noon());
  CHECK(Reasons(decision) == Texts{"p/out"});
  CHECK(decision.failures(0).missing_facts(0) == "recipient.certifications");
}

TEST_CASE("Default deny: a bundle outside its validity refuses everything and says so") {
  BundleHead head;
  head.revision = 3;
  head.valid_from = At("2026-11-01T00:00:00Z");
  head.valid_to = At("2026-12-01T00:00:00Z");
  const auto bundle = IssueBundle(*Load({House()}), head);
  REQUIRE(bundle.ok());
  CHECK(Evaluate(**bundle, PlainModel(), At("2026-11-01T00:00:00Z")).verdict() ==
        v1::VERDICT_ALLOW);
  CHECK(Reasons(Evaluate(**bundle, PlainModel(), At("2026-10-31T23:59:59Z"))) ==
        Texts{"bundle/not-yet-valid"});
  CHECK(Reasons(Evaluate(**bundle, PlainModel(), At("2026-12-01T00:00:00Z"))) ==
        Texts{"bundle/expired"});
}

TEST_CASE("Hostile files: bombs, depths, giants and disguises are refused with what they are") {
  const std::string head = "policy: p\nkind: guardrail\ntitle: T\n" + std::string(kHead);
  const std::string rules = "rules:\n  - {id: r, effect: deny}\n";
  REQUIRE(TryLoad({House(), head + rules}).ok());
  std::string bomb = "note: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    absl::StrAppend(&bomb, std::string(1, name), ": &", std::string(1, name), " [*",
                    std::string(1, static_cast<char>(name - 1)), ", *",
                    std::string(1, static_cast<char>(name - 1)), "]\n");
  }
  const std::vector<std::pair<std::string, std::string>> files = {
      {"a bomb of aliases", head + bomb + rules},
      {"an alias", head + "note: &n x\nsources: [*n]\n" + rules},
      {"a merge key", head + "<<: {mode: shadow}\n" + rules},
      {"a tag", head + "note: !!binary aGk=\n" + rules},
      {"two documents", head + rules + "---\npolicy: q\n"},
      {"a repeated key", head + "mode: enforce\nmode: shadow\n" + rules},
      {"brackets without end", head + "note: " + std::string(100000, '[') + "\n" + rules},
      {"maps in maps",
       head + "note: " + std::string(40, '{') + "a: b" + std::string(40, '}') + "\n" + rules},
      {"a giant text", head + "note: " + std::string(std::size_t{4096}, 'x') + "\n" + rules},
      {"a giant file", head + "note: |\n  " + std::string((1 << 20) + 1, 'x') + "\n" + rules},
      {"NUL", head + "note: \"a" + std::string(1, '\0') + "b\"\n" + rules},
      {"NUL, escaped", head + "note: \"a\\0b\"\n" + rules},
      {"text that runs backwards", head +
                                       "note: \"\xE2\x80\xAE"
                                       "evil\"\n" +
                                       rules},
      {"text that runs backwards, escaped", head + "note: \"\\u202e evil\"\n" + rules},
      {"a name that runs backwards", "policy: \"\xE2\x80\xAEp\"\n" + rules},
      {"an invisible letter in a name", "policy: \"p\xE2\x80\x8B\"\n" + rules},
      {"bytes that are no UTF-8", head + "note: \"\xFF\xFE\"\n" + rules},
      {"a name in look-alike letters",
       "policy: \"\xD1\x80\"\nkind: guardrail\ntitle: T\n" + std::string(kHead) + rules},
      {"a rule that only looks like a number", head + "rules:\n  - {id: r, effect: deny, floor: "
                                                      "1}\n"}};
  for (const auto& file : files) {
    CAPTURE(file.first);
    const auto bundle = TryLoad({House(), file.second});
    REQUIRE_FALSE(bundle.ok());
    CHECK(bundle.status().code() == absl::StatusCode::kInvalidArgument);
    // However large the file, what is said about it is short and of plain characters.
    CHECK(bundle.status().message().size() < 16384);
    CHECK(std::string(bundle.status().message()).find("\xE2\x80\xAE") == std::string::npos);
  }
}

}  // namespace
}  // namespace carnet::policies
