// Denied decisions as a person reads them: each problem once, with the operations that it stands in
// the way of and what would make them pass. Pure.
#ifndef CARNET_CLI_PROBLEMS_H_
#define CARNET_CLI_PROBLEMS_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <set>
#include <string>
#include <vector>

#include "carnet/v1/policies.pb.h"

namespace carnet::cli {

struct Problem {
  std::string key;         // destination and reason: the same problem has the same key
  std::string operations;  // "send model, use key"
  std::string what;        // "model to Singapore (SG)"; for several artifacts "Singapore (SG)"
  std::string text;        // why, then what would make it pass; lines without a break at the end
};

// In the order in which they first occur. Allowed decisions have none.
std::vector<Problem> ProblemsOf(const google::protobuf::RepeatedPtrField<v1::Decision>& decisions);

// The same of what rules in mode warn say, of allowed and of denied decisions; rules in mode shadow
// stand in the record alone.
std::vector<Problem> WarningsOf(const google::protobuf::RepeatedPtrField<v1::Decision>& decisions);

// "refused ae-1, send model: model to …: …". `shown` holds the problems that the reader has seen
// (of this `who`) and gets the new ones; what was seen is not said again. Several lines without a
// break at the end.
std::string RefusalText(const std::string& who,
                        const google::protobuf::RepeatedPtrField<v1::Decision>& decisions,
                        std::set<std::string>* shown);

// A problem below a headline, indented.
std::string ProblemText(const Problem& problem);
// The same of a warning, which says that it is one.
std::string WarningText(const Problem& warning);
// The same where only the rule is known and not the flow; not indented, lines without a break at
// the end.
std::string WarningText(const v1::Failure& warning);

}  // namespace carnet::cli

#endif  // CARNET_CLI_PROBLEMS_H_
