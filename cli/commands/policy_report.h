// The report that approvers sign beside a bundle: what the coordinator says that it would change.
#ifndef CARNET_CLI_COMMANDS_POLICY_REPORT_H_
#define CARNET_CLI_COMMANDS_POLICY_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "policies/bundle.h"

namespace carnet::cli {

// Whether `report_json` is the text that `report_sha256` names, and is about `bundle` and its
// parent: nobody signs the digest of what he was not shown. Error UNAUTHENTICATED: it is another
// report; do not sign, and tell the auditors.
absl::Status CheckReport(const std::string& report_json, ByteView report_sha256,
                         const policies::Bundle& bundle);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_REPORT_H_
