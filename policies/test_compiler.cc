// Test files: what each case sets and expects, checked when the bundle is loaded.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/keys.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kCasesMax = 4096;

// A value of `spec` as tests write it: numbers are decimal texts.
absl::StatusOr<nlohmann::json> JsonOf(const FactSpec& spec, const yaml::Node& node) {
  if (node.is_list()) {
    nlohmann::json items = nlohmann::json::array();
    for (const yaml::Node& item : node.items) {
      if (spec.type == FactType::kApprovals) {
        nlohmann::json approval = nlohmann::json::object();
        for (const yaml::Entry& entry : item.entries) {
          approval[entry.key] = entry.value.text;
        }
        items.push_back(std::move(approval));
        continue;
      }
      if (spec.type != FactType::kOwners) {
        items.push_back(item.is_scalar() ? nlohmann::json(item.text) : nlohmann::json(nullptr));
        continue;
      }
      const yaml::Node* place = item.is_map() ? item.Find("jurisdiction") : nullptr;
      const yaml::Node* percent = item.is_map() ? item.Find("percent") : nullptr;
      if (place == nullptr || percent == nullptr || item.entries.size() != 2) {
        return absl::InvalidArgumentError("an owner is {jurisdiction, percent}");
      }
      absl::StatusOr<double> share = ParseDecimal(percent->text);
      if (!share.ok()) {
        return share.status();
      }
      items.push_back({{"jurisdiction", place->text}, {"percent", *share}});
    }
    return items;
  }
  if (spec.type == FactType::kNumber && node.is_scalar()) {
    const absl::StatusOr<double> number = ParseDecimal(node.text);
    return number.ok() ? nlohmann::json(*number) : nlohmann::json(node.text);
  }
  return node.is_scalar() ? nlohmann::json(node.text) : nlohmann::json(nullptr);
}

void ApplyFacts(MapReader& reader, const yaml::Node* values, FactSet* facts) {
  if (values == nullptr) {
    return;
  }
  if (!values->is_map()) {
    reader.Fail(*values, "facts are no map", "expected facts such as {to.jurisdiction: SA}");
    return;
  }
  for (const yaml::Entry& entry : values->entries) {
    const FactSpec* spec = FindFactSpec(entry.key);
    if (spec == nullptr) {
      reader.diagnostics().Add(reader.file(), entry.key_position,
                               absl::StrCat("no fact is called '", entry.key, "'"),
                               Hint(entry.key, FactPaths(), "docs/facts.md lists every fact"));
      continue;
    }
    const absl::StatusOr<nlohmann::json> json = JsonOf(*spec, entry.value);
    absl::StatusOr<Value> value =
        json.ok() ? ValueFromJson(*spec, *json) : absl::StatusOr<Value>(json.status());
    const absl::Status set = value.ok() ? facts->Set(entry.key, *std::move(value)) : value.status();
    if (!set.ok()) {
      reader.Fail(entry.value, absl::StrCat("no value of ", entry.key), set.message());
    }
  }
}

absl::Time ReadInstant(MapReader& reader, absl::Time otherwise) {
  const yaml::Node* node = reader.Find("at");
  if (node == nullptr) {
    return otherwise;
  }
  const absl::StatusOr<absl::Time> at = ParseInstant(reader.Text("at", kTextBytesMax));
  if (!at.ok()) {
    reader.Fail(*node, "'at' is no time", at.status().message());
    return otherwise;
  }
  return *at;
}

// Every reason that a policy can give, as a test may name it.
std::set<std::string> ReasonsOf(const Policy& policy) {
  std::set<std::string> reasons = {absl::StrCat(policy.name, "/no-allow"),
                                   absl::StrCat(policy.name, "/review")};
  for (const Rule& rule : policy.rules) {
    reasons.insert(rule.reason);
    for (const Item& item : rule.items) {
      reasons.insert(absl::StrCat(rule.reason, ".", item.id));
    }
  }
  return reasons;
}

// A slip in `not_reason` would make a case pass for ever.
class ReasonChecker {
 public:
  explicit ReasonChecker(const CompiledBundle& bundle) {
    for (const Policy& policy : bundle.policies) {
      policies_.insert(policy.name);
      reasons_.merge(ReasonsOf(policy));
    }
  }

  void Check(MapReader& reader, absl::string_view key) const {
    for (const std::string& reason : reader.Texts(key, kTextBytesMax)) {
      CheckOne(reader, *reader.Find(key), reason);
    }
  }

