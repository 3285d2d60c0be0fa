// Assessments of models that kOperator signs, and the facts that come of them.
#ifndef CARNET_TESTS_SCENARIO_ASSESSOR_H_
#define CARNET_TESTS_SCENARIO_ASSESSOR_H_

#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "base/timestamp.h"
#include "coordinator/core/flows.h"
#include "scenario/world.h"

namespace carnet::coordinator {

using ChangeAssessment = std::function<void(v1::ModelAssessed&)>;

// That the model (raw digest) is not controlled and of no export class, for a year, a minute later
// than anything before; as `change` has it.
inline AssessModel Assessed(World& world, const std::string& model,
                            const ChangeAssessment& change = {}) {
  world.Advance(absl::Minutes(1));
  AssessModel command;
  command.user_id = kOperator;
  v1::ModelAssessed& record = command.assessment;
  world.FillCommon(record.mutable_common());
  record.set_assessor(kOperator);
  record.set_model_sha256(model);
  record.set_controlled("no");
  record.set_export_class("none");
  record.set_document_sha256(ToString(world.Random(32)));
  *record.mutable_valid_from() = ToTimestamp(world.now() - absl::Hours(24));
  *record.mutable_valid_to() = ToTimestamp(world.now() + absl::Hours(24 * 365));
  if (change) {
    change(record);
  }
  command.record = ledger::SignRecord(*ledger::MakeStatement(record), world.user_key());
  return command;
}

inline void ApproveAnonymity(v1::ModelAssessed& record) {
  record.clear_controlled();
  record.clear_export_class();
  record.set_anonymity("approved");
}

inline void Withdraw(v1::ModelAssessed& record) {
  for (const char* field :
       {"controlled", "export_class", "document_sha256", "valid_from", "valid_to"}) {
    record.GetReflection()->ClearField(&record, record.GetDescriptor()->FindFieldByName(field));
  }
  record.set_withdrawn(true);
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_ASSESSOR_H_
