#include "policies/node_json.h"

namespace carnet::policies {

nlohmann::json ToJson(const yaml::Node& node) {
  if (node.is_scalar()) {
    return node.text;
  }
  if (node.is_list()) {
    nlohmann::json items = nlohmann::json::array();
    for (const yaml::Node& item : node.items) {
      items.push_back(ToJson(item));
    }
    return items;
  }
  nlohmann::json object = nlohmann::json::object();
  for (const yaml::Entry& entry : node.entries) {
    object[entry.key] = ToJson(entry.value);
  }
  return object;
}

}  // namespace carnet::policies