  void CheckOne(MapReader& reader, const yaml::Node& at, const std::string& reason) const {
    const std::string policy = reason.substr(0, reason.find('/'));
    // Tests can travel with fewer policies than they know; the runner says so.
    if (policies_.count(policy) > 0 && reasons_.count(reason) == 0) {
      reader.Fail(at, absl::StrCat("no rule gives the reason '", reason, "'"),
                  Hint(reason, {reasons_.begin(), reasons_.end()},
                       "expected policy/rule or policy/rule.item"));
    }
  }

 private:
  std::set<std::string> policies_;
  std::set<std::string> reasons_;
};

struct SuiteScope {
  const FactSet* base;
  const yaml::Node* situations;
  absl::Time at;
  const ReasonChecker* reasons;
};

// {rule, of, within, text}.
ExpectedDuty CompileDuty(MapReader& test, const yaml::Node& node) {
  ExpectedDuty duty;
  MapReader reader(test.diagnostics(), test.file(), node, "an expected duty", keys::CaseDuty());
  duty.rule = reader.RequireText("rule", kTextBytesMax);
  duty.of = reader.Text("of", kTextBytesMax);
  duty.text = reader.Text("text", kTextBytesMax);
  if (const std::string within = reader.Text("within", kTextBytesMax); !within.empty()) {
    const absl::StatusOr<absl::Duration> span = ParseSpan(within);
    duty.within = span.ok() ? *span : absl::ZeroDuration();
    if (duty.within == absl::ZeroDuration()) {
      reader.Fail(*reader.Find("within"), "'within' is no span of time",
                  "expected a number of days or hours, such as 60d or 24h");
    }
  }
  return duty;
}

// The rule alone, or a map that says more of the duty; one, or a list.
std::vector<ExpectedDuty> CompileDuties(MapReader& reader, const ReasonChecker& reasons) {
  const yaml::Node* node = reader.Find("duty");
  if (node == nullptr) {
    return {};
  }
  std::vector<ExpectedDuty> duties;
  const auto add = [&](const yaml::Node& one) {
    ExpectedDuty duty;
    if (one.is_map()) {
      duty = CompileDuty(reader, one);
    } else if (one.is_scalar() && !one.text.empty() && one.text.size() <= kTextBytesMax) {
      duty.rule = one.text;
    } else {
      reader.Fail(one, "'duty' names no rule", "expected policy/rule.item, or {rule, of, within}");
    }
    reasons.CheckOne(reader, one, duty.rule);
    duties.push_back(std::move(duty));
  };
  if (!node->is_list()) {
    add(*node);
    return duties;
  }
  for (const yaml::Node& one : reader.List("duty")) {
    add(one);
  }
  return duties;
}

// What the flow's refusal must say of exceptions; an allowed flow needs none.
std::optional<bool> CompileExceptionPossible(MapReader& reader, const std::string& expect) {
  const yaml::Node* node = reader.Find("exception_possible");
  if (node == nullptr) {
    return std::nullopt;
  }
  if (expect == "allow") {
    reader.Fail(*node, "'exception_possible' of a flow that is allowed",
                "expected only where something fails");
  }
  return reader.YesNo("exception_possible");
}

TestCase CompileCase(const SuiteScope& scope, MapReader& suite, const yaml::Node& node) {
  TestCase test;
  MapReader reader(suite.diagnostics(), suite.file(), node, "a case", keys::Case());
  test.name = reader.RequireText("name", kTextBytesMax);
  test.place = absl::StrCat(suite.file(), ":", node.position.line, ":", node.position.column);
  test.facts = *scope.base;
  if (const std::string name = reader.Text("situation", kTextBytesMax); !name.empty()) {
    const yaml::Node* situation =
        scope.situations == nullptr ? nullptr : scope.situations->Find(name);
    if (situation == nullptr) {
      reader.Fail(*reader.Find("situation"), absl::StrCat("no situation is called '", name, "'"),
                  "define it under 'situations'");
    }
    ApplyFacts(reader, situation, &test.facts);
  }
  ApplyFacts(reader, reader.Find("set"), &test.facts);
  test.at = ReadInstant(reader, scope.at);
  if (test.at == absl::InfinitePast() && reader.Find("at") == nullptr) {
    reader.Fail(node, "the case has no time", "add 'at' to it or to the file");
  }
  reader.Require("expect");
  test.expect = reader.Word("expect", {"allow", "deny", "hold"});
  scope.reasons->Check(reader, "reason");
  scope.reasons->Check(reader, "not_reason");
  scope.reasons->Check(reader, "warns");
  scope.reasons->Check(reader, "shadows");
  scope.reasons->Check(reader, "not_warns");
  test.reasons = reader.Texts("reason", kTextBytesMax);
  test.not_reasons = reader.Texts("not_reason", kTextBytesMax);
  test.missing = reader.Texts("missing", kTextBytesMax);
  test.warns = reader.Texts("warns", kTextBytesMax);
  test.shadows = reader.Texts("shadows", kTextBytesMax);
  test.not_warns = reader.Texts("not_warns", kTextBytesMax);
  test.exceptions = reader.Texts("exception", kTextBytesMax);
  test.exception_possible = CompileExceptionPossible(reader, test.expect);
  test.duties = CompileDuties(reader, *scope.reasons);
  for (const std::string& path : test.missing) {
    if (FindFact(path) == kNoFact) {
      reader.Fail(*reader.Find("missing"), absl::StrCat("no fact is called '", path, "'"),
                  Hint(path, FactPaths(), "docs/facts.md lists every fact"));
    }
  }
  return test;
}

