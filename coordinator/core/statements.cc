#include "coordinator/core/statements.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/people.h"
#include "ledger/person_statement.h"
#include "policies/facts.h"

namespace carnet::coordinator {
namespace {

// Nobody asked for the record, nor for one before it: it is what `carnet init` found, or what
// `carnet ledger succeed` brought over from the log before.
bool IsFounding(const State& state, const v1::Common& common) {
  return state.invitations.empty() && state.requests.empty() && common.request_id().empty();
}

// The entry that each newer statement replaces; empty: it replaces nothing.
std::string EntryOf(const google::protobuf::Message& record) {
  if (const auto* supplier = dynamic_cast<const v1::SupplierRegistered*>(&record);
      supplier != nullptr) {
    return absl::StrCat("supplier/", supplier->supplier());
  }
  if (const auto* region = dynamic_cast<const v1::RegionRegistered*>(&record); region != nullptr) {
    return absl::StrCat("region/", region->region());
  }
  if (const auto* counter = dynamic_cast<const v1::CounterOpened*>(&record); counter != nullptr) {
    return absl::StrCat("counter/", counter->counter());
  }
  return "";
}

// Words that somebody held back do not undo those that were signed after them.
bool IsNewest(const State& state, const std::string& entry, absl::Time stated) {
  const auto newest = state.stated_at.find(entry);
  return newest == state.stated_at.end() || stated > newest->second;
}

// founding: the statement may be of any age.
absl::Status Check(const State& state, const google::protobuf::Message& record,
                   const v1::PersonStatement& stated, const std::string& user_id,
                   const std::set<std::string>& roles, absl::Time now, bool founding) {
  if (stated.signature().empty()) {
    return absl::PermissionDeniedError(
        "statement: nobody signed it: whoever says so signs it with a key of his own");
  }
  if (stated.user_id() != user_id) {
    return absl::PermissionDeniedError("statement: it is of another person than the one who asks");
  }
  if (roles.count(stated.role()) == 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("statement: this is said in one of the roles: ", absl::StrJoin(roles, ", ")));
  }
  if (!HoldsRole(state, user_id, stated.role())) {
    return absl::PermissionDeniedError(
        "statement: its signer does not hold the role that he acts in");
  }
  const absl::Time at = ToTime(stated.at());
  if (at > now + kStatementSkewMax || (!founding && at < now - kStatementAgeMax)) {
    return absl::InvalidArgumentError(
        "statement: signed more than 24 hours ago, or later than now: sign it again, and look at "
        "the clock of the machine that signs");
  }
  if (state.statement_nonces.count(stated.nonce()) != 0) {
    return absl::AlreadyExistsError("statement: it is on record: sign it again");
  }
  if (!IsNewest(state, EntryOf(record), at)) {
    return absl::AlreadyExistsError(
        "statement: one of this entry that was signed later is on record: sign it again");
  }
  const absl::Status verified =
      ledger::VerifyPersonStatement(record, state.users.at(user_id).public_key);
  return absl::IsUnauthenticated(verified) ? absl::PermissionDeniedError(verified.message())
                                           : verified;
}

}  // namespace

const std::set<std::string>& RegistrarRoles() {
  static const auto& roles = *new std::set<std::string>{"compliance", "dpo", "legal"};
  return roles;
}

const std::set<std::string>& StewardRoles() {
  static const auto& roles = *new std::set<std::string>{"data-steward"};
  return roles;
}

std::string AcceptingRole(const std::string& kind) {
  const auto& kinds = policies::EvidenceKinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(),
                   [&](const policies::EvidenceKind& known) { return kind == known.name; });
  return found == kinds.end() ? std::string() : std::string(found->accepted_by);
}

absl::Status CheckStatement(const State& state, const google::protobuf::Message& record,
                            const v1::PersonStatement& stated, const std::string& user_id,
                            const std::set<std::string>& roles, absl::Time now) {
  return Check(state, record, stated, user_id, roles, now, /*founding=*/false);
}

std::shared_ptr<const StatementOnRecord> TakeStatement(State& state, std::uint64_t index,
                                                       const google::protobuf::Message& record,
                                                       const v1::Common& common,
                                                       const v1::PersonStatement& stated,
                                                       const std::set<std::string>& roles) {
  if (!Check(state, record, stated, stated.user_id(), roles, ToTime(common.at()),
             IsFounding(state, common))
           .ok()) {
    return nullptr;
  }
  state.statement_nonces.insert(stated.nonce());
  if (const std::string entry = EntryOf(record); !entry.empty()) {
    state.stated_at[entry] = ToTime(stated.at());
  }
  return std::make_shared<const StatementOnRecord>(StatementOnRecord{stated, index});
}

bool IsVouchedFor(const State& state, const std::string& entry) {
  const auto statement = state.statements.find(entry);
  return statement != state.statements.end() && statement->second != nullptr;
}

}  // namespace carnet::coordinator
