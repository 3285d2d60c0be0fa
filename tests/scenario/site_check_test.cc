// A coordinator that decides what it may not, and the worker that does not take its task.
#include <algorithm>
#include <functional>

#include "policies/exceptions.h"
#include "scenario/policy_office.h"
#include "scenario/site_world.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;
using worker::PolicyChain;
using worker::SiteKnowledge;

// What the honest coordinator never meets: nobody's data here is about health.
const char kNoHealth[] = R"(policy: no-health
kind: guardrail
title: Nothing learned from health data leaves its site
approvals: {propose: [compliance], need: 1, from: [compliance]}
effective: {from: 2026-01-01}
review: {by: 2028-06-30, grace: 30d, then: warn}
mode: enforce
rules:
  - id: stays
    effect: deny
    when:
      op: {is: send_delta}
      data.categories: {has: health}
    because: Health data stays.
)";

// Nothing goes to France, unless two persons approve the pilot.
const char kPilotInFrance[] = R"(policy: no-france
kind: guardrail
title: No model for France
approvals: {propose: [dpo], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - {id: never, effect: deny, when: {op: {is: send_model}, to.jurisdiction: {is: FR}}}
exceptions:
  - id: pilot
    lifts: never
    only_when: {job.purpose: {is: digit-recognition}}
    ticket: T-1
    valid: {from: 2026-11-01, to: 2027-01-31}
    approvals: {need: 2, from: [dpo, legal]}
)";

// The task of the worker in France for a round that was opened, and its own view of the log.
struct FrenchSite {
  explicit FrenchSite(World& world)
      : log(world),
        chain(log.Begin()),
        identity(*crypto::SpiffeId::Worker("test.acme.example", "fr", "gaul", "fr-1")) {
    identity.keys = log.keys();
    const std::vector<std::uint64_t> trail = log.Trail();
    const absl::Status followed = log.Follow(&chain, trail);
    INFO(followed.ToString());
    REQUIRE(followed.ok());
    knowledge.home = "DE";
    knowledge.organisation = "acme";
    knowledge.region = "fr";
    knowledge.site_operator = "gaul";
    knowledge.trainer_isolated = true;
    const std::uint64_t opened = world.Find("round-opened").back();
    *task.mutable_opened() = log.Prove(opened);
    for (const char* type : {"job-submitted", "region-registered"}) {
      for (const std::uint64_t index : world.Find(type)) {
        *task.add_context() = log.Prove(index);
      }
    }
    train.opened = *ledger::OpenRecord(log.Record(opened))->As<v1::RoundOpened>();
    train.opened_index = opened;
    for (const v1::RoundMember& member : train.opened.members()) {
      if (member.worker_id() == world.worker("fr-1").id) {
        train.member = member;
      }
    }
    REQUIRE(train.member.authorisations_size() > 0);
    now = world.now();
  }

  absl::Status Check() const {
    worker::CheckedTask checked;
    checked.work = train;
    return worker::CheckSite(
        task, checked,
        {.identity = identity, .head = log.head(), .chain = chain, .site = knowledge, .now = now});
  }
  v1::Authorisation& Of(v1::Operation operation) {
    for (v1::Authorisation& authorisation : *train.member.mutable_authorisations()) {
      if (authorisation.flow().operation() == operation) {
        return authorisation;
      }
    }
    FAIL("no such flow");
    return *train.member.add_authorisations();
  }
  void Refused(const std::string& words) const {
    const absl::Status status = Check();
    INFO(status.ToString());
    CHECK(absl::IsPermissionDenied(status));
    CHECK(std::string(status.message()).find(words) != std::string::npos);
  }

  SiteLog log;
  PolicyChain chain;
  worker::Identity identity;
  SiteKnowledge knowledge;
  v1::Task task;
  worker::TrainTask train;
  absl::Time now;
};

void OpenRound(World& world) {
  world.Submit(1, 1);
  world.Settle();
  REQUIRE_FALSE(world.Find("round-opened").empty());
}

TEST_CASE("Site check: a task that was decided as the policies say is taken") {
  World world(401, {kNoHealth});
  OpenRound(world);
  FrenchSite site(world);
  CHECK(site.Check().ok());
  // What only the coordinator knows does not speak against it.
  site.knowledge.labels["digits/fr"] = {{"FR"}, {"personal"}};
  const absl::Status labelled = site.Check();
  INFO(labelled.ToString());
  CHECK(labelled.ok());
}

TEST_CASE("Site check: decisions for another place or recipient, or none, are refused") {
  World world(402);
  OpenRound(world);
  FrenchSite site(world);
  SECTION("trained elsewhere") {
    site.Of(v1::OPERATION_TRAIN).mutable_flow()->set_from("SG");
    site.Refused("another place");
  }
  SECTION("the delta goes elsewhere") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_to("US");
    site.Refused("another place");
  }
  SECTION("the delta comes from elsewhere") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_from("SG");
    site.Refused("another place");
  }
  SECTION("the delta is for somebody else") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_recipient("lion");
    site.Refused("recipient");
  }
  SECTION("the model is for somebody else's site") {
    site.Of(v1::OPERATION_SEND_MODEL).mutable_flow()->set_recipient("acme");
    site.Refused("recipient");
  }
  SECTION("nothing was decided") {
    site.train.member.clear_authorisations();
    site.Refused("nothing was decided");
  }
  SECTION("the metrics were forgotten") {
    site.Of(v1::OPERATION_SEND_METRICS).mutable_flow()->set_operation(v1::OPERATION_PLACE);
    site.Refused("send_metrics");
  }
  SECTION("its region is not shown") {
    site.task.clear_context();
    site.Refused("region");
  }
  SECTION("its region was shown by somebody else") {
    v1::RegionRegistered region;
    world.FillCommon(region.mutable_common());
    region.set_region("fr");
    region.mutable_terms()->add_jurisdictions("FR");
    world.Forge(region, world.user_key());
    FrenchSite after(world);
    after.task.clear_context();
    *after.task.add_context() = after.log.Prove(after.log.last());
    after.Refused("region");
  }
}

