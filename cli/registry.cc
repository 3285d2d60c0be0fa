#include "cli/registry.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/status.h"

namespace carnet::cli {

absl::StatusOr<v1::ListRegistryResponse> FetchRegistry(Client& client) {
  return client.Call(client.admin(), &v1::Admin::Stub::ListRegistry, v1::ListRegistryRequest());
}

absl::StatusOr<v1::FederationConfig> LoadFragment(const std::string& path) {
  return LoadYamlFile<v1::FederationConfig>(path);
}

absl::Status CheckExpected(Expected expected, bool known, const std::string& entry) {
  if (expected == Expected::kNew && known) {
    return WithRemedy(absl::AlreadyExistsError(absl::StrCat(entry, " is registered already")),
                      "change it with the verb `update`");
  }
  if (expected == Expected::kKnown && !known) {
    return WithRemedy(absl::NotFoundError(absl::StrCat(entry, " is not registered")),
                      "register it with the verb `add`");
  }
  return absl::OkStatus();
}

absl::Status PrintRegistered(Client& client, const std::string& noun, const std::string& name,
                             const v1::RegisterResponse& response, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client.CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{noun, name}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "registered " << noun << ' ' << name << " (record " << index << ")\n";
  }
  return absl::OkStatus();
}

void AddStateOption(CLI::App* command, std::string* state) {
  command->add_option("--state", *state,
                      "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace carnet::cli
