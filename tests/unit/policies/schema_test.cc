#include "policies/schema.h"

#include <catch2/catch.hpp>
#include <regex>

#include "absl/strings/match.h"
#include "base/yaml.h"
#include "policies/packs.h"

namespace carnet::policies {
namespace {

using nlohmann::json;

// The part of JSON Schema 2020-12 that PolicySchema uses, after sections 7 to 10 of
// draft-bhutton-json-schema-01 and section 6 of its validation vocabulary.
class Validator {
 public:
  explicit Validator(json schema) : schema_(std::move(schema)) {}

  bool Accepts(const json& value) const { return Fits(schema_, value); }

 private:
  bool Fits(const json& schema, const json& value) const {
    return FitsType(schema, value) && FitsRef(schema, value) && FitsObject(schema, value) &&
           FitsList(schema, value);
  }

  static bool FitsType(const json& schema, const json& value) {
    if (schema.contains("type")) {
      const json& type = schema["type"];
      const std::string name = value.is_number() ? "number" : value.type_name();
      if (type.is_array() ? std::find(type.begin(), type.end(), name) == type.end()
                          : type != name) {
        return false;
      }
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
      return false;
    }
    return !schema.contains("pattern") || !value.is_string() ||
           std::regex_search(value.get<std::string>(),
                             std::regex(schema["pattern"].get<std::string>()));
  }

  bool FitsRef(const json& schema, const json& value) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"];
      REQUIRE(absl::StartsWith(ref, "#/$defs/"));
      REQUIRE(schema_["$defs"].contains(ref.substr(8)));
      if (!Fits(schema_["$defs"][ref.substr(8)], value)) {
        return false;
      }
    }
    return !schema.contains("anyOf") ||
           std::any_of(schema["anyOf"].begin(), schema["anyOf"].end(),
                       [&](const json& one) { return Fits(one, value); });
  }

  bool FitsList(const json& schema, const json& value) const {
    if (!value.is_array()) {
      return true;
    }
    if (value.size() < schema.value("minItems", std::size_t{0})) {
      return false;
    }
    return !schema.contains("items") ||
           std::all_of(value.begin(), value.end(),
                       [&](const json& item) { return Fits(schema["items"], item); });
  }

  bool FitsObject(const json& schema, const json& value) const {
    if (!value.is_object()) {
      return true;
    }
    for (const json& key : schema.value("required", json::array())) {
      if (!value.contains(key.get<std::string>())) {
        return false;
      }
    }
    if (value.size() < schema.value("minProperties", std::size_t{0})) {
      return false;
    }
    for (const auto& entry : value.items()) {
      if (!FitsProperty(schema, entry.key(), entry.value())) {
        return false;
      }
    }
    return true;
  }

  bool FitsProperty(const json& schema, const std::string& key, const json& value) const {
    if (schema.contains("properties") && schema["properties"].contains(key)) {
      return Fits(schema["properties"][key], value);
    }
    const json patterns = schema.value("patternProperties", json::object());
    for (const auto& pattern : patterns.items()) {
      if (std::regex_search(key, std::regex(pattern.key()))) {
        return Fits(pattern.value(), value);
      }
    }
    const json additional = schema.value("additionalProperties", json(true));
    return additional.is_boolean() ? additional.get<bool>() : Fits(additional, value);
  }

  json schema_;
};

json ToJson(const yaml::Node& node) {
  if (node.is_scalar()) {
    return node.text;
  }
  json value = node.is_list() ? json::array() : json::object();
  for (const yaml::Node& item : node.items) {
    value.push_back(ToJson(item));
  }
  for (const yaml::Entry& entry : node.entries) {
    value[entry.key] = ToJson(entry.value);
  }
  return value;
}

json Read(const std::string& text) {
  const auto node = yaml::Parse(text, "f.yaml");
  REQUIRE(node.ok());
  return ToJson(*node);
}

TEST_CASE("Schema: every file of the packs fits") {
  const Validator validator(PolicySchema());
  for (const SourceFile& file : PackFiles()) {
    CAPTURE(file.name);
    CHECK(validator.Accepts(Read(file.text)));
  }
}

TEST_CASE("Schema: slips of the keyboard do not fit") {
  const Validator validator(PolicySchema());
  const json good = Read(FindPack("us-ear-ai")->files.front().text);
  REQUIRE(validator.Accepts(good));
  const auto broken = [&good](const std::string& at, const json& value) {
    json changed = good;
    changed[json::json_pointer(at)] = value;
    return changed;
  };
  CHECK_FALSE(validator.Accepts(broken("/rulez", json::array())));
  CHECK_FALSE(validator.Accepts(broken("/kind", "guard")));
  CHECK_FALSE(validator.Accepts(broken("/mode", "on")));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/effect", "refuse")));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/requires", json::array())));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/when", {{"to.country", {{"is", "DE"}}}})));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/when", {{"to.jurisdiction", {{"has", "DE"}}}})));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/when", {{"to.jurisdiction", {{"is", "de"}}}})));
  CHECK_FALSE(validator.Accepts(broken("/rules/0/when", {{"op", {{"is", "sent"}}}})));
  CHECK_FALSE(
      validator.Accepts(broken("/rules/0/when", {{"people.US.shoes", {{"more_than", "1"}}}})));
  json without = good;
  without.erase("approvals");
  CHECK_FALSE(validator.Accepts(without));
  CHECK_FALSE(validator.Accepts(json::object()));
}

TEST_CASE("Schema: what a case expects fits, and a slip in it does not") {
  const Validator validator(PolicySchema());
  const auto accepts = [&validator](const std::string& rest) {
    return validator.Accepts(Read("tests: t\ncases:\n  - {name: a, expect: deny, " + rest + "}\n"));
  };
  CHECK(accepts("warns: p/a, shadows: [p/b], exception_possible: no"));
  CHECK(accepts("duty: [p/a.b, {rule: p/a.c, of: dpo, within: 24h, text: Delete it.}]"));
  CHECK_FALSE(accepts("exception_possible: perhaps"));
  CHECK_FALSE(accepts("shadow: p/b"));
  CHECK_FALSE(accepts("duty: {of: dpo}"));
  CHECK_FALSE(accepts("duty: {rule: p/a.c, within: soon}"));
}

}  // namespace
}  // namespace carnet::policies
