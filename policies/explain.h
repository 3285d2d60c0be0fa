// What a decision says, for three readers. Pure.
#ifndef CARNET_POLICIES_EXPLAIN_H_
#define CARNET_POLICIES_EXPLAIN_H_

#include <string>

#include "carnet/v1/policies.pb.h"

namespace carnet::policies {

enum class Reader {
  kTeam,     // what is wrong and what would make it pass; what rules in mode warn say
  kOfficer,  // and citations, facts, missing facts, whether an exception is possible
  kAuditor,  // and digests, revision, and the command that derives the verdict again
};

// Whether one of Decision.warnings is of a rule in mode warn, which people are told of; those of
// rules in mode shadow stand in the record alone.
bool IsWarning(const v1::Failure& failure);

// Plain text of one or more lines; ends with a newline.
std::string Explain(const v1::Decision& decision, Reader reader);

// One line without a newline, as for a log or a progress display:
// "Denied: model to Saudi Arabia (SA). 1 of 2 problems: …"
std::string ExplainLine(const v1::Decision& decision);

// "raw data", "model", … in a sentence.
std::string ArtifactName(v1::ArtifactKind kind);
// "stage data", "send model", …
std::string OperationName(v1::Operation operation);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_EXPLAIN_H_
