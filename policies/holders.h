// Whether the persons who hold roles today can write and approve what policies ask for, and who
// would be needed besides them. Pure; thread-safe.
#ifndef CARNET_POLICIES_HOLDERS_H_
#define CARNET_POLICIES_HOLDERS_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "policies/change.h"

namespace carnet::policies {

// Role -> the persons who hold it.
using Holders = std::map<std::string, std::set<std::string>>;

// A policy whose approvals the holders cannot meet, whoever of them is the author.
struct Shortage {
  ApprovalRule rule;
  bool has_author = false;          // somebody holds a role of `rule.propose`
  std::size_t approvers = 0;        // at most, besides the author
  std::vector<std::string> unheld;  // roles of `propose` and `from` that nobody holds
};

// Those of `rules` that nobody could change. If each could be changed, those that stand in the way
// of renewing all of them together, which has one author. Empty: the holders can do both.
std::vector<Shortage> ShortagesOf(const std::vector<ApprovalRule>& rules, const Holders& holders);

// "gdpr-chapter-v needs 2 of dpo, legal besides its author (dpo): there are 0; nobody holds dpo".
std::string ShortageText(const Shortage& shortage);
// Error FAILED_PRECONDITION: the text of each shortage of `rules`.
absl::Status CheckHolders(const std::vector<ApprovalRule>& rules, const Holders& holders);

// The fewest roles by a simple search of persons who, besides `holders`, can change and renew
// `rules`: one set for each person. Empty: nobody is needed.
std::vector<std::set<std::string>> PersonsMissing(const std::vector<ApprovalRule>& rules,
                                                  const Holders& holders);

// Every role that a bundle asks for anything: to propose, to approve policies, exceptions and jobs,
// to do duties.
std::set<std::string> RolesAskedFor(const Bundle& bundle);

// What the author of a bundle does to the one before.
enum class Authorship { kChanges, kTightens, kRenews };
// The policy of `rules` (those that the change reaches) that nobody with these roles may write;
// null: none. Who changes holds a role of `propose` of each of them, who only tightens one of
// `propose` or `from`, and who renews everything as it is one of `propose` of any.
const ApprovalRule* FirstNotAuthors(const std::vector<ApprovalRule>& rules,
                                    const std::set<std::string>& roles, Authorship authorship);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_HOLDERS_H_
