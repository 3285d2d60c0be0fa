// Whose word counts: facts of the registry, opening balances and evidence are unknown unless a
// person who may say so signed them with a key of his own (docs/policies.md, "Who says so"). Pure.
#ifndef CARNET_COORDINATOR_CORE_STATEMENTS_H_
#define CARNET_COORDINATOR_CORE_STATEMENTS_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// How old a statement may be when it goes on record, and how far its person's clock may be ahead.
inline constexpr absl::Duration kStatementAgeMax = absl::Hours(24);
inline constexpr absl::Duration kStatementSkewMax = absl::Minutes(5);

// Roles that speak of suppliers, their owners, and places.
const std::set<std::string>& RegistrarRoles();
// Roles that speak of labels and of people counted.
const std::set<std::string>& StewardRoles();
// The role that makes evidence of the kind count; empty: no such kind.
std::string AcceptingRole(const std::string& kind);

// `record` (all but common) as the person would have it on record. Errors: PERMISSION_DENIED no
// statement, of somebody else, in a role that is not one of `roles` or that he does not hold, or
// not signed with his key over just this; INVALID_ARGUMENT signed at another time than within the
// day before `now`; ALREADY_EXISTS the statement is on record, or one of the same supplier, region
// or counter that was signed later.
absl::Status CheckStatement(const State& state, const google::protobuf::Message& record,
                            const v1::PersonStatement& stated, const std::string& user_id,
                            const std::set<std::string>& roles, absl::Time now);

// Fold: the statement of the record at `index`, if it counts, which uses it up; else null.
std::shared_ptr<const StatementOnRecord> TakeStatement(State& state, std::uint64_t index,
                                                       const google::protobuf::Message& record,
                                                       const v1::Common& common,
                                                       const v1::PersonStatement& stated,
                                                       const std::set<std::string>& roles);

// Somebody whose word counts stands behind the entry in force: "supplier/lion", "region/sg".
bool IsVouchedFor(const State& state, const std::string& entry);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_STATEMENTS_H_
