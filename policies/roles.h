// Names of roles, and which of them decide about policy. Pure.
#ifndef CARNET_POLICIES_ROLES_H_
#define CARNET_POLICIES_ROLES_H_

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace carnet::policies {

// Accounts and machines: an admin grants these. Every other role decides about policy, and only
// somebody who holds it passes it on.
inline bool IsAccountRole(absl::string_view role) {
  return role == "admin" || role == "auditor" || role == "member" || role == "operator";
}

inline constexpr std::size_t kRoleBytesMax = 64;
inline constexpr char kAdminRole[] = "admin";

// admin together with a role that decides about policy. Nobody holds both but the one founder of a
// federation that was founded without `people`.
template <typename Roles>
bool MixesAdminWithPolicy(const Roles& roles) {
  const bool admin = std::any_of(roles.begin(), roles.end(),
                                 [](absl::string_view role) { return role == kAdminRole; });
  return admin && std::any_of(roles.begin(), roles.end(),
                              [](absl::string_view role) { return !IsAccountRole(role); });
}

// [a-z][a-z0-9-]*, at most kRoleBytesMax.
inline bool IsRoleName(absl::string_view role) {
  if (role.empty() || role.size() > kRoleBytesMax ||
      !absl::ascii_islower(static_cast<unsigned char>(role.front()))) {
    return false;
  }
  return std::all_of(role.begin(), role.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '-';
  });
}

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_ROLES_H_
