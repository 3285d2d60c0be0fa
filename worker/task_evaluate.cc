#include <utility>

#include "base/status.h"
#include "worker/task_steps.h"

namespace carnet::worker {
namespace {

std::optional<StepError> Measure(const CheckedTask& task, const EvaluateTask& evaluate,
                                 const TaskParts& parts, TrainerResult* result) {
  OpenedModel model;
  if (auto error = OpenModel(task, evaluate.model, evaluate.opened.model(), parts, &model)) {
    return error;
  }
  EvaluateOrder order;
  order.parameters = kParametersFile;
  if (auto error = DataPaths(evaluate.opened.member(), parts, &order.data)) {
    return error;
  }
  TrainerFailure failure;
  const auto process =
      parts.trainers.Process(evaluate.job, model.reader->layout(), parts.cancel, &failure);
  if (!process.ok()) {
    return StepError{process.status(), failure};
  }
  const absl::Duration deadline =
      std::min(MonotonicDeadline(task, parts),
               parts.clock.MonotonicNow() + parts.trainers.fit_deadline_max());
  auto measured = (*process)->Evaluate(order, deadline, parts.cancel);
  if (!measured.ok()) {
    return StepError{measured.status(), (*process)->failure()};
  }
  *result = *std::move(measured);
  return std::nullopt;
}

absl::StatusOr<v1::SignedRecord> SignEvaluation(const EvaluateTask& evaluate,
                                                const TrainerResult& result,
                                                const TaskParts& parts) {
  v1::Evaluation evaluation;
  *evaluation.mutable_common() = MakeCommon(parts);
  evaluation.set_job_id(evaluate.opened.job_id());
  evaluation.set_round(evaluate.opened.round());
  evaluation.set_attempt(evaluate.opened.attempt());
  evaluation.set_evaluation_opened_index(evaluate.opened_index);
  evaluation.set_worker_id(parts.identity.worker_id);
  evaluation.set_model_sha256(evaluate.opened.model_sha256());
  *evaluation.mutable_shard_sha256() = evaluate.opened.member().shard_sha256();
  evaluation.set_examples(result.examples);
  const auto metrics = NamedMetrics(result.metrics, evaluate.job.spec);
  evaluation.mutable_metrics()->insert(metrics.begin(), metrics.end());
  evaluation.set_trainer_digest(ToString(evaluate.job.trainer_digest));
  *evaluation.mutable_seen() = parts.heads.Seen();
  return Sign(evaluation, parts);
}

std::optional<StepError> Evaluate(const CheckedTask& task, const EvaluateTask& evaluate,
                                  Journal& journal, const TaskParts& parts) {
  auto record = journal.Record();
  if (!record.ok()) {
    return FailedStep(record.status(), v1::TASK_FAILURE_DISK);
  }
  if (!record->has_value()) {
    TrainerResult result;
    if (auto error = Measure(task, evaluate, parts, &result)) {
      return error;
    }
    auto signed_record = SignEvaluation(evaluate, result, parts);
    if (!signed_record.ok()) {
      return FailedStep(signed_record.status(), v1::TASK_FAILURE_TRAINER_OUTPUT);
    }
    const absl::Status kept = journal.KeepRecord(*signed_record);
    if (!kept.ok()) {
      return FailedStep(kept, v1::TASK_FAILURE_DISK);
    }
    record->emplace(*std::move(signed_record));
  }
  return SubmitRecord(
      task, **record,
      [&parts](const v1::SubmitRecordRequest& request) {
        return parts.client.SubmitEvaluation(request);
      },
      parts);
}

}  // namespace

TaskEnd RunEvaluate(const CheckedTask& task, const EvaluateTask& evaluate, const TaskParts& parts) {
  auto journal = Journal::Open(parts.state.tasks(), task.task_id);
  if (!journal.ok()) {
    return EndOf(FailedStep(journal.status(), v1::TASK_FAILURE_DISK), parts);
  }
  if (auto error = Evaluate(task, evaluate, *journal, parts)) {
    return EndOf(*error, parts);
  }
  return {};
}

}  // namespace carnet::worker
