#include "policies/group_tests.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/compiler.h"
#include "policies/condition.h"
#include "policies/jurisdictions.h"
#include "policies/keys.h"

namespace carnet::policies {
namespace {

bool Contains(const std::vector<std::string>& list, const std::string& code) {
  return std::find(list.begin(), list.end(), code) != list.end();
}

const char* WordOf(Truth truth) {
  return truth == Truth::kTrue ? "holds" : truth == Truth::kUnknown ? "may hold" : "does not hold";
}

// Whether a group holds a place when no fact is known: what depends on a condition is unknown then.
class Membership {
 public:
  Membership(const CompiledBundle& bundle, int group)
      : view_(bundle, facts_, absl::InfinitePast()) {
    places_.groups.push_back(group);
  }

  Truth Of(const std::string& code) const { return PlaceIn(code, places_, view_); }

 private:
  FactSet facts_;
  FactView view_;
  PlaceSet places_;
};

TestOutcome OutcomeOf(const TestSuite& suite, const GroupTest& test, std::string name) {
  return {suite.name, std::move(name), test.place, true, {}, {}};
}

std::vector<std::string> ReadCodes(MapReader& reader, absl::string_view key) {
  const std::vector<std::string> codes = reader.Texts(key, kTextBytesMax);
  for (const std::string& code : codes) {
    if (const absl::Status checked = CheckJurisdiction(code); !checked.ok()) {
      reader.Fail(*reader.Find(key), checked.message(), "name places by their codes");
    }
  }
  return codes;
}

}  // namespace

void CompileGroupTests(const CompiledBundle& bundle, MapReader& suite, TestSuite* compiled) {
  for (const yaml::Node& node : suite.List("groups")) {
    MapReader reader(suite.diagnostics(), suite.file(), node, "a test of a group",
                     keys::GroupTest());
    const std::string name = reader.RequireId("group");
    const auto found = std::find_if(bundle.groups.begin(), bundle.groups.end(),
                                    [&name](const Group& group) { return group.name == name; });
    reader.Require("members");
    GroupTest test;
    test.place = absl::StrCat(suite.file(), ":", node.position.line, ":", node.position.column);
    test.members = ReadCodes(reader, "members");
    test.perhaps = ReadCodes(reader, "perhaps");
    if (found != bundle.groups.end()) {
      test.group = static_cast<int>(found - bundle.groups.begin());
      compiled->groups.push_back(std::move(test));
    } else if (!name.empty()) {
      std::vector<std::string> names;
      for (const Group& group : bundle.groups) {
        names.push_back(group.name);
      }
      reader.Fail(*reader.Find("group"), absl::StrCat("no group is called '", name, "'"),
                  Hint(name, names, "define it in the groups file"));
    }
  }
}

std::vector<TestOutcome> RunGroupTest(const CompiledBundle& bundle, const TestSuite& suite,
                                      const GroupTest& test) {
  const Group& group = bundle.groups[static_cast<std::size_t>(test.group)];
  const Membership membership(bundle, test.group);
  std::vector<TestOutcome> outcomes;
  const auto expect = [&](const std::string& code, Truth wanted) {
    const Truth held = membership.Of(code);
    TestOutcome outcome = OutcomeOf(suite, test,
                                    absl::StrCat("group ", group.name, " ", WordOf(wanted), " ",
                                                 JurisdictionNameAndCode(code)));
    if (held != wanted) {
      outcome.passed = false;
      outcome.problems.push_back(absl::StrCat("it ", WordOf(held), " it"));
    }
    outcomes.push_back(std::move(outcome));
  };
  for (const std::string& code : test.members) {
    expect(code, Truth::kTrue);
  }
  for (const std::string& code : test.perhaps) {
    expect(code, Truth::kUnknown);
  }
  std::vector<std::string> others = CountryCodes();
  for (const std::string& part : group.parts) {
    others.push_back(part);
  }
  std::vector<std::string> strangers;
  for (const std::string& code : others) {
    if (!Contains(test.members, code) && !Contains(test.perhaps, code) &&
        membership.Of(code) != Truth::kFalse) {
      strangers.push_back(code);
    }
  }
  TestOutcome outcome =
      OutcomeOf(suite, test, absl::StrCat("group ", group.name, " holds no other place"));
  if (!strangers.empty()) {
    outcome.passed = false;
    outcome.problems.push_back(absl::StrCat("it holds ", absl::StrJoin(strangers, ", ")));
  }
  outcomes.push_back(std::move(outcome));
  return outcomes;
}

}  // namespace carnet::policies
