// `carnet user invite|enroll|list|role grant|role revoke|revoke`: people and their roles.
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/commands/user_enroll.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "coordinator/core/people.h"
#include "crypto/hash.h"

namespace carnet::cli {
namespace {

struct UserOptions {
  std::string state;
  std::vector<std::string> roles;
  std::string user;
  std::string role;
  std::string reason = "left";
  std::string out;
  std::string token;
  std::string jurisdiction;
  std::string organisation;
};

absl::StatusOr<int> Report(Client& client, CommandContext& context,
                           const absl::StatusOr<v1::GovernanceReceipt>& response,
                           const std::string& what) {
  CARNET_RETURN_IF_ERROR(response.status());
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client.CheckReceipt(response->receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"index", index}}.dump() << '\n';
  } else {
    *context.out << what << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Invite(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::InviteUserRequest request;
  request.set_request_id(client->NewRequestId());
  request.mutable_roles()->Add(options.roles.begin(), options.roles.end());
  request.set_jurisdiction(options.jurisdiction);
  request.set_organisation(options.organisation);
  CARNET_ASSIGN_OR_RETURN(
      const v1::InviteUserResponse response,
      client->Call(client->governance(), &v1::Governance::Stub::InviteUser, request));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(options.out, AsBytes(response.token())));
  if (context.json) {
    *context.out << nlohmann::json{{"user_id", response.user_id()}, {"token", options.out}}.dump()
                 << '\n';
    return kGood;
  }
  *context.out << "invited " << response.user_id() << " as " << absl::StrJoin(options.roles, ", ")
               << "; the invitation works once, for 7 days: " << options.out << '\n';
  if (options.jurisdiction.empty() || options.organisation.empty()) {
    *context.err << "nobody said where this person works, or for whom: policies will let neither "
                    "models nor records go there (--jurisdiction CC --organisation NAME)\n";
  }
  return kGood;
}

absl::StatusOr<int> Enroll(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const EnrolledPerson person,
                          EnrollPerson({.token = options.token, .out = options.out}));
  const std::string file = (std::filesystem::path(options.out) / "context.yaml").string();
  if (context.json) {
    *context.out << nlohmann::json{{"user_id", person.user_id},
                                   {"public_key", HexEncode(person.public_key)},
                                   {"roles", person.roles},
                                   {"context", file}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "enrolled " << person.user_id << "; your keys are in " << options.out
               << "/keys and nowhere else\n  key   ed25519 " << HexEncode(person.public_key)
               << "\n  use   export CARNET_CONTEXT=" << file << '\n';
  std::vector<std::string> waiting;
  for (const std::string& role : person.roles) {
    if (!coordinator::IsAccountRole(role)) {
      waiting.push_back(role);
    }
  }
  if (!waiting.empty()) {
    *context.out << "  wait  " << absl::StrJoin(waiting, ", ")
                 << ": each counts once somebody who holds it says so: carnet user role grant "
                 << person.user_id << " ROLE\n";
  }
  return kGood;
}

absl::StatusOr<v1::ListUsersResponse> FetchUsers(Client& client) {
  return client.Call(client.governance(), &v1::Governance::Stub::ListUsers, v1::ListUsersRequest());
}

// For a reader's eyes: what the word in the table means.
void PrintBootstrap(const v1::ListUsersResponse& response, CommandContext& context) {
  for (const v1::UserStatus& user : response.users()) {
    if (user.bootstrap()) {
      *context.err << "bootstrap: " << user.user_id()
                   << " is an admin who decides about policies, until somebody else holds these "
                      "roles (carnet user invite, carnet user role grant)\n";
    }
  }
}

absl::StatusOr<int> List(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListUsersResponse response, FetchUsers(*client));
  Table table({"USER", "STATE", "ROLES", "ASKED FOR", "WORKS IN", "FOR", "KEY"});
  for (const v1::UserStatus& user : response.users()) {
    const std::string key = HexEncode(AsBytes(user.public_key()));
    if (context.json) {
      *context.out << nlohmann::json{{"user_id", user.user_id()},
                                     {"revoked", user.revoked()},
                                     {"bootstrap", user.bootstrap()},
                                     {"roles", std::vector<std::string>(user.roles().begin(),
                                                                        user.roles().end())},
                                     {"asked", std::vector<std::string>(user.asked().begin(),
                                                                        user.asked().end())},
                                     {"jurisdiction", user.jurisdiction()},
                                     {"organisation", user.organisation()},
                                     {"public_key", key}}
                          .dump()
                   << '\n';
      continue;
    }
    table.Add({user.user_id(),
               user.revoked()     ? "revoked"
               : user.bootstrap() ? "bootstrap"
                                  : "enrolled",
               absl::StrJoin(user.roles(), " "), absl::StrJoin(user.asked(), " "),
               user.jurisdiction(), user.organisation(), key.substr(0, 16)});
  }
  if (!context.json) {
    *context.out << table.ToString();
    PrintBootstrap(response, context);
  }
  return kGood;
}

absl::StatusOr<int> Grant(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::GrantRoleRequest request;
  request.set_user_id(options.user);
  request.set_role(options.role);
  if (coordinator::IsAccountRole(options.role)) {
    request.set_request_id(client->NewRequestId());
  } else {
    CARNET_ASSIGN_OR_RETURN(const v1::ListUsersResponse users, FetchUsers(*client));
    const v1::UserStatus* found = nullptr;
    for (const v1::UserStatus& user : users.users()) {
      found = user.user_id() == options.user ? &user : found;
    }
    if (found == nullptr) {
      return WithRemedy(absl::NotFoundError("no such user is enrolled"), "see: carnet user list");
    }
    ApprovalOrder order{.kind = coordinator::kApprovalOfRole,
                        .subject = crypto::Sha256(AsBytes(found->public_key())),
                        .report_sha256 = {},
                        .role = options.role};
    CARNET_ASSIGN_OR_RETURN(*request.mutable_approval(), SignApproval(*client, order));
    // The approval's own id: the same call again is the same approval.
    request.set_request_id(client->NewRequestId());
    *context.err << "you vouch for the key ed25519 " << HexEncode(AsBytes(found->public_key()))
                 << '\n';
  }
  return Report(*client, context,
                client->Call(client->governance(), &v1::Governance::Stub::GrantRole, request),
                absl::StrCat(options.user, " holds ", options.role));
}

absl::StatusOr<int> RevokeRole(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::RevokeRoleRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_user_id(options.user);
  request.set_role(options.role);
  return Report(*client, context,
                client->Call(client->governance(), &v1::Governance::Stub::RevokeRole, request),
                absl::StrCat(options.user, " no longer holds ", options.role));
}

absl::StatusOr<int> Revoke(const UserOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::RevokeUserRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_user_id(options.user);
  request.set_reason(options.reason);
  return Report(*client, context,
                client->Call(client->governance(), &v1::Governance::Stub::RevokeUser, request),
                absl::StrCat("revoked ", options.user));
}

using Body = absl::StatusOr<int> (*)(const UserOptions&, CommandContext&);

CLI::App* Add(CLI::App& noun, CommandContext& context, const std::shared_ptr<UserOptions>& options,
              const char* name, const char* help, Body body) {
  return AddCommand(noun, context, name, help,
                    [options, &context, body] { return body(*options, context); });
}

void AddState(CLI::App* command, UserOptions& options) {
  command->add_option("--state", options.state,
                      "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace

void RegisterUserAdminCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "user", "People");
  const auto options = std::make_shared<UserOptions>();
  CLI::App* invite =
      Add(*noun, context, options, "invite", "Make an invitation for a person (admins)", &Invite);
  invite->add_option("--roles", options->roles, "What the person is to do, e.g. member,legal")
      ->required()
      ->delimiter(',');
  invite->add_option("--jurisdiction", options->jurisdiction,
                     "Where the person works, e.g. FR: models and records go there if policy lets");
  invite->add_option("--organisation", options->organisation,
                     "Whom the person works for: your own, a registered supplier, or another name");
  invite->add_option("--out", options->out, "File for the invitation, which is shown once")
      ->required();
  CLI::App* enroll = Add(*noun, context, options, "enroll",
                         "Make your own keys here, and enrol with an invitation", &Enroll);
  enroll->add_option("--join", options->token, "The invitation")->required();
  enroll->add_option("--out", options->out, "Folder for your keys and your context.yaml")
      ->required();
  CLI::App* list = Add(*noun, context, options, "list", "Who is enrolled, and as what", &List);
  CLI::App* revoke = Add(*noun, context, options, "revoke",
                         "End a person's access and approvals (admins)", &Revoke);
  revoke->add_option("user", options->user, "User id (u-…)")->required();
  revoke->add_option("--reason", options->reason, "left, key-lost or misbehaviour")
      ->check(CLI::IsMember({"left", "key-lost", "misbehaviour"}))
      ->capture_default_str();
  CLI::App* role = noun->add_subcommand("role", "What a person may decide");
  role->require_subcommand(1);
  CLI::App* grant = Add(*role, context, options, "grant",
                        "Pass on a role that you hold; admins: account roles", &Grant);
  CLI::App* take = Add(*role, context, options, "revoke", "Take a role away", &RevokeRole);
  for (CLI::App* command : {grant, take}) {
    command->add_option("user", options->user, "User id (u-…)")->required();
    command->add_option("role", options->role, "e.g. legal, dpo, member")->required();
  }
  for (CLI::App* command : {invite, list, revoke, grant, take}) {
    AddState(command, *options);
  }
}

}  // namespace carnet::cli
