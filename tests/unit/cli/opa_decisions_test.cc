#include "cli/opa_decisions.h"

#include <catch2/catch.hpp>

namespace carnet::cli {
namespace {

using nlohmann::json;

// Members that an event has: openpolicyagent.org/docs/management-decision-logs, "Decision Log
// Service API".
void CheckEvent(const json& event) {
  for (const char* key : {"labels", "decision_id", "bundles", "path", "input", "result",
                          "requested_by", "timestamp"}) {
    CAPTURE(key);
    CHECK(event.contains(key));
  }
  CHECK(event["bundles"]["carnet"]["revision"].is_string());
}

json RoundOpened() {
  return json::parse(R"({"predicate": {
    "common": {"at": "2026-11-21T09:00:00Z"}, "job_id": "j-1",
    "basis": {"at": "2026-11-21T09:00:01Z", "bundle_sha256": "AQI=", "revision": "3"},
    "members": [
      {"worker_id": "w-1", "authorisations": [
        {"decision_id": "d-1", "facts_sha256": "/w==", "rules": ["house/ok"],
         "flow": {"operation": "OPERATION_SEND_MODEL", "artifact": "ARTIFACT_KIND_MODEL",
                  "from": "DE", "to": "SG", "recipient": "lion", "label_class": "DE|personal"}},
        {"decision_id": "d-2", "facts_sha256": "/w==",
         "flow": {"operation": "OPERATION_TRAIN", "artifact": "ARTIFACT_KIND_RAW_DATA"}}]},
      {"worker_id": "w-2", "authorisations": [
        {"decision_id": "d-3", "flow": {"operation": "OPERATION_PLACE"}}]}]}})");
}

TEST_CASE("Opa: each allowed decision of a record is an event, in order, with its worker") {
  const std::vector<json> events = OpaDecisions(RoundOpened(), 17, "test.acme.example/log");
  REQUIRE(events.size() == 3);
  for (const json& event : events) {
    CheckEvent(event);
    CHECK(event["result"]["allow"] == true);
    CHECK(event["input"]["record"] == 17);
    CHECK(event["input"]["job"] == "j-1");
    CHECK(event["timestamp"] == "2026-11-21T09:00:01Z");
    CHECK(event["bundles"]["carnet"]["revision"] == "3@0102");
    CHECK(event["labels"] == json({{"app", "carnet"}, {"id", "test.acme.example/log"}}));
  }
  CHECK(events[0]["decision_id"] == "d-1");
  CHECK(events[0]["path"] == "carnet/send_model");
  CHECK(events[0]["input"]["artifact"] == "model");
  CHECK(events[0]["input"]["to"] == "SG");
  CHECK(events[0]["input"]["label_class"] == "DE|personal");
  CHECK(events[0]["input"]["facts_sha256"] == "ff");
  CHECK(events[0]["result"]["rules"] == json::array({"house/ok"}));
  CHECK(events[1]["requested_by"] == "w-1");
  CHECK(events[2]["requested_by"] == "w-2");
}

TEST_CASE("Opa: a refusal says no, with its own time and bundle and every failure") {
  const json refusal = json::parse(R"({"predicate": {
    "common": {"at": "2026-11-21T09:00:00Z"}, "job_id": "j-1", "worker_id": "w-1",
    "decisions": [
      {"id": "d-1", "at": "2026-11-21T09:00:02Z", "verdict": "VERDICT_DENY", "revision": "4",
       "bundle_sha256": "AQI=", "facts_sha256": "/w==",
       "flow": {"operation": "OPERATION_SEND_DELTA", "artifact": "ARTIFACT_KIND_DELTA"},
       "failures": [{"reason": "house/grade", "missing_facts": ["to.location_grade"]}]},
      {"id": "d-2", "verdict": "VERDICT_HOLD", "flow": {"operation": "OPERATION_PLACE"}}]}})");
  const std::vector<json> events = OpaDecisions(refusal, 3, "log");
  REQUIRE(events.size() == 2);
  CheckEvent(events[0]);
  CHECK(events[0]["result"]["allow"] == false);
  CHECK(events[0]["result"]["verdict"] == "deny");
  CHECK(events[0]["result"]["failures"][0]["reason"] == "house/grade");
  CHECK(events[0]["timestamp"] == "2026-11-21T09:00:02Z");
  CHECK(events[0]["bundles"]["carnet"]["revision"] == "4@0102");
  CHECK(events[1]["result"]["allow"] == false);
  CHECK(events[1]["result"]["verdict"] == "hold");
  CHECK(events[1]["timestamp"] == "2026-11-21T09:00:00Z");
}

TEST_CASE("Opa: records without decisions, and what is of another form, give nothing") {
  for (const char* text :
       {R"({})", R"([])", R"("text")", R"({"predicate": 7})", R"({"predicate": {"job_id": "j"}})",
        R"({"predicate": {"authorisations": {"decision_id": "d"}}})",
        R"({"predicate": {"authorisations": [7, {"decision_id": "d", "flow": 7}, {"flow": {}}]}})",
        R"({"predicate": {"decisions": [null]}})"}) {
    CAPTURE(text);
    CHECK(OpaDecisions(json::parse(text), 0, "log").empty());
  }
}

}  // namespace
}  // namespace carnet::cli
