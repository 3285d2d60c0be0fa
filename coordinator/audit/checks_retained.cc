// Round keys that are kept for somebody.
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {

void Check(const Step& /*step*/, const v1::KeyRetained& /*record*/) {}

}  // namespace carnet::coordinator::audit