// Only the one regime that the design allows: kind regime, one rule that allows.
void CompileBaseAllow(MapReader& suite, TestSuite* compiled) {
  const yaml::Node* node = suite.Find("base-allow");
  if (node == nullptr) {
    return;
  }
  const yaml::Node* kind = node->is_map() ? node->Find("kind") : nullptr;
  const yaml::Node* rules = node->is_map() ? node->Find("rules") : nullptr;
  const yaml::Node* rule = rules != nullptr && rules->items.size() == 1 && rules->items[0].is_map()
                               ? &rules->items[0]
                               : nullptr;
  const yaml::Node* id = rule == nullptr ? nullptr : rule->Find("id");
  const yaml::Node* effect = rule == nullptr ? nullptr : rule->Find("effect");
  compiled->base_allow = kind != nullptr && kind->text == "regime" && node->entries.size() == 2 &&
                         id != nullptr && id->text == "ok" && effect != nullptr &&
                         effect->text == "allow" && rule->entries.size() == 2;
  if (!compiled->base_allow) {
    suite.Fail(*node, "'base-allow' is not the test-only regime",
               "expected {kind: regime, rules: [{id: ok, effect: allow}]}");
  }
}

}  // namespace

TestSuite CompileTests(const Document& document, const CompiledBundle& bundle,
                       Diagnostics& diagnostics) {
  TestSuite suite;
  MapReader reader(diagnostics, document.file, document.root, "a test file", keys::Tests());
  suite.name = reader.RequireId("tests");
  const yaml::Node& listed =
      reader.Find("bundle") == nullptr ? document.root : *reader.Find("bundle");
  suite.place = absl::StrCat(document.file, ":", listed.position.line, ":", listed.position.column);
  suite.policies = reader.Texts("bundle", kTextBytesMax);
  CompileBaseAllow(reader, &suite);
  FactSet base;
  base.SetCountersForAnyWindow();
  if (const yaml::Node* counters = reader.Find("counters"); counters != nullptr) {
    if (reader.Text("counters", kTextBytesMax) == "zero") {
      base.SetCountersZero();
    } else {
      reader.Fail(*counters, "'counters' can only be zero", "write 'counters: zero' or remove it");
    }
  }
  ApplyFacts(reader, reader.Find("base"), &base);
  const yaml::Node* situations = reader.Find("situations");
  if (situations != nullptr && !situations->is_map()) {
    reader.Fail(*situations, "'situations' is no map", "expected maps of facts by name");
    situations = nullptr;
  }
  const ReasonChecker reasons(bundle);
  const SuiteScope scope{&base, situations, ReadInstant(reader, absl::InfinitePast()), &reasons};
  CompileGroupTests(bundle, reader, &suite);
  const yaml::Node* cases = suite.groups.empty() ? reader.Require("cases") : reader.Find("cases");
  if (cases != nullptr && cases->items.size() > kCasesMax) {
    reader.Fail(*cases, "too many cases", absl::StrCat("at most ", kCasesMax, " in a file"));
    return suite;
  }
  if (cases != nullptr && cases->is_list()) {
    for (const yaml::Node& node : cases->items) {
      suite.cases.push_back(CompileCase(scope, reader, node));
    }
  }
  if (cases != nullptr && cases->items.empty()) {
    reader.Fail(*cases, "the file tests nothing", "expected a list of cases");
  }
  return suite;
}

}  // namespace carnet::policies
