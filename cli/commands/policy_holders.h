// Whether people can meet the approvals that a bundle asks for, before anybody proposes it.
#ifndef CARNET_CLI_COMMANDS_POLICY_HOLDERS_H_
#define CARNET_CLI_COMMANDS_POLICY_HOLDERS_H_

#include <string>

#include "absl/status/status.h"
#include "policies/bundle.h"

namespace carnet::cli {

// Who holds which role; both empty: nothing is asked.
struct HoldersFiles {
  std::string federation;  // federation.yaml; without `people`, of one person with every role
  std::string users;       // lines of `carnet user list --json`
};

// Errors: FAILED_PRECONDITION they cannot, naming policies, roles and how many are needed;
// INVALID_ARGUMENT a file that cannot be read as what it should be, and those of base/files.h.
absl::Status CheckHoldersOf(const HoldersFiles& files, const policies::Bundle& bundle);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_HOLDERS_H_
