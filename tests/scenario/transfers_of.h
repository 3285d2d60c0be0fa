// What moves under the open task of a World's worker, and where it stands.
#ifndef CARNET_TESTS_SCENARIO_TRANSFERS_OF_H_
#define CARNET_TESTS_SCENARIO_TRANSFERS_OF_H_

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "scenario/world.h"

namespace carnet::coordinator {

inline TransferName TransferOf(const World& world, const std::string& slot, bool upload) {
  const std::string id = world.worker(slot).id;
  const auto tasks = TasksFor(world.state(), id, world.now());
  REQUIRE(tasks.size() == 1);
  const v1::Ticket& ticket = upload ? tasks.front().upload : tasks.front().download;
  return {id, TaskId(tasks.front().name), ticket.ticket_id(), upload};
}

inline Standing Look(const World& world, const TransferName& name) {
  std::uint64_t counter = 0;
  return StandingOf(world.state(), name, world.now(), {}, &counter);
}

inline CutTransfer CutOf(const TransferName& name, std::uint64_t bytes) {
  return {name.worker_id, name.task_id, name.ticket_id, name.upload, bytes};
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_TRANSFERS_OF_H_
