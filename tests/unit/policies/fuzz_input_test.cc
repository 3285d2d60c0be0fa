// The corpus of the fuzz program policies_loader reaches decisions on facts: a program that never
// saw a value would fuzz the reading of files alone.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "policies/evaluate.h"
#include "testing.h"
#include "tests/fuzz/policies_input.h"
#include "tests/testing/source_dir.h"

namespace carnet::policies {
namespace {

using fuzz::DividePoliciesInput;
using fuzz::PoliciesInput;

std::string CorpusText(const std::string& name) {
  std::ifstream file(carnet::testing::InTree("tests/fuzz/corpus/policies_loader/" + name),
                     std::ios::binary);
  REQUIRE(file.is_open());
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

struct Entry {
  const char* name;
  v1::Verdict verdict;
  std::vector<std::string> reasons;
};

TEST_CASE("Fuzz input: entries of the corpus are decided on their facts, each in its own way") {
  const std::vector<Entry> entries = {
      {"decided-allow", v1::VERDICT_ALLOW, {}},
      {"decided-dates", v1::VERDICT_DENY, {"later/now"}},
      {"decided-deny", v1::VERDICT_DENY, {"guard/zone", "guard/bulk"}},
      {"decided-exception", v1::VERDICT_ALLOW, {}},
      {"decided-hold", v1::VERDICT_HOLD, {"sign/abroad.yes"}},
  };
  for (const Entry& entry : entries) {
    CAPTURE(entry.name);
    const PoliciesInput input = DividePoliciesInput(CorpusText(entry.name));
    const auto facts = FactSet::FromJson(input.facts);
    REQUIRE(facts.ok());
    CHECK(facts->Known().size() >= 5);
    const auto bundle = BundleFromFiles(input.files);
    INFO(bundle.status().ToString());
    REQUIRE(bundle.ok());
    const v1::Decision decision = Evaluate(**bundle, *facts, fuzz::PoliciesInputTime());
    CHECK(decision.verdict() == entry.verdict);
    CHECK(Reasons(decision) == entry.reasons);
    // The facts are what makes the difference.
    CHECK(Evaluate(**bundle, FactSet(), fuzz::PoliciesInputTime()).verdict() == v1::VERDICT_DENY);
  }
}

TEST_CASE("Fuzz input: a bundle in JSON is decided on facts too") {
  const PoliciesInput input = DividePoliciesInput(CorpusText("decided-by-json"));
  const auto facts = FactSet::FromJson(input.facts);
  REQUIRE(facts.ok());
  CHECK(facts->Get("to.jurisdiction") == Value::Text("FR"));
  const auto bundle = BundleFromJson(input.policies);
  REQUIRE(bundle.ok());
  CHECK(Evaluate(**bundle, *facts, fuzz::PoliciesInputTime()).verdict() == v1::VERDICT_ALLOW);
  CHECK(Evaluate(**bundle, FactSet(), fuzz::PoliciesInputTime()).verdict() == v1::VERDICT_DENY);
}

TEST_CASE(
    "Fuzz input: facts end at the first line of three signs, and without one there are none") {
  const PoliciesInput all = DividePoliciesInput("a\n%%\nb");
  CHECK(all.facts.empty());
  CHECK(all.policies == "a\n%%\nb");
  REQUIRE(all.files.size() == 2);
  CHECK(all.files[1].text == "b");
  const PoliciesInput both = DividePoliciesInput("{}\n%%%\na\n%%\nb\n%%%\nc");
  CHECK(both.facts == "{}");
  REQUIRE(both.files.size() == 2);
  CHECK(both.files[0].text == "a");
  CHECK(both.files[1].text == "b\n%%%\nc");
}

}  // namespace
}  // namespace carnet::policies
