// What `--json` prints: one object a line, names as in the protos, digests in hex, 64-bit numbers
// as numbers, enums in lower case. Stable: scripts read it (docs/commands.md). Pure.
#ifndef CARNET_CLI_JSON_VIEWS_H_
#define CARNET_CLI_JSON_VIEWS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "carnet/v1/jobs.pb.h"
#include "carnet/v1/policies.pb.h"

namespace carnet::cli {

nlohmann::json JobStatusJson(const v1::JobStatus& status);
nlohmann::json MetricsJson(const v1::RoundMetrics& round);
nlohmann::json WorkerJson(const v1::WorkerStatus& worker);
nlohmann::json DecisionJson(const v1::Decision& decision);
// With the record's predicate as it was signed.
nlohmann::json JobEventJson(const v1::JobEvent& event);

// submitted, running, waiting, completed, stopped.
std::string JobStateWord(v1::JobState state);
// unknown, claimed, contract, provider.
std::string LocationWord(v1::LocationGrade grade);
// allow, deny, hold.
std::string VerdictWord(v1::Verdict verdict);

}  // namespace carnet::cli

#endif  // CARNET_CLI_JSON_VIEWS_H_
