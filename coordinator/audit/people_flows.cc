#include "coordinator/audit/people_flows.h"

#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "coordinator/core/release.h"

namespace carnet::coordinator::audit {

std::vector<FlowContext> PeopleFlows(const State& state, const Job* job, std::uint32_t round) {
  std::map<std::pair<std::string, std::string>, const User*> places;
  for (const auto& [id, user] : state.users) {
    places.emplace(std::pair(user.jurisdiction, user.organisation), &user);
  }
  std::vector<FlowContext> flows;
  const auto append = [&flows](std::vector<FlowContext> more) {
    std::move(more.begin(), more.end(), std::back_inserter(flows));
  };
  for (const auto& [place, user] : places) {
    if (job == nullptr) {
      append(ReadLogFlows(state, *user));
      continue;
    }
    for (const RoundResult& result : job->results) {
      if (result.round == round) {
        append(ReleaseModelFlows(state, *job, result.model_sha256, *user));
      }
    }
  }
  return flows;
}

}  // namespace carnet::coordinator::audit
