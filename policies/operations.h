// The engine's operation table: which facts have no meaning for an operation. Pure.
#ifndef CARNET_POLICIES_OPERATIONS_H_
#define CARNET_POLICIES_OPERATIONS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "carnet/v1/policies.pb.h"
#include "policies/facts.h"

namespace carnet::policies {

// The words of the facts `op` and `artifact.kind`: send_model, raw_data. Empty for UNSPECIFIED.
absl::string_view OperationWord(v1::Operation operation);
absl::string_view ArtifactWord(v1::ArtifactKind kind);
// UNSPECIFIED for anything else.
v1::Operation OperationFromWord(absl::string_view word);
v1::ArtifactKind ArtifactFromWord(absl::string_view word);

// Whether `fact` has a meaning for this operation on this kind of artifact.
bool FactApplies(v1::Operation operation, v1::ArtifactKind kind, FactId fact);

// A fact set with `op` and `artifact.kind` set and every fact that has no meaning for them
// not_applicable; all others are unknown. What the coordinator fills its flows into: it may set
// every fact of the table afterwards, and does not set those that do not apply. A job without
// differential privacy sets dp.* to Value::NotApplicable() itself.
FactSet FactsFor(v1::Operation operation, v1::ArtifactKind kind);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_OPERATIONS_H_
