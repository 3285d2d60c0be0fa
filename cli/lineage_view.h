// What `carnet ledger lineage` says of one model, for people and for scripts. Pure.
#ifndef CARNET_CLI_LINEAGE_VIEW_H_
#define CARNET_CLI_LINEAGE_VIEW_H_

#include <nlohmann/json.hpp>
#include <string>

#include "ledger/query/contents.h"

namespace carnet::cli {

// One object (docs/commands.md).
nlohmann::json LineageJson(const ledger::query::ModelAnswer& answer);
// Lines, each ended.
std::string LineageText(const ledger::query::ModelAnswer& answer);

}  // namespace carnet::cli

#endif  // CARNET_CLI_LINEAGE_VIEW_H_
