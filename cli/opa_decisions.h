// Decisions on record as lines of Open Policy Agent's decision log
// (openpolicyagent.org/docs/management-decision-logs), for whoever collects those already. Pure.
#ifndef CARNET_CLI_OPA_DECISIONS_H_
#define CARNET_CLI_OPA_DECISIONS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace carnet::cli {

// One event for each decision that the statement of record `index` holds, allowed and refused ones,
// in their order; none for records without decisions. `statement` is the in-toto statement as
// JSON; what is not of the form of a decision is passed over. `federation`: the label of the log.
std::vector<nlohmann::json> OpaDecisions(const nlohmann::json& statement, std::uint64_t index,
                                         const std::string& federation);

}  // namespace carnet::cli

#endif  // CARNET_CLI_OPA_DECISIONS_H_
