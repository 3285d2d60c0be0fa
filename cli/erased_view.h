// How erased values look in reports.
#ifndef CARNET_CLI_ERASED_VIEW_H_
#define CARNET_CLI_ERASED_VIEW_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ledger/verifier/erasures.h"

namespace carnet::cli {

// "record 3: included, signed, field name erased under record 41".
std::string ErasedText(const ledger::verifier::Erased& erased);
nlohmann::json ErasedJson(const std::vector<ledger::verifier::Erased>& erased);

}  // namespace carnet::cli

#endif  // CARNET_CLI_ERASED_VIEW_H_
