// From trees to what Evaluate walks. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_COMPILER_H_
#define CARNET_POLICIES_COMPILER_H_

#include <memory>
#include <string>
#include <vector>

#include "policies/compiled.h"
#include "policies/condition_parser.h"
#include "policies/source.h"

namespace carnet::policies {

// Mistakes go to `diagnostics`; the result is of use only if there are none.
std::shared_ptr<CompiledBundle> Compile(const BundleSource& source, Diagnostics& diagnostics);

// The parts of Compile, one for each kind of file.
void CompileGroups(const Document& document, Diagnostics& diagnostics, CompiledBundle* bundle,
                   Names* group_names);
Policy CompilePolicy(const Document& document, const CompiledBundle& bundle,
                     const Names& group_names, Diagnostics& diagnostics);
TestSuite CompileTests(const Document& document, const CompiledBundle& bundle,
                       Diagnostics& diagnostics);

// `groups:` of a test file; policies/group_tests.cc.
void CompileGroupTests(const CompiledBundle& bundle, MapReader& suite, TestSuite* compiled);

// The rules and exceptions of a policy, whose terms are compiled.
struct PolicyScope {
  ConditionScope conditions;  // its terms are those of the policy
  Mode mode = Mode::kEnforce;
  std::string zone;     // as the policy writes it; empty: UTC
  Approvers approvers;  // of the policy
};
void CompileRules(const PolicyScope& scope, MapReader& reader, Policy* policy);
// The requirements of an allow or a require.
void CompileItems(const PolicyScope& scope, MapReader& reader, Rule* rule);
// `from` and `need` of `reader`.
Approvers CompileApprovers(MapReader& reader);
void CompileExceptions(const PolicyScope& scope, MapReader& reader, Policy* policy);

// The keys of a rule with this effect, and of an item of this phase.
std::vector<std::string> RuleKeys(Effect effect);
std::vector<std::string> ItemKeys(Phase phase);
// The keys of `retain_deltas`.
std::vector<std::string> RetentionKeys();

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_COMPILER_H_
