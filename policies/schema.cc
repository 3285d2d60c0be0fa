#include "policies/schema.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/compiler.h"
#include "policies/condition_parser.h"
#include "policies/facts.h"
#include "policies/keys.h"

namespace carnet::policies {
namespace {

using nlohmann::json;

json Ref(const std::string& name) {
  return {{"$ref", absl::StrCat("#/$defs/", name)}};
}

// Scalars are texts or decimal numbers; editors read plain ones as they like.
json Scalar() {
  return {{"type", {"string", "number", "boolean"}}};
}

json Words(const std::vector<std::string>& words) {
  return {{"enum", words}};
}

json YesNo() {
  return {{"enum", {"yes", "no", true, false}}};
}

json OneOrMore(const json& one) {
  return {{"anyOf", {one, {{"type", "array"}, {"items", one}}}}};
}

json ListOf(const json& one) {
  return {{"type", "array"}, {"items", one}, {"minItems", 1}};
}

// A map of these keys and no others; what is not in `known` is any value.
json Map(const std::vector<std::string>& keys, const json& known,
         const std::vector<std::string>& required) {
  json properties = json::object();
  for (const std::string& key : keys) {
    properties[key] = known.value(key, json::object());
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", required},
          {"additionalProperties", false}};
}

// One value of the fact, as a rule names it.
json ValueSchema(const FactSpec& spec) {
  switch (spec.type) {
    case FactType::kYesNo:
      return YesNo();
    case FactType::kWord:
    case FactType::kWords:
    case FactType::kRank:
    case FactType::kChip:
      return Words(spec.words);
    case FactType::kNumber:
      return Ref("number");
    case FactType::kJurisdiction:
    case FactType::kJurisdictions:
      return Ref("place");
    default:
      return Scalar();
  }
}

json OperatorSchema(const FactSpec& spec, const std::string& name) {
  const json one = ValueSchema(spec);
  const bool places = spec.type == FactType::kJurisdiction || spec.type == FactType::kJurisdictions;
  if (name == "owned_by") {
    return Map({"group", "at_least", "more_than"},
               {{"at_least", Ref("number")}, {"more_than", Ref("number")}}, {"group"});
  }
  if (name == "in" || name == "not_in" || name == "any_in" || name == "all_in") {
    return places ? Ref("places") : ListOf(one);
  }
  return one;
}

// {operator: value, …} of a fact.
json TestsOf(const FactSpec& spec) {
  json operators = json::object();
  for (const std::string& name : OperatorsOf(spec.type)) {
    operators[name] = OperatorSchema(spec, name);
  }
  return {{"type", "object"},
          {"description", spec.meaning},
          {"properties", std::move(operators)},
          {"minProperties", 1},
          {"additionalProperties", false}};
}

std::string CounterPattern() {
  return absl::StrCat("^people\\.[A-Z]{2}(-[A-Z0-9]{1,8})?\\.(",
                      absl::StrJoin(CounterCategories(), "|"), ")(@.+)?$");
}

json ConditionSchema() {
  json properties = {{"any", ListOf(Ref("condition"))}, {"terms", ListOf({{"type", "string"}})}};
  for (const FactSpec& spec : FactTable()) {
    if (!OperatorsOf(spec.type).empty()) {
      properties[spec.path] = TestsOf(spec);
    }
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"patternProperties", {{CounterPattern(), TestsOf(CounterSpec())}}},
          {"additionalProperties", false}};
}

// Facts as tests state them.
json FactsSchema() {
  json properties = json::object();
  for (const FactSpec& spec : FactTable()) {
    properties[spec.path] = {{"description", spec.meaning}};
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"patternProperties", {{CounterPattern(), Scalar()}}},
          {"additionalProperties", false}};
}

json StatusSchema() {
  json known = {{"note", Scalar()}};
  for (const char* key : {"in_force", "not_enforced", "proposed"}) {
    known[key] = YesNo();
  }
  return {
      {"anyOf", {Words({"in_force", "not_enforced", "proposed"}), Map(keys::Status(), known, {})}}};
}

json ItemSchema() {
  json forms = json::array();
  for (const Phase phase : {Phase::kPre, Phase::kPost, Phase::kApproval}) {
    const json words = phase == Phase::kPost       ? Words({"post"})
                       : phase == Phase::kApproval ? Words({"approval"})
                                                   : Words({"pre", "runtime"});
    json required = {"id"};
    if (phase == Phase::kPre) {
      required.push_back("check");
    } else {
      required.push_back("phase");
    }
    forms.push_back(Map(ItemKeys(phase),
                        {{"id", Ref("id")},
                         {"phase", words},
                         {"check", Ref("condition")},
                         {"fix", Ref("text")},
                         {"from", OneOrMore(Ref("id"))},
                         {"need", Ref("number")}},
                        required.get<std::vector<std::string>>()));
  }
  const json days = {{"type", "string"}, {"pattern", "^[0-9]+d$"}};
  const json retention = Map(RetentionKeys(),
                             {{"for", {{"type", "string"}, {"pattern", "^u-[a-z2-7]{16}$"}}},
                              {"at_least", days},
                              {"at_most", days}},
                             {"for"});
  forms.push_back(Map({"id", "phase", "fix", "note", "retain_deltas"},
                      {{"id", Ref("id")},
                       {"phase", Words({"runtime"})},
                       {"fix", Ref("text")},
                       {"retain_deltas", retention}},
                      {"id", "phase", "retain_deltas"}));
  return {{"anyOf", std::move(forms)}};
}

