#include "ledger/errors.h"

#include "absl/strings/cord.h"
#include "base/status.h"

namespace carnet::ledger {
namespace {

constexpr char kMisbehaviourUrl[] = "carnet/log-misbehaviour";

}  // namespace

absl::Status LogMisbehaviourError(absl::string_view message) {
  absl::Status status = WithRemedy(absl::DataLossError(message),
                                   "do not append to this state: put back the newest copy of the "
                                   "state folder, or find out who signed the other head");
  status.SetPayload(kMisbehaviourUrl, absl::Cord());
  return status;
}

bool IsLogMisbehaviour(const absl::Status& status) {
  return status.GetPayload(kMisbehaviourUrl).has_value();
}

}  // namespace carnet::ledger
