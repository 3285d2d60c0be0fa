#include "cli/commands/policy_holders.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "carnet/v1/config.pb.h"
#include "policies/change.h"
#include "policies/holders.h"

namespace carnet::cli {
namespace {

// 4096 people, each with the names of roles, places and a key.
constexpr std::size_t kUsersBytesMax = std::size_t{16} << 20;

absl::StatusOr<policies::Holders> FromFederation(const std::string& path,
                                                 const policies::Bundle& bundle) {
  CARNET_ASSIGN_OR_RETURN(const v1::FederationConfig federation,
                          LoadYamlFile<v1::FederationConfig>(path));
  policies::Holders holders;
  for (const auto& [name, person] : federation.people()) {
    for (const std::string& role : person.roles()) {
      holders[role].insert(name);
    }
  }
  if (federation.people().empty()) {
    for (const std::string& role : policies::RolesAskedFor(bundle)) {
      holders[role].insert("operator");
    }
  }
  return holders;
}

absl::StatusOr<policies::Holders> FromUsers(const std::string& path) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, kUsersBytesMax));
  const absl::Status bad =
      WithRemedy(WithOperatorDetail(absl::InvalidArgumentError("no list of users"), path),
                 "carnet user list --json > FILE");
  policies::Holders holders;
  for (const absl::string_view line : absl::StrSplit(AsText(text), '\n', absl::SkipEmpty())) {
    const absl::StatusOr<nlohmann::json> user = ParseJson(line, kUsersBytesMax);
    if (!user.ok() || !user->is_object() || !user->contains("user_id") ||
        !(*user)["user_id"].is_string() || !user->contains("roles") ||
        !(*user)["roles"].is_array()) {
      return bad;
    }
    const nlohmann::json revoked = user->value("revoked", nlohmann::json(false));
    for (const nlohmann::json& role : (*user)["roles"]) {
      if (!role.is_string() || !revoked.is_boolean()) {
        return bad;
      }
      if (!revoked.get<bool>()) {
        holders[role.get<std::string>()].insert((*user)["user_id"].get<std::string>());
      }
    }
  }
  return holders;
}

}  // namespace

absl::Status CheckHoldersOf(const HoldersFiles& files, const policies::Bundle& bundle) {
  if (files.federation.empty() && files.users.empty()) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(
      const policies::Holders holders,
      files.users.empty() ? FromFederation(files.federation, bundle) : FromUsers(files.users));
  const std::vector<policies::ApprovalRule> rules = policies::ApprovalRules(bundle);
  const absl::Status met = policies::CheckHolders(rules, holders);
  if (met.ok()) {
    return met;
  }
  const std::string missing =
      absl::StrJoin(policies::PersonsMissing(rules, holders), "; ",
                    [](std::string* out, const std::set<std::string>& roles) {
                      absl::StrAppend(out, "one of ", absl::StrJoin(roles, ", "));
                    });
  return WithRemedy(absl::FailedPreconditionError(absl::StrCat(
                        "policy: these people could never change or renew it: ", met.message())),
                    absl::StrCat("enrol somebody for each: ", missing));
}

}  // namespace carnet::cli
