#include "policies/facts.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>
#include <sstream>

#include "crypto/hash.h"
#include "policies/fact_setters.h"
#include "testing.h"
#include "tests/testing/source_dir.h"

namespace carnet::policies {
namespace {

TEST_CASE("Facts: the enumerators name the rows of the table") {
  CHECK(FactTable().size() == kFactCount);
  CHECK(FindFact("artifact.anonymity") == kArtifactAnonymity);
  CHECK(FindFact("at") == kAt);
  CHECK(FindFact("evidence") == kEvidence);
  CHECK(FindFact("bridge.opa") == kBridgeOpa);
  CHECK(FindFact("op") == kOp);
  CHECK(FindFact("recipient.certifications") == kRecipientCertifications);
  CHECK(FindFact("secagg.k") == kSecaggK);
  CHECK(FindFact("to.location_grade") == kToLocationGrade);
  CHECK(FindFact("worker.trainer_isolated") == kWorkerTrainerIsolated);
  CHECK(FindFact("people.US.health") == kCounters);
  for (std::size_t i = 0; i < kFactCount; ++i) {
    CHECK(FindFact(FactTable()[i].path) == static_cast<FactId>(i));
  }
}

TEST_CASE("Facts: each has something that records it, or says that it has not") {
  for (FactId fact = 0; fact <= kCounters; ++fact) {
    const FactSpec& row =
        fact == kCounters ? CounterSpec() : FactTable().at(static_cast<std::size_t>(fact));
    CAPTURE(row.path);
    const FactSetter& setter = SetterOf(fact);
    CHECK(setter.fact == fact);
    const std::string command = setter.command;
    const std::string otherwise = setter.otherwise;
    CHECK_FALSE((command.empty() && otherwise.empty()));
    CHECK((command.empty() || command.rfind("carnet ", 0) == 0));
    // What people state, people have a command for.
    if (row.source == FactSource::kCompliance || row.source == FactSource::kSteward) {
      CHECK_FALSE(command.empty());
    }
  }
}

TEST_CASE("Facts: nothing outside the table exists") {
  for (const char* path : {"", "to", "to.country", "op ", "people.US", "people.UK.health",
                           "people.US.shoes", "people.US.health.x", "people..health"}) {
    CAPTURE(path);
    CHECK(FindFact(path) == kNoFact);
    FactSet facts;
    CHECK_FALSE(facts.Set(path, Value::Text("DE")).ok());
  }
}

TEST_CASE("Facts: a value outside its fact's type is refused") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<std::string, Value>> wrong = {
      {"op", Value::Text("fly")},
      {"bridge.opa", Value::Text("error")},
      {"op", Value::Number(1)},
      {"data.personal", Value::Text("true")},
      {"to.jurisdiction", Value::Text("UK")},
      {"to.jurisdiction", Value::List({"DE"})},
      {"to.location_grade", Value::Text("sure")},
      {"data.subjects_in", Value::List({"DE", "XX"})},
      {"data.subjects_in", Value::Text("DE")},
      {"data.categories", Value::List({"gossip"})},
      {"evidence", Value::List({"a-letter"})},
      {"worker.chip_eccn", Value::Text("3A090.z")},
      {"secagg.k", Value::Number(-1)},
      {"dp.epsilon", Value::Number(nan)},
      {"dp.epsilon", Value::Number(infinite)},
      {"secagg.k", Value::Text("8")},
      {"recipient.org", Value::Text("")},
      {"recipient.org", Value::Text("unknown")},
      {"recipient.org", Value::Text("line\nbreak")},
      {"recipient.org", Value::Text("caf\xC3\xA9")},
      {"recipient.org", Value::Text(std::string(kFactNameBytesMax + 1, 'a'))},
      {"recipient.owners", Value::Owners({{"XX", 10}})},
      {"recipient.owners", Value::Owners({{"DE", 101}})},
      {"recipient.owners", Value::Owners({{"DE", -1}})},
      {"recipient.owners", Value::Owners({{"DE", 60}, {"FR", 50}})},
      {"people.US.health", Value::Number(-1)},
      {"people.US.health", Value::Text("many")},
      {"at", Value::Text("2026-11-21")},
  };
  for (const auto& one : wrong) {
    FactSet facts;
    const absl::Status status = facts.Set(one.first, one.second);
    CAPTURE(one.first, status.ToString());
    REQUIRE_FALSE(status.ok());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(status.message()), Catch::Contains(one.first));
    CHECK(facts == FactSet());
  }
}

