#include "scenario/audit_world.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "coordinator/audit/audit.h"
#include "ledger/log.h"
#include "ledger/readers/state_source.h"
#include "ledger/trust.h"
#include "ledger/verifier/merkle.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {

World WorldWithEvidence(std::uint64_t seed) {
  World world(seed);
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world.AddEvidence("scc-2021-914", supplier, to);
    world.AddEvidence("tia", supplier, to);
  }
  return world;
}

SubmitEvaluation Evaluate(World& world, const std::string& job) {
  const EvaluationTask& task = *world.state().jobs.at(job).evaluation;
  SubmitEvaluation command;
  command.worker_id = task.opened.member().worker_id();
  v1::Evaluation& record = command.evaluation;
  world.FillCommon(record.mutable_common());
  record.set_job_id(job);
  record.set_round(task.opened.round());
  record.set_attempt(task.opened.attempt());
  record.set_evaluation_opened_index(task.opened_index);
  record.set_worker_id(command.worker_id);
  record.set_model_sha256(task.opened.model_sha256());
  (*record.mutable_metrics())["loss"] = 0.25;
  ledger::verifier::RootBuilder seen;
  for (const ledger::Record& entry : world.log()) {
    seen.Add(entry.leaf_hash);
  }
  record.mutable_seen()->set_origin("test.acme.example/log");
  record.mutable_seen()->set_size(seen.size());
  record.mutable_seen()->set_root(ToString(seen.Root()));
  command.record = ledger::SignRecord(*ledger::MakeStatement(record), world.worker("home-1").key);
  command.signed_by_worker = true;
  command.seen_in_log = true;
  return command;
}

std::string TrainWhole(World& world, std::uint32_t rounds, bool evaluate) {
  const std::string job = world.Submit(rounds, 3, evaluate);
  for (std::uint32_t round = 1; round <= rounds; ++round) {
    world.Settle();
    world.ContributeAll(job);
    world.Settle();
    if (evaluate) {
      REQUIRE(world.state().jobs.at(job).evaluation.has_value());
      REQUIRE(world.Do(Evaluate(world, job)).ok());
    }
    world.Advance(absl::Seconds(5));
  }
  world.Settle();
  return job;
}

ledger::verifier::TrustPolicy WriteLog(const World& world, const std::filesystem::path& state_dir) {
  auto log = ledger::Log::Open(
      {.state_dir = state_dir, .head_file = {}, .origin = world.state().genesis.origin()},
      *crypto::Ed25519KeyPair::FromSeed(world.statement_key().seed()));
  INFO(log.status().ToString());
  REQUIRE(log.ok());
  const auto appended = (*log)->Append(world.signed_log());
  INFO(appended.status().ToString());
  REQUIRE(appended.ok());
  const auto policy = ledger::verifier::ParseTrustPolicy(
      ledger::TrustPolicyText((*log)->key(), world.log().front().leaf_hash));
  REQUIRE(policy.ok());
  return *policy;
}

audit::Report AuditWorld(const World& world, const audit::Recompute& recompute) {
  const testing_ledger::TempDir dir;
  const ledger::verifier::TrustPolicy policy = WriteLog(world, dir.path());
  const auto source = ledger::StateSource::Open(dir.path());
  REQUIRE(source.ok());
  audit::Options options;
  options.now = world.now();
  options.recompute = recompute;
  return audit::Audit(**source, policy, options);
}

std::string TextOf(const audit::Report& report) {
  std::string text;
  for (const audit::Finding& finding : report.findings) {
    absl::StrAppend(&text, audit::NameOf(finding.severity), " ", finding.check, " at ",
                    finding.index ? absl::StrCat(*finding.index) : "end", "\n  expected ",
                    finding.expected, "\n  actual   ", finding.actual, "\n");
  }
  return text;
}

const audit::Finding* FindingOf(const audit::Report& report, const std::string& check) {
  for (const audit::Finding& finding : report.findings) {
    if (finding.check == check) {
      return &finding;
    }
  }
  return nullptr;
}

}  // namespace carnet::coordinator
