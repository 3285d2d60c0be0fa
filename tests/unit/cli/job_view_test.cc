// cli/job_view.h and cli/json_views.h
#include "cli/job_view.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/json.h"
#include "cli/json_views.h"
#include "cli/problems.h"

namespace carnet::cli {
namespace {

v1::JobEvent EventOf(std::uint64_t index, const std::string& type,
                     const google::protobuf::Message& record) {
  v1::JobEvent event;
  event.set_index(index);
  event.set_type(type);
  event.set_statement("{\"_type\":\"t\",\"predicate\":" + *MessageToJson(record) + "}");
  return event;
}

v1::JobEvent Submitted() {
  v1::JobSubmitted record;
  record.set_job_id("j-1");
  record.mutable_spec()->set_job("digits");
  record.mutable_spec()->mutable_trainer()->set_name("softmax");
  record.mutable_spec()->add_data("digits/*");
  record.mutable_spec()->mutable_rounds()->set_count(50);
  return EventOf(4, "job-submitted", record);
}

v1::JobEvent Opened(std::uint32_t round) {
  v1::RoundOpened record;
  record.set_round(round);
  record.set_attempt(1);
  record.set_model_sha256(std::string(32, '\xab'));
  record.mutable_model()->set_sealed_bytes(1000);
  record.add_members()->set_worker_id("w-fr");
  record.add_members()->set_worker_id("w-home");
  v1::LeftOut* out = record.add_left_out();
  out->set_worker_id("w-ae");
  out->set_reason("refused");
  return EventOf(9, "round-opened", record);
}

v1::JobEvent Contributed(const std::string& worker_id) {
  v1::Contribution record;
  record.set_round(3);
  record.set_worker_id(worker_id);
  record.set_sealed_bytes(12345);
  (*record.mutable_metrics())["loss"] = 0.62;
  return EventOf(10, "contribution", record);
}

JobView NamedView() {
  JobView view("DE");
  view.SetWorkers(
      {{"w-fr", {"fr-1", "FR"}}, {"w-home", {"home-1", "DE"}}, {"w-ae", {"ae-1", "AE"}}});
  return view;
}

std::string TextOf(const std::vector<ViewLine>& lines) {
  REQUIRE(lines.size() == 1);
  return lines.front().text;
}

}  // namespace

TEST_CASE("Job view: each step of a round is a line with names instead of ids") {
  JobView view = NamedView();
  CHECK(TextOf(view.Feed(Submitted())) ==
        "job j-1 \"digits\": 50 rounds, trainer softmax, data digits/*");
  CHECK(view.RoundLine().empty());
  CHECK(TextOf(view.Feed(Opened(3))) ==
        "[round 3/50] opened: 2 workers (fr-1 home-1), model abababababab; left out: ae-1 "
        "(refused)");
  CHECK(TextOf(view.Feed(Contributed("w-fr"))) ==
        "[round 3/50] contribution from fr-1 (12.3 KB FR→DE, loss 0.62)");
  CHECK(TextOf(view.Feed(Contributed("w-home"))) ==
        "[round 3/50] contribution from home-1 (12.3 KB at home, loss 0.62)");
}

TEST_CASE("Job view: the moving line counts contributions and what crossed borders") {
  JobView view = NamedView();
  view.Feed(Submitted());
  view.Feed(Opened(3));
  view.Feed(Contributed("w-fr"));
  view.Feed(Contributed("w-home"));
  // 1000 B out to FR and 12345 B back; what stays at home crosses nothing.
  CHECK(view.RoundLine() ==
        "round 3/50 ━━━━━━━━━━━━━━━━━━━━ 2/2 training  loss 0.62  13.3 KB over borders");
  CHECK(view.TakeFinishedRound().empty());
  view.Feed(Opened(4));
  CHECK(view.TakeFinishedRound().find("round 3/50") == 0);
  CHECK(view.TakeFinishedRound().empty());
}

TEST_CASE("Job view: what a rule in mode warn said of a round is a notice, once a job") {
  JobView view = NamedView();
  view.Feed(Submitted());
  v1::JobEvent opened = Opened(3);
  v1::Failure* warning = opened.add_warnings();
  warning->set_reason("abroad/announced");
  warning->set_because("Jobs abroad are announced.");
  warning->set_fix("Announce it.");
  const std::vector<ViewLine> lines = view.Feed(opened);
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.back().kind == ViewLine::Kind::kNotice);
  CHECK(lines.back().text ==
        "warning, decides nothing: Jobs abroad are announced. (abroad/announced)\n"
        "  Fix: Announce it.");
  for (const ViewLine& line : view.Feed(opened)) {
    CHECK(line.kind != ViewLine::Kind::kNotice);
  }
}

