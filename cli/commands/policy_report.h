// The report that approvers sign beside a bundle: what the coordinator says that it would change.
#ifndef CARNET_CLI_COMMANDS_POLICY_REPORT_H_
#define CARNET_CLI_COMMANDS_POLICY_REPORT_H_

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
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

// `report`: a report, or a draft's, as a coordinator or ImpactReport made it; lines below a
// heading. Nothing where it is none.
void PrintReport(std::ostream& out, const nlohmann::json& report);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_REPORT_H_