TEST_CASE("Site check: what the site knows itself refuses, what it cannot know does not") {
  World world(403, {kNoHealth});
  OpenRound(world);
  FrenchSite site(world);
  SECTION("a deny on the labels that the coordinator names") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_label_class("FR|health,personal");
    site.Refused("no-health/stays");
  }
  SECTION("labels of its own shard that the decision leaves out") {
    site.knowledge.labels["digits/fr"] = {{"FR"}, {"health", "personal"}};
    site.Refused("labels that this site knows of digits/fr");
  }
  SECTION("people of its own shard that the decision leaves out") {
    site.knowledge.labels["digits/fr"] = {{"AE", "FR"}, {"personal"}};
    site.Refused("labels that this site knows of digits/fr");
  }
  SECTION("a requirement on its own machine") {
    site.knowledge.trainer_isolated = false;
    site.Refused("house/trainer-is-isolated.isolated");
  }
  SECTION("certifications, evidence and the grade of its location are the coordinator's word") {
    CHECK(site.Check().ok());
  }
  SECTION("policies that have expired by its own clock") {
    site.now = site.chain.in_force().valid_to + worker::kSiteClockSkewMax;
    site.Refused("expired");
    site.now -= absl::Seconds(1);
    CHECK(site.Check().ok());
  }
}

TEST_CASE("Site check: an exception that is not in the bundle or lacks approvals is refused") {
  World world(404);
  OpenRound(world);
  FrenchSite site(world);
  site.Of(v1::OPERATION_SEND_DELTA).add_exceptions("ex-1");
  site.Refused("the bundle in force does not have: ex-1");
}

TEST_CASE("Site check: an exception counts once as many persons as it asks for signed it") {
  World world(407, {kPilotInFrance});
  PolicyOffice office(world);
  const auto exception = policies::FindException(*world.state().bundle, "no-france/pilot");
  REQUIRE(exception.has_value());
  const auto approve = [&](const Person& person, const std::string& role) {
    const v1::Approval approval =
        office.Draft(person.id, kApprovalOfException, role, AsText(exception->subject));
    REQUIRE(
        world.Do(RecordApproval{person.id, PolicyOffice::Sign(approval, person.Key()), approval})
            .ok());
  };
  approve(office.Hire(3, {"dpo"}), "dpo");
  approve(office.Hire(4, {"legal"}), "legal");
  OpenRound(world);
  FrenchSite site(world);
  REQUIRE(site.Of(v1::OPERATION_SEND_MODEL).exceptions_size() == 1);
  const absl::Status both = site.Check();
  INFO(both.ToString());
  CHECK(both.ok());
  // The same round, shown to a worker without the second person's record.
  std::vector<std::uint64_t> trail = site.log.Trail();
  trail.erase(std::find(trail.begin(), trail.end(), world.Find("approval").back()));
  site.chain = site.log.Begin();
  REQUIRE(site.log.Follow(&site.chain, trail).ok());
  site.Refused("lacks signed approvals on record: pilot");
}

TEST_CASE("Site check: a decision on other policies than those in force is refused") {
  World world(405);
  OpenRound(world);
  FrenchSite site(world);
  v1::DecisionBasis& basis = *site.train.opened.mutable_basis();
  SECTION("an invented revision") {
    basis.set_revision(2);
    CHECK(absl::IsFailedPrecondition(site.Check()));
  }
  SECTION("an invented bundle") {
    basis.set_bundle_sha256(std::string(32, 'x'));
    CHECK(worker::IsContradiction(site.Check()));
  }
  SECTION("a lower revision") {
    basis.set_revision(0);
    CHECK(worker::IsContradiction(site.Check()));
  }
  SECTION("a time before they were valid") {
    *basis.mutable_at() = ToTimestamp(site.chain.in_force().valid_from - absl::Seconds(1));
    CHECK(worker::IsContradiction(site.Check()));
  }
}

TEST_CASE("Site check: a bundle that came into force meanwhile decides about an open round") {
  World world(406);
  OpenRound(world);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"compliance"});
  json next = office.Json();
  const auto bring = [&](const json& bundle_json) {
    const auto bundle = office.Next(bundle_json);
    REQUIRE(office.Propose(bundle).ok());
    for (const auto& [person, role] : {std::pair(&ann, "legal"), std::pair(&bea, "compliance")}) {
      office.Approve(*person, role, *bundle).IgnoreError();
    }
    world.Settle();
    REQUIRE(world.state().bundle->sha256() == bundle->sha256());
  };
  SECTION("one that forbids it") {
    PolicyOffice::Policy(next, "house")["rules"].push_back(
        {{"id", "no-deltas"},
         {"effect", "deny"},
         {"when", {{"op", {{"is", "send_delta"}}}}},
         {"because", "Not now."}});
    bring(next);
    const FrenchSite site(world);
    CHECK(site.chain.in_force().revision == 2);
    CHECK(site.train.opened.basis().revision() == 1);
    site.Refused("house/no-deltas");
  }
  SECTION("one that does not") {
    PolicyOffice::Policy(next, "house")["rules"].push_back(
        {{"id", "no-logs"},
         {"effect", "deny"},
         {"when", {{"op", {{"is", "read_log"}}}}},
         {"because", "Not now."}});
    bring(next);
    const FrenchSite site(world);
    CHECK(site.chain.in_force().revision == 2);
    CHECK(site.Check().ok());
  }
}

}  // namespace
}  // namespace carnet::coordinator
