// Which policies are in force, and from which record on: genesis names the first ones, each
// policy-activated follows those before it. Pure; shares no code with the writer.
#ifndef CARNET_LEDGER_VERIFIER_POLICY_HISTORY_H_
#define CARNET_LEDGER_VERIFIER_POLICY_HISTORY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "carnet/v1/policies.pb.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/lineage.h"

namespace carnet::ledger::verifier {

// Of a walk through records in the order of their indexes.
class PolicyHistory {
 public:
  explicit PolicyHistory(const v1::Genesis& genesis)
      : bundle_(genesis.bundle_sha256()), revision_(genesis.bundle_revision()) {}

  // The next policy-activated: in force for every record after it. Missing where its revision is
  // not the next one, wrong where it does not follow the bundle in force.
  std::optional<Finding> Follow(std::uint64_t index, const v1::PolicyActivated& activated);

  // That a decision of the record at `index` was taken with the bundle in force. Missing where it
  // names a later revision than any that was followed.
  std::optional<Finding> Check(std::uint64_t index, const v1::DecisionBasis& basis) const;

 private:
  std::string bundle_;  // digest
  std::uint64_t revision_ = 0;
};

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_POLICY_HISTORY_H_
