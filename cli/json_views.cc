#include "cli/json_views.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "policies/explain.h"
#include "policies/operations.h"

namespace carnet::cli {
namespace {

using nlohmann::json;

// An array even where there is nothing.
template <typename Items, typename ToJson>
json Array(const Items& items, ToJson to_json) {
  json array = json::array();
  for (const auto& item : items) {
    array.push_back(to_json(item));
  }
  return array;
}

template <typename Strings>
json Texts(const Strings& strings) {
  return Array(strings, [](const std::string& text) { return text; });
}

template <typename Map>
json Numbers(const Map& metrics) {
  json object = json::object();
  for (const auto& [name, value] : metrics) {
    object[name] = value;
  }
  return object;
}

std::string Word(absl::string_view word) {
  return std::string(word.data(), word.size());
}

json FailureJson(const v1::Failure& failure) {
  return {{"reason", failure.reason()},
          {"title", failure.title()},
          {"because", failure.because()},
          {"fix", failure.fix()},
          {"found", failure.found()},
          {"cites", Texts(failure.cites())},
          {"missing_facts", Texts(failure.missing_facts())},
          {"facts_used", Texts(failure.facts_used())},
          {"forbidden", failure.forbidden()},
          {"hold", failure.hold()},
          {"exception_possible", failure.exception_possible()}};
}

// Of rules in mode warn; those in mode shadow stand in the record alone.
json WarningsJson(const v1::Decision& decision) {
  json warnings = json::array();
  for (const v1::Failure& warning : decision.warnings()) {
    if (policies::IsWarning(warning)) {
      warnings.push_back(FailureJson(warning));
    }
  }
  return warnings;
}

}  // namespace

std::string JobStateWord(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUBMITTED:
      return "submitted";
    case v1::JOB_STATE_RUNNING:
      return "running";
    case v1::JOB_STATE_WAITING:
      return "waiting";
    case v1::JOB_STATE_COMPLETED:
      return "completed";
    case v1::JOB_STATE_STOPPED:
      return "stopped";
    default:
      return "unknown";
  }
}

std::string LocationWord(v1::LocationGrade grade) {
  switch (grade) {
    case v1::LOCATION_GRADE_CLAIMED:
      return "claimed";
    case v1::LOCATION_GRADE_CONTRACT:
      return "contract";
    case v1::LOCATION_GRADE_PROVIDER:
      return "provider";
    default:
      return "unknown";
  }
}

std::string VerdictWord(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_ALLOW:
      return "allow";
    case v1::VERDICT_HOLD:
      return "hold";
    default:
      return "deny";
  }
}

json JobStatusJson(const v1::JobStatus& status) {
  return {{"job_id", status.job_id()},
          {"name", status.name()},
          {"state", JobStateWord(status.state())},
          {"waiting_for", status.waiting_for()},
          {"end_reason", status.end_reason()},
          {"round", status.round()},
          {"attempt", status.attempt()},
          {"rounds", status.rounds()},
          {"model_sha256", HexEncode(AsBytes(status.model_sha256()))},
          {"submitted_at", FormatTimestamp(ToTime(status.submitted_at()))},
          {"submitter", status.submitter()},
          {"traffic", Array(status.traffic(),
                            [](const v1::BorderTraffic& traffic) {
                              return json{{"from", traffic.from()},
                                          {"to", traffic.to()},
                                          {"bytes", traffic.bytes()}};
                            })},
          {"refusals", status.refusals()},
          {"metrics", Numbers(status.metrics())}};
}

json MetricsJson(const v1::RoundMetrics& round) {
  return {{"round", round.round()},
          {"contributions", round.contributions()},
          {"training", Numbers(round.training())},
          {"evaluation", Numbers(round.evaluation())}};
}

json WorkerJson(const v1::WorkerStatus& worker) {
  return {{"worker_id", worker.worker_id()},
          {"slot", worker.slot()},
          {"region", worker.region()},
          {"supplier", worker.supplier()},
          {"jurisdictions", Texts(worker.jurisdictions())},
          {"location", LocationWord(worker.location())},
          {"live", worker.live()},
          {"revoked", worker.revoked()},
          {"current_task", worker.current_task()},
          {"progress", worker.progress()},
          {"shards", Texts(worker.shards())}};
}

json DecisionJson(const v1::Decision& decision) {
  const v1::Flow& flow = decision.flow();
  return {{"id", decision.id()},
          {"verdict", VerdictWord(decision.verdict())},
          {"operation", Word(policies::OperationWord(flow.operation()))},
          {"artifact", Word(policies::ArtifactWord(flow.artifact()))},
          {"from", flow.from()},
          {"to", flow.to()},
          {"recipient", flow.recipient()},
          {"label_class", flow.label_class()},
          {"failures", Array(decision.failures(), FailureJson)},
          {"obligations", Array(decision.obligations(),
                                [](const v1::Obligation& obligation) {
                                  return json{{"kind", obligation.kind()},
                                              {"bound", obligation.bound()},
                                              {"rule", obligation.rule()},
                                              {"phase", obligation.phase()}};
                                })},
          {"warnings", WarningsJson(decision)},
          {"rules", Texts(decision.rules())},
          {"bridge", decision.bridge()},
          {"other_regions", Texts(decision.other_regions())}};
}

json JobEventJson(const v1::JobEvent& event) {
  json object = {{"index", event.index()},
                 {"type", event.type()},
                 {"at", FormatTimestamp(ToTime(event.at()))}};
  const absl::StatusOr<json> statement = ParseJson(event.statement());
  if (statement.ok() && statement->is_object() && statement->contains("predicate")) {
    object["predicate"] = (*statement)["predicate"];
  }
  if (!event.warnings().empty()) {
    object["warnings"] = Array(event.warnings(), FailureJson);
  }
  if (event.has_status()) {
    object["status"] = JobStatusJson(event.status());
  }
  return object;
}

}  // namespace carnet::cli
