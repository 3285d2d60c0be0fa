// From trees to conditions. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_CONDITION_PARSER_H_
#define CARNET_POLICIES_CONDITION_PARSER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/yaml.h"
#include "policies/compiled.h"
#include "policies/source.h"

namespace carnet::policies {

using Names = std::map<std::string, int, std::less<>>;

// What the names in a condition can mean.
struct ConditionScope {
  Diagnostics* diagnostics = nullptr;
  std::string file;
  const Names* groups = nullptr;  // null: groups may not be named here
  const Names* terms = nullptr;   // null: terms may not be named here
  const std::vector<Group>* group_table = nullptr;
  const Aliases* aliases = nullptr;
  std::string home;
  absl::TimeZone zone = absl::UTCTimeZone();
  // Whether bridge.opa may be asked: where its yes can only be one more thing that is needed.
  bool may_ask_bridge = false;
};

// What facts of this type can be asked.
std::vector<std::string> OperatorsOf(FactType type);

// A block: a map of facts, `any` and `terms`, all of which must be true. Mistakes go to the scope's
// diagnostics.
Condition ParseCondition(const ConditionScope& scope, const yaml::Node& node);

// One place, several, or groups: `DE`, `home`, `group:eea`, `[DE, group:eea]`.
PlaceSet ParsePlaces(const ConditionScope& scope, const yaml::Node& node);

// Which operations and kinds `condition` can be anything but false for.
Reach ReachOf(const Condition& condition, const std::vector<NamedCondition>& terms);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_CONDITION_PARSER_H_