TEST_CASE("Facts: what is not set is unknown, and unknown is as if not set") {
  FactSet facts;
  CHECK(facts.Get("to.jurisdiction").is_unknown());
  CHECK(facts.Get("people.US.health").is_unknown());
  REQUIRE(facts.Set("to.jurisdiction", Value::Text("DE")).ok());
  REQUIRE(facts.Set("people.US.health", Value::Number(3)).ok());
  REQUIRE(facts.Set("to.jurisdiction", Value::Unknown()).ok());
  REQUIRE(facts.Set("people.US.health", Value::Unknown()).ok());
  CHECK(facts == FactSet());
  CHECK(facts.CanonicalJson() == "{}");
}

TEST_CASE("Facts: the JSON is canonical, sorted by path, and reads back") {
  FactSet facts;
  REQUIRE(facts.Set("to.jurisdiction", Value::Text("AE-DIFC")).ok());
  REQUIRE(facts.Set("secagg.k", Value::Number(12)).ok());
  REQUIRE(facts.Set("recipient.org", Value::Text("a \"b\" \\c")).ok());
  REQUIRE(facts.Set("recipient.owners", Value::Owners({{"RU", 2}, {"CN", 49.5}})).ok());
  REQUIRE(facts.Set("recipient.certifications", Value::List({})).ok());
  REQUIRE(facts.Set("people.US.health", Value::Number(10001)).ok());
  REQUIRE(facts.Set("dp.epsilon", Value::NotApplicable()).ok());
  REQUIRE(facts.Set("dp.delta", Value::Number(1e-6)).ok());
  REQUIRE(facts.Set("data.subjects_in", Value::List({"KE", "DE", "KE", "unknown"})).ok());
  REQUIRE(facts.Set("data.personal", Value::YesNo(true)).ok());
  // Written by hand after RFC 8785: sorted keys, no blanks, 1e-6 as ECMAScript writes it.
  const std::string expected =
      R"({"data.personal":"yes","data.subjects_in":["DE","KE","unknown"],"dp.delta":0.000001,)"
      R"("dp.epsilon":"not_applicable","people.US.health":10001,"recipient.certifications":[],)"
      R"("recipient.org":"a \"b\" \\c","recipient.owners":[{"jurisdiction":"CN","percent":49.5},)"
      R"({"jurisdiction":"RU","percent":2}],"secagg.k":12,"to.jurisdiction":"AE-DIFC"})";
  CHECK(facts.CanonicalJson() == expected);
  CHECK(facts.Sha256() == crypto::Sha256(AsBytes(expected)));
  const auto again = FactSet::FromJson(expected);
  REQUIRE(again.ok());
  CHECK(*again == facts);
  CHECK(facts.Known().size() == 10);
}

TEST_CASE("Facts: JSON that is not facts is refused") {
  for (const char* json :
       {"[]", "1", "{\"nothing\":1}", "{\"op\":true}", "{\"op\":null}", "{\"op\":{}}",
        "{\"data.subjects_in\":[1]}", "{\"secagg.k\":\"8\"}", "{\"op\":\"train\",\"op\":\"train\"}",
        "{\"recipient.owners\":[{\"jurisdiction\":\"CN\"}]}", "{\"at\":\"2026-11-21T00:00:00Z\"}",
        "{\"op\":\"train\"", ""}) {
    CAPTURE(json);
    CHECK_FALSE(FactSet::FromJson(json).ok());
  }
}

TEST_CASE("Facts: counters have a limit") {
  FactSet facts;
  std::size_t set = 0;
  absl::Status status;
  for (const char* code : {"DE", "FR"}) {
    for (int part = 0; part < 30 && status.ok(); ++part) {
      for (const std::string& category : CounterCategories()) {
        status =
            facts.Set(absl::StrCat("people.", code, "-", part, ".", category), Value::Number(1));
        set += status.ok() ? 1 : 0;
        if (!status.ok()) {
          break;
        }
      }
    }
  }
  CHECK(set == kFactCountersMax);
  CHECK_FALSE(status.ok());
}

TEST_CASE("Facts: docs/facts.md is what the table says") {
  std::ifstream file(testing::InTree("docs/facts.md"));
  std::stringstream text;
  text << file.rdbuf();
  INFO("write it anew with: carnet policy facts > docs/facts.md");
  CHECK(text.str() == FactsPage());
}

}  // namespace
}  // namespace carnet::policies
