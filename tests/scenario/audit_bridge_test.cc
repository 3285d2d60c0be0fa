// A coordinator that invents what Open Policy Agent said, and the audit that finds it.
#include <functional>
#include <utility>
#include <vector>

#include "base/timestamp.h"
#include "crypto/hash.h"
#include "scenario/audit_world.h"
#include "scenario/bridge_world.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

using Lie = std::function<void(v1::BridgeVerdict&)>;

void SetInput(v1::BridgeVerdict& verdict, const std::string& input) {
  verdict.set_input(input);
  verdict.set_input_sha256(ToString(crypto::Sha256(AsBytes(input))));
}

// What Settle records first is changed by `lie`, and found there by that check.
void ExpectFound(const char* check, const Lie& lie) {
  World world = WorldOf(621, "place");
  Opa opa;
  world.bridge = opa.Caller();
  bool told = false;
  world.SetDoctor([&](ledger::Predicate& predicate) {
    if (auto* verdict = predicate.As<v1::BridgeVerdict>(); verdict != nullptr && !told) {
      told = true;
      lie(*verdict);
    }
  });
  world.Submit(1, 3);
  // What was asked stays unanswered then, and is asked again.
  world.Settle();
  REQUIRE(told);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* const finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.Find("bridge-verdict").front());
}

TEST_CASE("Audit: what Open Policy Agent said is of one flow, in its words, and for its time") {
  const std::vector<Lie> lies = {
      [](v1::BridgeVerdict& verdict) { verdict.set_bridge("cedar"); },
      [](v1::BridgeVerdict& verdict) { verdict.clear_engine_sha256(); },
      [](v1::BridgeVerdict& verdict) { verdict.mutable_flow()->set_to("US"); },
      [](v1::BridgeVerdict& verdict) { verdict.mutable_flow()->set_recipient("other"); },
      [](v1::BridgeVerdict& verdict) {
        verdict.mutable_flow()->set_operation(v1::OPERATION_READ_LOG);
      },
      [](v1::BridgeVerdict& verdict) { verdict.set_job_id(""); },
      [](v1::BridgeVerdict& verdict) { SetInput(verdict, "{}"); },
      [](v1::BridgeVerdict& verdict) { SetInput(verdict, "[1]"); },
      [](v1::BridgeVerdict& verdict) { SetInput(verdict, " " + verdict.input()); },
      [](v1::BridgeVerdict& verdict) {
        SetInput(verdict, "{\"bridge.opa\":\"allow\"," + verdict.input().substr(1));
      },
      [](v1::BridgeVerdict& verdict) { verdict.set_outcome("maybe"); },
      [](v1::BridgeVerdict& verdict) { verdict.set_error("timed-out"); },
      [](v1::BridgeVerdict& verdict) { verdict.add_reasons(std::string(257, 'x')); },
      [](v1::BridgeVerdict& verdict) { verdict.set_engine_decision_id(std::string(129, 'x')); },
      [](v1::BridgeVerdict& verdict) { verdict.set_revision(7); },
      [](v1::BridgeVerdict& verdict) {
        *verdict.mutable_valid_until() =
            ToTimestamp(ToTime(verdict.common().at()) + absl::Hours(25));
      },
      [](v1::BridgeVerdict& verdict) { *verdict.mutable_valid_until() = verdict.common().at(); },
      [](v1::BridgeVerdict& verdict) {
        verdict.set_outcome("error");
        verdict.set_error("asleep");
      }};
  for (std::size_t i = 0; i < lies.size(); ++i) {
    CAPTURE(i);
    ExpectFound("bridge", lies[i]);
  }
}

TEST_CASE("Audit: a crossing that hangs on a yes that nobody gave is found") {
  World world = WorldOf(622, "send_model");
  Opa opa;
  opa.no = "SG";
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 2);
  world.Settle();
  // The round as it would be if Singapore were in it, under the decisions of another member.
  v1::RoundOpened opened = world.state().jobs.at(job).round->opened;
  REQUIRE(world.Do(AbandonRound{job, "too-few-contributions"}).ok());
  world.FillCommon(opened.mutable_common());
  opened.set_attempt(2);
  v1::RoundMember& member = *opened.mutable_members(1);
  member.set_worker_id(world.worker("sg-1").id);
  world.Forge(opened, world.statement_key());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* const finding = FindingOf(report, "decision-missing");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.signed_log().size() - 1);
}

}  // namespace
}  // namespace carnet::coordinator
