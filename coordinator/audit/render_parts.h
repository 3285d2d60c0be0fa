// What the three forms of a report share. Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_RENDER_PARTS_H_
#define CARNET_COORDINATOR_AUDIT_RENDER_PARTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/audit/report.h"

namespace carnet::coordinator::audit {

// Whole seconds in UTC; "-" for the infinite past.
std::string TimeText(absl::Time time);
// Each number with its name, in the order of the report.
std::vector<std::pair<const char*, std::uint64_t>> NamedNumbers(const Numbers& numbers);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_RENDER_PARTS_H_
