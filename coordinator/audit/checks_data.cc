// Withdrawn shards and cut transfers.
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {

void Check(const Step& /*step*/, const v1::ShardWithdrawn& /*record*/) {}
void Check(const Step& /*step*/, const v1::TransferCut& /*record*/) {}

}  // namespace carnet::coordinator::audit
