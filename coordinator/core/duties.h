// What is to be done after something that was allowed: duties of phase `post`. Internal to Decide.
#ifndef CARNET_COORDINATOR_CORE_DUTIES_H_
#define CARNET_COORDINATOR_CORE_DUTIES_H_

#include <string>
#include <vector>

#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

// A duty is due once for a rule, job, recipient and destination, however often the same is allowed.
std::string DutyKey(const v1::ObligationDue& due);

// obligation-due for each duty of `authorisations` that is not on record. `job_id` empty: no job.
void AddDuties(Drafts* drafts, const std::string& job_id,
               const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations,
               std::set<std::string>* added);

// people-counted for those of `versions` that a counter of the bundle has not counted yet.
void AddPeopleCounted(Drafts* drafts, const std::string& job_id, const std::string& worker_id,
                      const std::string& ticket_id, const ShardVersions& versions);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_DUTIES_H_
