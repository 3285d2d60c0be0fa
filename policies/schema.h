// The JSON Schema of the files of a bundle, for editors. Pure.
#ifndef CARNET_POLICIES_SCHEMA_H_
#define CARNET_POLICIES_SCHEMA_H_

#include "base/json.h"

namespace carnet::policies {

// JSON Schema 2020-12, made from the tables of facts, operators and keys that the loader uses. What
// the loader takes fits it; the loader refuses more (codes that are no countries, names that are
// defined nowhere, dates that are none).
nlohmann::json PolicySchema();

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SCHEMA_H_