TEST_CASE("Job view: a transfer that was cut says whose, how far and why") {
  JobView view = NamedView();
  view.Feed(Submitted());
  view.Feed(Opened(3));
  v1::TransferCut record;
  record.set_round(3);
  record.set_worker_id("w-fr");
  record.set_direction("upload");
  record.set_bytes_crossed(12345);
  record.set_reason("worker-revoked");
  const std::vector<ViewLine> lines = view.Feed(EventOf(9, "transfer-cut", record));
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().kind == ViewLine::Kind::kNotice);
  CHECK(lines.front().text == "[round 3/50] upload of fr-1 cut after 12.3 KB: worker-revoked");
}

TEST_CASE("Job view: Open Policy Agent's no, and its silence, are news, and its yes is none") {
  JobView view = NamedView();
  v1::BridgeVerdict record;
  record.mutable_flow()->set_operation(v1::OPERATION_SEND_MODEL);
  record.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
  record.mutable_flow()->set_from("DE");
  record.mutable_flow()->set_to("SG");
  record.set_outcome("allowed");
  CHECK(view.Feed(EventOf(7, "bridge-verdict", record)).empty());
  record.set_outcome("denied");
  record.add_reasons("not on the list");
  CHECK(TextOf(view.Feed(EventOf(8, "bridge-verdict", record))) ==
        "Open Policy Agent said no, not on the list: send model of model DE→SG");
  record.set_outcome("error");
  record.set_error("timed-out");
  CHECK(TextOf(view.Feed(EventOf(9, "bridge-verdict", record))) ==
        "Open Policy Agent did not answer, timed-out: send model of model DE→SG");
}

TEST_CASE("Job view: a refusal says each problem once, with what would make it pass") {
  v1::Refusal record;
  record.set_worker_id("w-ae");
  for (int i = 0; i < 2; ++i) {
    v1::Decision* decision = record.add_decisions();
    decision->set_verdict(v1::VERDICT_DENY);
    decision->mutable_flow()->set_operation(v1::OPERATION_SEND_MODEL);
    decision->mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
    decision->mutable_flow()->set_to("AE");
    v1::Failure* failure = decision->add_failures();
    failure->set_reason("gdpr-chapter-v/safeguards.scc");
    failure->set_because("a transfer needs safeguards");
    failure->set_fix("record standard contractual clauses");
    decision->add_other_regions("fr");
  }
  JobView view = NamedView();
  const std::vector<ViewLine> lines = view.Feed(EventOf(8, "refusal", record));
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().kind == ViewLine::Kind::kNotice);
  CHECK(lines.front().text ==
        "refused ae-1\n"
        "  send model (model to United Arab Emirates (AE)): not permitted: A transfer needs "
        "safeguards.\n"
        "    Fix: record standard contractual clauses\n"
        "  regions that would pass now: fr");
  // The same problem in the way of another operation is not explained again.
  for (v1::Decision& decision : *record.mutable_decisions()) {
    decision.mutable_flow()->set_operation(v1::OPERATION_USE_KEY);
  }
  CHECK(TextOf(view.Feed(EventOf(9, "refusal", record))) == "refused ae-1, use key: as said above");
}

TEST_CASE("Problems: one for each reason and destination, with every operation that it stops") {
  google::protobuf::RepeatedPtrField<v1::Decision> decisions;
  for (const v1::Operation operation :
       {v1::OPERATION_SEND_MODEL, v1::OPERATION_USE_KEY, v1::OPERATION_USE_KEY}) {
    v1::Decision* decision = decisions.Add();
    decision->set_verdict(v1::VERDICT_DENY);
    decision->mutable_flow()->set_operation(operation);
    decision->mutable_flow()->set_artifact(
        operation == v1::OPERATION_USE_KEY ? v1::ARTIFACT_KIND_KEY : v1::ARTIFACT_KIND_MODEL);
    decision->mutable_flow()->set_to("SG");
    decision->add_failures()->set_reason("a/b");
    decision->add_failures()->set_reason("c/d");
  }
  decisions.Add()->set_verdict(v1::VERDICT_ALLOW);
  const std::vector<Problem> problems = ProblemsOf(decisions);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].operations == "send model, use key");
  CHECK(problems[1].operations == "send model, use key");
  CHECK(problems[0].what == "Singapore (SG)");
  CHECK(problems[0].key != problems[1].key);
}

