// Audits what a World wrote: its signed records in a real log on disk, read as an auditor reads it.
#ifndef CARNET_TESTS_SCENARIO_AUDIT_WORLD_H_
#define CARNET_TESTS_SCENARIO_AUDIT_WORLD_H_

#include <filesystem>
#include <string>

#include "coordinator/audit/recompute.h"
#include "coordinator/audit/report.h"
#include "ledger/verifier/trust_policy.h"
#include "scenario/world.h"

namespace carnet::coordinator {

// FR, SG and AE have what they need to be in every round.
World WorldWithEvidence(std::uint64_t seed);
// A job of `rounds` rounds with three workers, to its end.
std::string TrainWhole(World& world, std::uint32_t rounds, bool evaluate = false);
// The evaluation that the worker at home gives to an open one.
SubmitEvaluation Evaluate(World& world, const std::string& job);

// Writes the world's log into `state_dir`, which exists; returns the policy that trusts it.
ledger::verifier::TrustPolicy WriteLog(const World& world, const std::filesystem::path& state_dir);
audit::Report AuditWorld(const World& world, const audit::Recompute& recompute = {});

// All findings as text, for INFO.
std::string TextOf(const audit::Report& report);
// The finding of that check, or null.
const audit::Finding* FindingOf(const audit::Report& report, const std::string& check);

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_AUDIT_WORLD_H_
