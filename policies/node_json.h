// A tree of a bundle's files as JSON. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_NODE_JSON_H_
#define CARNET_POLICIES_NODE_JSON_H_

#include <nlohmann/json.hpp>

#include "base/yaml.h"

namespace carnet::policies {

// Without its positions; every scalar is a text.
nlohmann::json ToJson(const yaml::Node& node);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_NODE_JSON_H_
