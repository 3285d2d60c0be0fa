// Which roles decide about policy. Pure.
#ifndef CARNET_POLICIES_ROLES_H_
#define CARNET_POLICIES_ROLES_H_

#include "absl/strings/string_view.h"

namespace carnet::policies {

// Accounts and machines: an admin grants these. Every other role decides about policy, and only
// somebody who holds it passes it on.
inline bool IsAccountRole(absl::string_view role) {
  return role == "admin" || role == "auditor" || role == "member" || role == "operator";
}

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_ROLES_H_
