// Conditions over facts in three values. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_CONDITION_H_
#define CARNET_POLICIES_CONDITION_H_

#include <google/protobuf/repeated_field.h>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "policies/compiled.h"
#include "policies/facts.h"

namespace carnet::policies {

// The facts as one policy sees them. Points into its arguments.
struct FactView {
  FactView(const CompiledBundle& bundle_in, const FactSet& facts_in, absl::Time at_in);

  // What was answered is asked again: a fact changed.
  void Forget() { memo.assign(memo.size(), kNotAsked); }
  // Now through the eyes of `policy`: its terms and aliases.
  void Enter(const Policy& policy) {
    terms = &policy.terms;
    aliases = policy.aliases;
  }

  const CompiledBundle* bundle;
  const FactSet* facts;
  std::array<const Value*, kFactCount> values;
  std::array<std::uint64_t, kFactCount> bits;
  absl::Time at;
  const std::vector<NamedCondition>* terms = nullptr;
  const Aliases* aliases = nullptr;
  // Answers by Condition::memo, as they are found.
  static constexpr std::uint8_t kNotAsked = 0xff;
  mutable std::vector<std::uint8_t> memo;
};

// Some of the facts.
struct NamedFacts {
  std::uint64_t of_table = 0;      // bits by their position in the table
  std::set<std::string> counters;  // paths

  bool empty() const { return of_table == 0 && counters.empty(); }
  void Add(const NamedFacts& more);
};
using TextList = google::protobuf::RepeatedPtrField<std::string>;
// Adds their paths, or "path = value" of each; sorted.
void AddPaths(const NamedFacts& facts, TextList* paths);
void AddTexts(const NamedFacts& facts, const FactView& view, TextList* texts);

Truth Test(const Condition& condition, const FactView& view);

// Whether the place `code` (a fact's value: `home` and aliases are followed) is in `places`.
Truth PlaceIn(absl::string_view code, const PlaceSet& places, const FactView& view);

// The facts whose absence makes `condition` unknown; none if it is not unknown.
void CollectMissing(const Condition& condition, const FactView& view, NamedFacts* missing);

// Every fact that `condition` reads.
void CollectUsed(const Condition& condition, const FactView& view, NamedFacts* used);

// In words: "the destination is in group eea and the evidence on file includes tia".
std::string Describe(const Condition& condition, const std::vector<NamedCondition>& terms);

// What keeps `condition` from being true, in words: "the number of organisations in each secure sum
// is 7; needed: at least 8".
std::string DescribeUnmet(const Condition& condition, const FactView& view);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_CONDITION_H_
