#include "coordinator/engine/decision_alarm.h"

#include "base/log.h"
#include "coordinator/core/judge.h"
#include "policies/operations.h"

namespace carnet::coordinator {
namespace {

template <typename Decisions>
void Alarm(const Decisions& decisions, const std::string& worker_id, Metrics& metrics) {
  for (const v1::Decision& decision : decisions) {
    if (!IsInError(decision)) {
      continue;
    }
    const v1::Failure& failure = decision.failures(0);
    metrics.Add(kDecisionsInError, {failure.reason()});
    Log(LogLevel::kError, "policy.decision-in-error",
        {{"decision", decision.id()},
         {"reason", failure.reason()},
         {"because", failure.because()},
         {"operation", policies::OperationWord(decision.flow().operation())},
         {"worker", worker_id}});
  }
}

}  // namespace

void AlarmOfErrors(const NewRecord& record, Metrics& metrics) {
  if (const auto* refusal = record.predicate.As<v1::Refusal>(); refusal != nullptr) {
    Alarm(refusal->decisions(), refusal->worker_id(), metrics);
  } else if (const auto* cut = record.predicate.As<v1::TransferCut>(); cut != nullptr) {
    Alarm(cut->decisions(), cut->worker_id(), metrics);
  }
}

}  // namespace carnet::coordinator
