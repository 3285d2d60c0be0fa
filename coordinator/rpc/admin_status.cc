#include "coordinator/rpc/admin_status.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/location.h"
#include "coordinator/core/statements.h"

namespace carnet::coordinator {

v1::WorkerStatus MakeWorkerStatus(const State& state, const Worker& worker,
                                  const WorkerPresence& presence, absl::Time now) {
  v1::WorkerStatus status;
  const std::string& worker_id = worker.terms.worker_id();
  status.set_worker_id(worker_id);
  status.set_slot(worker.terms.slot());
  status.set_region(worker.terms.region());
  status.set_supplier(worker.terms.supplier());
  status.set_location(worker.terms.location());
  if (const auto region = state.regions.find(worker.terms.region());
      region != state.regions.end()) {
    *status.mutable_jurisdictions() = region->second.terms.jurisdictions();
    status.set_location(LocationGradeOf(state, worker.terms.region(), now));
  }
  status.set_revoked(worker.revoked);
  status.set_live(presence.live && !worker.revoked);
  status.set_current_task(presence.current_task);
  status.set_progress(presence.progress);
  for (const auto& [key, shard] : state.shards) {
    if (shard.holders.count(worker_id) != 0) {
      status.add_shards(key);
    }
  }
  return status;
}

v1::GetStagingResponse MakeStagingStatus(const Staging& staging, bool uploaded) {
  v1::GetStagingResponse response;
  switch (staging.phase) {
    case StagingPhase::kOrdered:
      response.set_state(uploaded ? "uploaded" : "ordered");
      break;
    case StagingPhase::kStaged:
      response.set_state("staged");
      break;
    case StagingPhase::kAbandoned:
      response.set_state("abandoned");
      break;
  }
  response.set_sealed_bytes(staging.sealed_bytes);
  response.set_reason(staging.reason);
  return response;
}

absl::Status RequireOverview(const State& state, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  const bool sees = user != state.users.end() &&
                    std::any_of(user->second.roles.begin(), user->second.roles.end(),
                                [](const std::string& role) { return role != "member"; });
  return sees ? absl::OkStatus()
              : absl::PermissionDeniedError("this needs a role other than member");
}

void SortDeniedFirst(google::protobuf::RepeatedPtrField<v1::Decision>* decisions) {
  std::stable_sort(decisions->pointer_begin(), decisions->pointer_end(),
                   [](const v1::Decision* a, const v1::Decision* b) {
                     return (a->verdict() != v1::VERDICT_ALLOW) >
                            (b->verdict() != v1::VERDICT_ALLOW);
                   });
}

void FillCounters(const State& state, absl::Time now, v1::ListCountersResponse* response) {
  std::map<std::string, policies::Counter> counters;
  for (const auto& [name, opening] : state.openings) {
    if (const auto counter = policies::ParseCounter(name); counter.ok()) {
      counters.emplace(counter->Path(), *counter);
    }
  }
  std::set<std::string> in_bundle;
  for (const policies::Counter& counter : state.bundle->counters()) {
    counters.emplace(counter.Path(), counter);
    in_bundle.insert(counter.Path());
  }
  for (const auto& [path, counter] : counters) {
    v1::CounterStatus* status = response->add_counters();
    status->set_counter(path);
    status->set_in_bundle(in_bundle.count(path) != 0);
    const std::optional<std::uint64_t> people = CountPeople(state, counter, {}, now);
    status->set_known(people.has_value());
    status->set_people(people.value_or(0));
    // A balance that nobody signed opened nothing.
    if (const auto opening = state.openings.find(counter.Name());
        opening != state.openings.end() &&
        IsVouchedFor(state, absl::StrCat("counter/", counter.Name()))) {
      status->set_opened_with(opening->second.people());
      *status->mutable_as_of() = opening->second.as_of();
    }
  }
}

void FillDuties(const State& state, v1::ListDutiesResponse* response) {
  for (const auto& [id, duty] : state.duties) {
    v1::DutyStatus* status = response->add_duties();
    *status->mutable_due() = duty.terms;
    status->set_index(duty.index);
    status->set_met(duty.met.has_value());
    status->set_met_index(duty.met.value_or(0));
    status->set_late(duty.late.has_value());
    status->set_late_index(duty.late.value_or(0));
  }
  const auto order = [](const v1::DutyStatus& status) {
    return std::make_tuple(status.met(), status.due().due().seconds(), status.index());
  };
  std::sort(
      response->mutable_duties()->begin(), response->mutable_duties()->end(),
      [&order](const v1::DutyStatus& a, const v1::DutyStatus& b) { return order(a) < order(b); });
}

}  // namespace carnet::coordinator
