#include "policies/obligations.h"

#include <catch2/catch.hpp>

namespace carnet::policies {
namespace {

v1::Obligation Of(const std::string& kind, const std::string& bound, const std::string& rule) {
  v1::Obligation obligation;
  obligation.set_kind(kind);
  obligation.set_bound(bound);
  obligation.set_rule(rule);
  obligation.set_phase("runtime");
  return obligation;
}

// "kind bound by rule" of each.
std::vector<std::string> Words(const MergedObligations& merged) {
  std::vector<std::string> words;
  for (const v1::Obligation& obligation : merged.obligations) {
    words.push_back(obligation.kind() + " " + obligation.bound() + " by " + obligation.rule());
  }
  return words;
}

using Texts = std::vector<std::string>;

TEST_CASE("Obligations: the strictest of each kind holds") {
  const MergedObligations merged = MergeObligations(
      {Of("secagg.k", "at_least 8", "a/x"), Of("dp.epsilon", "at_most 8", "a/y"),
       Of("secagg.k", "at_least 12", "b/x"), Of("dp.epsilon", "at_most 2.5", "b/y"),
       Of("secagg.k", "at_least 4", "c/x"), Of("key.held_in", "in DE FR", "a/z"),
       Of("key.held_in", "in AT FR", "b/z"), Of("worker.attested", "is yes", "a/w"),
       Of("worker.attested", "is yes", "b/w")});
  CHECK(merged.conflicts.empty());
  CHECK(Words(merged) == Texts{"dp.epsilon at_most 2.5 by b/y", "key.held_in is FR by b/z",
                               "secagg.k at_least 12 by b/x", "worker.attested is yes by a/w"});
}

TEST_CASE("Obligations: more than a number is stricter than at least it") {
  const MergedObligations merged =
      MergeObligations({Of("secagg.k", "at_least 8", "a"), Of("secagg.k", "more_than 8", "b"),
                        Of("secagg.k", "at_least 8", "c")});
  CHECK(Words(merged) == Texts{"secagg.k more_than 8 by b"});
}

TEST_CASE("Obligations: what nothing satisfies is a conflict that names both rules") {
  const std::vector<std::vector<v1::Obligation>> impossible = {
      {Of("secagg.k", "at_least 8", "first"), Of("secagg.k", "at_most 7", "second")},
      {Of("secagg.k", "more_than 8", "first"), Of("secagg.k", "at_most 8", "second")},
      {Of("key.held_in", "is DE", "first"), Of("key.held_in", "in FR SG", "second")}};
  for (const auto& obligations : impossible) {
    const MergedObligations merged = MergeObligations(obligations);
    REQUIRE(merged.conflicts.size() == 1);
    CHECK(merged.conflicts[0].first_rule == "first");
    CHECK(merged.conflicts[0].second_rule == "second");
  }
  CHECK(MergeObligations({Of("secagg.k", "at_least 8", "a"), Of("secagg.k", "at_most 8", "b")})
            .conflicts.empty());
}

TEST_CASE("Obligations: one in a form that nobody writes conflicts with itself") {
  for (const char* bound : {"", "8", "at_least", "at_least many", "is", "perhaps yes"}) {
    CAPTURE(bound);
    CHECK(MergeObligations({Of("secagg.k", bound, "a")}).conflicts.size() == 1);
  }
}

TEST_CASE("Obligations: nothing asked is nothing owed") {
  const MergedObligations merged = MergeObligations({});
  CHECK(merged.obligations.empty());
  CHECK(merged.conflicts.empty());
}

}  // namespace
}  // namespace carnet::policies
