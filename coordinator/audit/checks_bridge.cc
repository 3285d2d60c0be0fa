// Verdicts of the organisation's own policy engine.
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {

void Check(const Step& /*step*/, const v1::BridgeVerdict& /*record*/) {}

}  // namespace carnet::coordinator::audit
