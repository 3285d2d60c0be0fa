// What tests of the registry of facts ask for, and how they ask.
#ifndef CARNET_TESTS_SCENARIO_REGISTRY_DESK_H_
#define CARNET_TESTS_SCENARIO_REGISTRY_DESK_H_

#include <string>
#include <utility>

#include "coordinator/core/decide.h"
#include "coordinator/core/flows.h"
#include "scenario/world.h"

namespace carnet::coordinator {

inline v1::RegionConfig Place(const std::string& code, const std::string& supplier,
                              v1::LocationGrade grade = v1::LOCATION_GRADE_CONTRACT) {
  v1::RegionConfig terms;
  terms.add_jurisdictions(code);
  terms.set_supplier(supplier);
  terms.set_location_evidence(grade);
  return terms;
}

inline absl::StatusCode CodeOf(const absl::StatusOr<Decided>& decided) {
  return decided.status().code();
}

// What is decided for a person who holds that role alone, and signs in it.
inline absl::StatusCode CodeFor(World& world, const std::string& role, CommandBody body) {
  State state = world.state();
  User& user = state.users["u-one"];
  user.id = "u-one";
  user.roles = {role};
  user.public_key = ToBytes(AsText(world.user_key().public_key()));
  world.SignCommand(&body, {user.id, role}, world.user_key());
  return CodeOf(Decide(state, Command{std::move(body), world.now(), "", world.Random(32)}));
}

// Of the model on its way to the worker in Singapore.
inline policies::FactSet FactsToSingapore(const World& world) {
  FlowContext flow;
  flow.operation = v1::OPERATION_SEND_MODEL;
  flow.artifact = v1::ARTIFACT_KIND_MODEL;
  flow.from = "DE";
  flow.to = "SG";
  flow.to_region = "sg";
  flow.recipient = "lion";
  return Facts(world.state(), flow, world.now());
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_REGISTRY_DESK_H_
