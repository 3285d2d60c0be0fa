// What one bundle changes of another, and who must say yes to it. Pure; thread-safe.
#ifndef CARNET_POLICIES_CHANGE_H_
#define CARNET_POLICIES_CHANGE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "policies/bundle.h"

namespace carnet::policies {

// `approvals` of a policy: who writes changes to it, and how many persons of which roles say yes.
struct ApprovalRule {
  std::string policy;
  std::vector<std::string> propose;
  std::uint32_t need = 1;
  std::vector<std::string> from;
};
// By policy.
std::vector<ApprovalRule> ApprovalRules(const Bundle& bundle);

struct BundleChange {
  std::set<std::string> added;  // policies
  std::set<std::string> removed;
  std::set<std::string> changed;
  std::set<std::string> groups;  // added, removed or edited
  bool home = false;
  bool other_lists = false;  // alias sets, or anything else of the groups file
  bool tests = false;
  // Policies of the bundle before whose meaning may be another one now: removed, changed, or
  // reached by a group, an alias set or home. Every one of them if nothing but the head or the
  // tests changed.
  std::set<std::string> reached;

  bool any() const {
    return !added.empty() || !removed.empty() || !changed.empty() || !groups.empty() || home ||
           other_lists || tests;
  }
};
BundleChange Compare(const Bundle& before, const Bundle& after);

// By policy: the ids of its rules that are new, gone, or may mean something else: changed, or
// reached by a group that they name. All of them where the policy is new, gone or changed outside
// its rules, and where home or the aliases changed. Empty: nothing but the head or the tests
// changed.
std::map<std::string, std::set<std::string>> TouchedRules(const Bundle& before,
                                                          const Bundle& after);

// The rules of `before` for every policy that the change reaches. A policy that is new asks for
// its own, and for those of the regime that covers no personal data: nobody's rules held for it
// before.
std::vector<ApprovalRule> NeededApprovals(const Bundle& before, const Bundle& after);

// Whether `after` can allow nothing that `before` does not, decided by syntax alone. It may add
// guardrails, denies, requires and their items, remove allows and exceptions, make a bound
// stricter, end earlier, change tests, and edit members of a group that is used only where the edit
// widens a deny or narrows an allow. Error FAILED_PRECONDITION: the first thing that is none of
// these, by its path.
absl::Status CheckTightensOnly(const Bundle& before, const Bundle& after);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_CHANGE_H_
