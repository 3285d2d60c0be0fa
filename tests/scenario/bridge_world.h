// A federation whose rules ask Open Policy Agent, and an engine that answers as the test says.
#ifndef CARNET_TESTS_SCENARIO_BRIDGE_WORLD_H_
#define CARNET_TESTS_SCENARIO_BRIDGE_WORLD_H_

#include <catch2/catch.hpp>
#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "scenario/world.h"

namespace carnet::coordinator {

struct Opa {
  std::string no;     // it says no to inputs that hold this; empty: to none
  std::string error;  // it does not answer, for this reason; empty: it does
  std::size_t asked = 0;
  std::string last;  // input
  absl::Duration valid_for = absl::Minutes(4);
  std::string engine = std::string(32, '\x11');  // World::bridge_engine

  std::function<RecordBridgeVerdict(const std::string&)> Caller() {
    return [this](const std::string& input) {
      ++asked;
      last = input;
      RecordBridgeVerdict command;
      command.valid_for = valid_for;
      command.verdict.set_bridge("opa");
      command.verdict.set_input(input);
      command.verdict.set_engine_sha256(engine);
      if (!error.empty()) {
        command.verdict.set_outcome("error");
        command.verdict.set_error(error);
      } else if (!no.empty() && absl::StrContains(input, no)) {
        command.verdict.set_outcome("denied");
        command.verdict.add_reasons("not there");
      } else {
        command.verdict.set_outcome("allowed");
        command.verdict.set_engine_decision_id("4ca636c1-55e4-417a-b1d8-4aceb67960d1");
      }
      return command;
    };
  }
};

// Each of these operations (a list as policies write it) needs its yes. FR, SG and AE have the
// papers that they need.
inline World WorldOf(std::uint64_t seed, const std::string& operations) {
  World world(seed, {absl::StrCat("policy: opa\nkind: guardrail\ntitle: Our own policy engine\n"
                                  "approvals: {propose: [dpo], need: 1, from: [dpo]}\n"
                                  "effective: {from: 2026-01-01}\nrules:\n"
                                  "  - id: asks\n    effect: require\n    when: {op: {in: [",
                                  operations,
                                  "]}}\n    require:\n"
                                  "      - id: word\n        check: {bridge.opa: {is: allow}}\n"
                                  "        fix: Ask the platform team.\n")});
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world.AddEvidence("scc-2021-914", supplier, to);
    world.AddEvidence("tia", supplier, to);
  }
  return world;
}

// The newest refusal of that worker.
inline v1::Refusal RefusalOf(const World& world, const std::string& slot) {
  v1::Refusal found;
  for (const std::uint64_t index : world.Find("refusal")) {
    const auto& refusal = world.At<v1::Refusal>(index);
    found = refusal.worker_id() == world.worker(slot).id ? refusal : found;
  }
  return found;
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_BRIDGE_WORLD_H_
