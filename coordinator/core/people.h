// Who holds which role, and whose approvals count. Pure.
#ifndef CARNET_COORDINATOR_CORE_PEOPLE_H_
#define CARNET_COORDINATOR_CORE_PEOPLE_H_

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/state.h"
#include "policies/holders.h"

namespace carnet::coordinator {

// What an approval says yes to: Approval.kind.
inline constexpr char kApprovalOfBundle[] = "bundle";
inline constexpr char kApprovalOfRole[] = "role";
inline constexpr char kApprovalOfException[] = "exception";
inline constexpr char kApprovalOfJob[] = "job";

inline constexpr absl::Duration kApprovalLifeMax = absl::Hours(24 * 180);
inline constexpr std::size_t kUsersMax = 4096;
inline constexpr std::size_t kRoleBytesMax = 64;
// Approvals of one subject on record; further ones are refused.
inline constexpr std::size_t kApprovalsOfSubjectMax = 256;

// Accounts and machines: an admin grants these. Every other role decides about policy, and only
// somebody who holds it passes it on.
bool IsAccountRole(absl::string_view role);
// [a-z][a-z0-9-]*, at most kRoleBytesMax.
bool IsRoleName(absl::string_view role);

// The user is enrolled, not revoked, and holds the role.
bool HoldsRole(const State& state, const std::string& user_id, const std::string& role);
// Users who do.
std::set<std::string> HoldersOf(const State& state, const std::string& role);

// Everybody who does, by role.
policies::Holders HoldersByRole(const State& state);

// Somebody whom genesis lets be an admin and decide about policies: the one founder of a federation
// that was founded without `people`.
bool IsLoneFounder(const State& state, const User& user);
// The policy roles of an admin that nobody else holds; empty: he is no bootstrap any more, or never
// was.
std::set<std::string> BootstrapRoles(const State& state, const User& user);

// An approval of `subject_sha256` to count. Empty `roles`: in any role. `report_sha256` empty: with
// any report.
struct ApprovalQuery {
  Bytes subject_sha256;
  std::string kind;
  std::set<std::string> roles;
  Bytes report_sha256;
  std::string author;  // never counts; empty: nobody
};
// The persons (each once) who said yes and still may: they hold the role that they acted in, and
// the approval has not expired at `at`.
std::set<std::string> ApproversOf(const State& state, const ApprovalQuery& query, absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_PEOPLE_H_
