// What came from workers, and what was refused.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/audit/owed.h"
#include "coordinator/core/reasons.h"

namespace carnet::coordinator::audit {
namespace {

// The closed list of reasons.h: why a contribution was rejected.
bool IsRejection(const std::string& reason) {
  static const auto* const kReasons = new std::set<std::string>{
      reasons::kWrongLayout,     reasons::kNotFinite,     reasons::kBadChunk,
      reasons::kTruncated,       reasons::kNormAboveClip, reasons::kWrongBaseModel,
      reasons::kWrongHeader,     reasons::kWrongDigest,   reasons::kWrongSignature,
      reasons::kWrongTrainer,    reasons::kWrongShards,   reasons::kUnnamedMetric,
      reasons::kReplayed,        reasons::kLate,          reasons::kSecondContribution,
      reasons::kSeenContradicts, reasons::kRefused,       reasons::kStorageFault};
  return kReasons->count(reason) != 0;
}

void CheckParts(const Step& step, const Job& job, const Round& round, const v1::RoundMember& member,
                const v1::Contribution& record) {
  const Worker* const worker = step.state().FindWorker(record.worker_id());
  step.Expect(worker != nullptr && record.region() == worker->terms.region() &&
                  record.supplier() == worker->terms.supplier(),
              "contribution", "the region and supplier that the worker was enrolled with",
              absl::StrCat(record.region(), ", ", record.supplier()));
  step.Expect(std::equal(record.shard_sha256().begin(), record.shard_sha256().end(),
                         member.shard_sha256().begin(), member.shard_sha256().end()),
              "contribution", "the shards that the round gave to the worker", "other shards");
  step.Expect(record.base_model_sha256() == round.opened.model_sha256(), "chain",
              absl::StrCat("base model ", Hex(round.opened.model_sha256())),
              absl::StrCat("base model ", Hex(record.base_model_sha256())));
  const v1::JobSpec& spec = job.submitted.spec();
  const std::string trainer = absl::StrCat("sha256:", HexEncode(AsBytes(record.trainer_digest())));
  step.Expect(spec.trainer().digest().empty() || spec.trainer().digest() == trainer, "contribution",
              absl::StrCat("trainer ", spec.trainer().digest()), trainer);
  for (const auto& [name, value] : record.metrics()) {
    step.Expect(
        std::find(spec.metrics().begin(), spec.metrics().end(), name) != spec.metrics().end() &&
            std::isfinite(value),
        "contribution", "metrics that the job names", name);
  }
  step.Expect(step.state().cut_tickets.count(member.upload().ticket_id()) == 0 &&
                  step.state().cut_tickets.count(member.download().ticket_id()) == 0,
              "ticket", "a contribution under tickets that were not cut", "one after a cut");
  step.Expect(record.sealed_bytes() <= member.upload().bytes_max(), "ticket",
              absl::StrCat(member.upload().bytes_max(), " bytes at most"),
              absl::StrCat(record.sealed_bytes()));
}

}  // namespace

void Check(const Step& step, const v1::Contribution& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "contribution");
  const Round* const round =
      job == nullptr ? nullptr
                     : OpenRoundOf(step, *job, record.round(), record.attempt(), "contribution");
  if (round == nullptr) {
    return;
  }
  step.Expect(!round->closed.has_value(), "contribution", "a round that takes contributions",
              absl::StrCat("one that closed at ", round->closed_index));
  step.Expect(step.state().last < ToTime(round->opened.deadline()), "contribution",
              "a contribution before the deadline", "one after it");
  step.Expect(record.round_opened_index() == round->opened_index, "contribution",
              absl::StrCat("round-opened at ", round->opened_index),
              absl::StrCat("at ", record.round_opened_index()));
  const v1::RoundMember* const member = MemberOf(*round, record.worker_id());
  if (!step.Expect(member != nullptr, "contribution-member", "a member of the round's cohort",
                   record.worker_id())) {
    return;
  }
  LiveWorkerOf(step, record.worker_id(), "contribution");
  const auto out = round->out.find(record.worker_id());
  step.Expect(out == round->out.end(), "contribution", "a member that is not out of the round",
              out == round->out.end() ? "" : out->second);
  step.Expect(round->contributions.count(record.worker_id()) == 0, "contribution-once",
              "one contribution of a worker to an attempt", "a second one");
  CheckParts(step, *job, *round, *member, record);
  const Worker* const worker = step.state().FindWorker(record.worker_id());
  if (worker != nullptr && step.state().regions.count(worker->terms.region()) != 0) {
    ExpectMayCome(step, SendMetricsFlows(step.state(), *job, *worker), ToTime(record.common().at()),
                  ToTime(round->opened.deadline()));
  }
  ExpectCounted(step, *job, *round, *member);
}

void Check(const Step& step, const v1::ContributionRejected& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "rejection");
  const Round* const round =
      job == nullptr ? nullptr
                     : OpenRoundOf(step, *job, record.round(), record.attempt(), "rejection");
  if (round == nullptr) {
    return;
  }
  step.Expect(IsRejection(record.reason()), "rejection", "a reason of the closed list",
              record.reason());
  step.Expect(MemberOf(*round, record.worker_id()) != nullptr, "rejection",
              "a member of the round's cohort", record.worker_id());
  if (record.reason() == reasons::kStorageFault) {
    step.Expect(round->closed.has_value() && round->contributions.count(record.worker_id()) != 0,
                "rejection", "a storage fault of what a closed round includes",
                "no such contribution");
  }
}

void Check(const Step& step, const v1::TaskFailed& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "task");
  const Round* const round =
      job == nullptr ? nullptr : OpenRoundOf(step, *job, record.round(), record.attempt(), "task");
  step.Expect(round == nullptr || MemberOf(*round, record.worker_id()) != nullptr, "task",
              "a member of the round's cohort", record.worker_id());
}

void Check(const Step& step, const v1::Refusal& record) {
  step.Expect(record.job_id().empty() || step.state().FindJob(record.job_id()) != nullptr,
              "refusal", "a job on record", record.job_id());
  step.Expect(std::any_of(record.decisions().begin(), record.decisions().end(),
                          [](const v1::Decision& decision) {
                            return decision.verdict() != v1::VERDICT_ALLOW;
                          }),
              "refusal", "at least one flow that was not allowed", "none");
  step.memory().refused.emplace(record.job_id(), record.worker_id());
}

}  // namespace carnet::coordinator::audit