json RuleSchema() {
  const std::vector<std::pair<std::string, Effect>> effects = {{"allow", Effect::kAllow},
                                                               {"deny", Effect::kDeny},
                                                               {"require", Effect::kRequire},
                                                               {"limit", Effect::kLimit},
                                                               {"declassify", Effect::kDeclassify}};
  json forms = json::array();
  for (const auto& [word, effect] : effects) {
    std::vector<std::string> required = {"id", "effect"};
    if (effect == Effect::kRequire) {
      required.emplace_back("require");
    }
    forms.push_back(Map(RuleKeys(effect),
                        {{"id", Ref("id")},
                         {"effect", Words({word})},
                         {"when", Ref("condition")},
                         {"unless", Ref("condition")},
                         {"because", Ref("text")},
                         {"fix", Ref("text")},
                         {"cites", OneOrMore(Ref("text"))},
                         {"unconfirmed", OneOrMore(Ref("text"))},
                         {"mode", Ref("mode")},
                         {"status", StatusSchema()},
                         {"floor", YesNo()},
                         {"require", ListOf(ItemSchema())},
                         {"removes", OneOrMore(Words(FactTable()[kDataCategories].words))},
                         {"ceiling", Ref("number")}},
                        required));
  }
  return {{"anyOf", std::move(forms)}};
}

json PolicyFile() {
  return Map(keys::Policy(),
             {{"policy", Ref("id")},
              {"kind", Words({"regime", "guardrail"})},
              {"title", Ref("text")},
              {"mode", Ref("mode")},
              {"applies_when", Ref("condition")},
              {"unless", Ref("condition")},
              {"terms", {{"type", "object"}, {"additionalProperties", Ref("condition")}}},
              {"rules", ListOf(Ref("rule"))},
              {"exceptions",
               ListOf(Map(keys::Exception(), {{"id", Ref("id")}, {"only_when", Ref("condition")}},
                          {"id", "lifts", "only_when", "ticket", "valid"}))},
              {"sources", OneOrMore(Ref("text"))}},
             {"policy", "kind", "title", "approvals", "effective", "rules"});
}

json GroupsFile() {
  const json member = Map({"code", "when", "note"}, {{"when", Ref("condition")}}, {"code", "when"});
  const json group = Map(keys::Group(),
                         {{"members", {{"type", "array"}, {"items", Ref("place")}}},
                          {"conditional", ListOf(member)},
                          {"expression", Ref("text")}},
                         {});
  return Map(
      keys::Groups(),
      {{"home", Ref("place")}, {"groups", {{"type", "object"}, {"additionalProperties", group}}}},
      {"groups"});
}

json TestsFile() {
  const json duty = {
      {"anyOf",
       {Ref("text"), Map(keys::CaseDuty(),
                         {{"rule", Ref("text")},
                          {"of", Ref("id")},
                          {"within", {{"type", "string"}, {"pattern", "^[0-9]+[dh]$"}}},
                          {"text", Ref("text")}},
                         {"rule"})}}};
  const json test = Map(keys::Case(),
                        {{"name", Ref("text")},
                         {"set", Ref("facts")},
                         {"expect", Words({"allow", "deny", "hold"})},
                         {"reason", OneOrMore(Ref("text"))},
                         {"warns", OneOrMore(Ref("text"))},
                         {"shadows", OneOrMore(Ref("text"))},
                         {"exception_possible", YesNo()},
                         {"duty", OneOrMore(duty)}},
                        {"name", "expect"});
  const json group = Map(
      keys::GroupTest(),
      {{"group", Ref("id")}, {"members", ListOf(Ref("place"))}, {"perhaps", ListOf(Ref("place"))}},
      {"group", "members"});
  return Map(keys::Tests(),
             {{"tests", Ref("id")},
              {"bundle", OneOrMore(Ref("id"))},
              {"base", Ref("facts")},
              {"counters", Words({"zero"})},
              {"situations", {{"type", "object"}, {"additionalProperties", Ref("facts")}}},
              {"cases", ListOf(test)},
              {"groups", ListOf(group)}},
             {"tests"});
}

}  // namespace

json PolicySchema() {
  const json place = {{"type", "string"},
                      {"pattern", "^([A-Z]{2}(-[A-Z0-9]{1,8})?|home|group:[A-Za-z0-9_-]+)$"}};
  const json number = {{"anyOf",
                        {{{"type", "number"}, {"minimum", 0}},
                         {{"type", "string"}, {"pattern", "^[0-9]+(\\.[0-9]+)?$"}}}}};
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "A file of a bundle of policies"},
          {"anyOf", {Ref("policy"), Ref("groups"), Ref("tests")}},
          {"$defs",
           {{"policy", PolicyFile()},
            {"groups", GroupsFile()},
            {"tests", TestsFile()},
            {"rule", RuleSchema()},
            {"condition", ConditionSchema()},
            {"facts", FactsSchema()},
            {"mode", Words({"enforce", "warn", "shadow"})},
            {"id", {{"type", "string"}, {"pattern", "^[A-Za-z0-9][A-Za-z0-9_-]*$"}}},
            {"text", Scalar()},
            {"number", number},
            {"place", place},
            {"places", {{"anyOf", {place, ListOf(place)}}}}}}};
}

}  // namespace carnet::policies
