// How each fact comes on record: the column of the table of facts (policies/facts.h) that says what
// to do about one that nobody recorded. Pure.
#ifndef CARNET_POLICIES_FACT_SETTERS_H_
#define CARNET_POLICIES_FACT_SETTERS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "carnet/v1/policies.pb.h"
#include "policies/facts.h"

namespace carnet::policies {

struct FactSetter {
  FactId fact;
  // What records it, capital words to be filled in; empty: no command does.
  const char* command;
  // Where it comes from instead, or besides, in a sentence; empty: from the command alone.
  const char* otherwise;
};

// 0 <= fact <= kCounters; kCounters stands for every counter.
const FactSetter& SetterOf(FactId fact);

// The recipient's facts name this where the command takes a supplier.
inline constexpr char kSupplierWord[] = "SUPPLIER";

// A denial that would not be one if some fact were known: a deny rule whose condition nobody can
// tell yet.
bool HangsOnUnknown(const v1::Failure& failure);

// "nobody recorded recipient.ultimate_parent: carnet supplier update lion --parent PLACE", one for
// each missing fact, joined by "; ". Where the failure says itself what would help, only facts that
// a command records. recipient: of the flow, filled in for SUPPLIER; may be empty. Empty: no such
// fact is missing.
std::string HowToRecord(const v1::Failure& failure, absl::string_view recipient);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_FACT_SETTERS_H_
