// People: who is enrolled, with which roles, and what they approved.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/people.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<User*> KnownUser(State& state, std::uint64_t index, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  if (user == state.users.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown user"));
  }
  return &user->second;
}

// Whether genesis vouches for this role of this key. A genesis that names nobody vouches for whom
// `carnet init` enrolled right behind it.
bool IsFirstHolder(const State& state, std::uint64_t index, const v1::UserEnrolled& record,
                   const std::string& role) {
  if (state.genesis.first_holders().empty()) {
    return index == state.users.size() + 1 && record.token_sha256().empty();
  }
  return std::any_of(state.genesis.first_holders().begin(), state.genesis.first_holders().end(),
                     [&](const v1::FirstHolder& holder) {
                       return holder.user_id() == record.user_id() &&
                              holder.public_key() == record.public_key() &&
                              std::find(holder.roles().begin(), holder.roles().end(), role) !=
                                  holder.roles().end();
                     });
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t, const v1::UserInvited& record) {
  state.user_invitations[HexEncode(AsBytes(record.token_sha256()))] = UserInvitation{record, ""};
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::UserEnrolled& record) {
  if (!record.token_sha256().empty()) {
    const auto invitation = state.user_invitations.find(HexEncode(AsBytes(record.token_sha256())));
    if (invitation == state.user_invitations.end()) {
      return absl::DataLossError(
          absl::StrCat("record ", index, " refers to an unknown invitation"));
    }
    invitation->second.user_id = record.user_id();
  }
  User user;
  user.id = record.user_id();
  user.public_key = ToBytes(record.public_key());
  user.tls_spki_sha256 = ToBytes(record.tls_spki_sha256());
  user.index = index;
  for (const std::string& role : record.roles()) {
    const bool counts = IsAccountRole(role) || IsFirstHolder(state, index, record, role);
    (counts ? user.roles : user.asked).insert(role);
  }
  state.users[record.user_id()] = std::move(user);
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::UserRoleChanged& record) {
  CARNET_ASSIGN_OR_RETURN(User* const user, KnownUser(state, index, record.user_id()));
  for (const std::string& role : record.granted()) {
    user->roles.insert(role);
    user->asked.erase(role);
  }
  for (const std::string& role : record.revoked()) {
    user->roles.erase(role);
    user->asked.erase(role);
  }
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::UserRevoked& record) {
  CARNET_ASSIGN_OR_RETURN(User* const user, KnownUser(state, index, record.user_id()));
  user->revoked = true;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::Approval& record) {
  CARNET_RETURN_IF_ERROR(KnownUser(state, index, record.approver()).status());
  state.approvals[record.subject_sha256()].push_back(ApprovalOnRecord{index, record});
  ++state.facts_version;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
