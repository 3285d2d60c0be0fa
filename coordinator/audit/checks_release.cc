// Models and statements that left home.
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {

void Check(const Step& /*step*/, const v1::Release& /*record*/) {}
void Check(const Step& /*step*/, const v1::LogRead& /*record*/) {}

}  // namespace carnet::coordinator::audit
