// Conditions over facts in three values. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_CONDITION_H_
#define CARNET_POLICIES_CONDITION_H_

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

Truth Test(const Condition& condition, const FactView& view);

// Whether the place `code` (a fact's value: `home` and aliases are followed) is in `places`.
Truth PlaceIn(absl::string_view code, const PlaceSet& places, const FactView& view);

// Paths of the facts whose absence makes `condition` unknown; none if it is not unknown.
void CollectMissing(const Condition& condition, const FactView& view, std::set<std::string>* paths);

// "path = value" of every fact that `condition` reads.
void CollectUsed(const Condition& condition, const FactView& view, std::set<std::string>* used);

// In words: "the destination is in group eea and the evidence on file includes tia".
std::string Describe(const Condition& condition, const std::vector<NamedCondition>& terms);

// What keeps `condition` from being true, in words: "the number of organisations in each secure sum
// is 7; needed: at least 8".
std::string DescribeUnmet(const Condition& condition, const FactView& view);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_CONDITION_H_