TEST_CASE(
    "Problems: what rules in mode warn say is a warning of allowed decisions too, once each") {
  google::protobuf::RepeatedPtrField<v1::Decision> decisions;
  for (const v1::Operation operation : {v1::OPERATION_SEND_MODEL, v1::OPERATION_USE_KEY}) {
    v1::Decision* decision = decisions.Add();
    decision->set_verdict(v1::VERDICT_ALLOW);
    decision->mutable_flow()->set_operation(operation);
    decision->mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
    decision->mutable_flow()->set_to("SG");
    for (const char* mode : {"warn", "shadow"}) {
      v1::Failure* warning = decision->add_warnings();
      warning->set_reason(absl::StrCat("house/", mode));
      warning->set_mode(mode);
      warning->set_because("the contract ends soon");
      warning->set_fix("renew it");
    }
  }
  CHECK(ProblemsOf(decisions).empty());
  const std::vector<Problem> warnings = WarningsOf(decisions);
  REQUIRE(warnings.size() == 1);
  CHECK(WarningText(warnings[0]) ==
        "  warning, decides nothing: send model, use key (model to Singapore (SG)): not permitted: "
        "The contract ends soon.\n    Fix: renew it");
}

TEST_CASE("Job view: knows how the job ended") {
  JobView view = NamedView();
  v1::JobStopped stopped;
  stopped.set_reason("asked");
  stopped.set_rounds(1);
  CHECK(TextOf(view.Feed(EventOf(20, "job-stopped", stopped))) == "stopped: asked after 1 round");
  CHECK(view.ended());
  CHECK_FALSE(view.completed());
  JobView other = NamedView();
  v1::JobCompleted completed;
  completed.set_reason("rounds-done");
  completed.set_rounds(50);
  completed.set_model_sha256(std::string(32, '\xab'));
  CHECK(TextOf(other.Feed(EventOf(20, "job-completed", completed))) ==
        "completed: rounds-done after 50 rounds, model abababababab");
  CHECK(other.completed());
}

TEST_CASE("Job view: asks for names only when a worker has none") {
  JobView view("DE");
  CHECK(view.NeedsNames(Opened(1)));
  CHECK_FALSE(view.NeedsNames(Submitted()));
  view.SetWorkers({{"w-fr", {}}, {"w-home", {}}, {"w-ae", {}}});
  CHECK_FALSE(view.NeedsNames(Opened(1)));
}

TEST_CASE("Job view: a record that it does not know, or cannot read, only counts") {
  JobView view = NamedView();
  v1::JobEvent broken;
  broken.set_type("round-opened");
  broken.set_statement("{");
  CHECK(view.Feed(broken).empty());
  v1::JobEvent unknown = broken;
  unknown.set_type("something-new");
  CHECK(view.Feed(unknown).empty());
  CHECK(view.records() == 2);
}

TEST_CASE("Job view: the summary names every border") {
  v1::JobStatus status;
  status.set_round(50);
  status.set_rounds(50);
  status.set_refusals(2);
  status.set_model_sha256(std::string(32, '\xab'));
  (*status.mutable_metrics())["accuracy"] = 0.861;
  v1::BorderTraffic* traffic = status.add_traffic();
  traffic->set_from("FR");
  traffic->set_to("DE");
  traffic->set_bytes(12345);
  CHECK(NamedView().Summary(status) ==
        "  rounds     50 of 50\n"
        "  evaluated  accuracy 0.861\n"
        "  border     FR→DE  12.3 KB\n"
        "  refusals   2\n"
        "  records    0\n"
        "  model      abababababab\n");
}

TEST_CASE("JSON: a status has digests in hex, words for states and numbers as numbers") {
  v1::JobStatus status;
  status.set_job_id("j-1");
  status.set_state(v1::JOB_STATE_WAITING);
  status.set_waiting_for("too-few-workers");
  status.set_model_sha256(std::string(2, '\xab'));
  status.set_refusals(std::uint64_t{1} << 40);
  const nlohmann::json json = JobStatusJson(status);
  CHECK(json["state"] == "waiting");
  CHECK(json["model_sha256"] == "abab");
  CHECK(json["refusals"] == std::uint64_t{1} << 40);
  CHECK(json["traffic"] == nlohmann::json::array());
  CHECK(json["metrics"] == nlohmann::json::object());
}

TEST_CASE("JSON: an event holds its predicate as it was signed") {
  const nlohmann::json json = JobEventJson(Contributed("w-fr"));
  CHECK(json["index"] == 10);
  CHECK(json["type"] == "contribution");
  CHECK(json["predicate"]["worker_id"] == "w-fr");
  CHECK_FALSE(json.contains("status"));
}

}  // namespace carnet::cli
