// A coordinator that decides what it may not, and the worker that does not take its task.
#include <algorithm>
#include <functional>

#include "policies/exceptions.h"
#include "scenario/french_site.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

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

TEST_CASE("Site check: a task that was decided as the policies say is taken") {
  World world(401, {kNoHealth});
  StartRound(world);
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
  StartRound(world);
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
    auto* decided = site.train.member.mutable_authorisations();
    decided->erase(std::remove_if(decided->begin(), decided->end(),
                                  [](const v1::Authorisation& a) {
                                    return a.flow().operation() == v1::OPERATION_SEND_METRICS;
                                  }),
                   decided->end());
    site.Refused("send_metrics");
  }
  SECTION("the job's place was forgotten") {
    site.Of(v1::OPERATION_PLACE).mutable_flow()->set_artifact(v1::ARTIFACT_KIND_LOG);
    site.Refused("what this task does not move");
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
  StartRound(world);
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
  SECTION("labels that no table knows, as if they were more than its own") {
    site.knowledge.labels["digits/fr"] = {{"FR"}, {"personal"}};
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_label_class("FR,??|health,personal,zz");
    site.Refused("that no policy can read");
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_label_class("FR,health,personal");
    site.Refused("that no policy can read");
  }
  SECTION("labels of its own shard in a decision that nobody judges") {
    site.knowledge.labels["digits/fr"] = {{"FR"}, {"health", "personal"}};
    v1::Authorisation other = site.Of(v1::OPERATION_TRAIN);
    other.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_JOB);
    other.mutable_flow()->set_label_class("FR|health,personal");
    *site.train.member.add_authorisations() = other;
    site.Refused("what this task does not move");
  }
  SECTION("people whom no policy covers") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_label_class("KP|personal");
    site.Refused("uncovered/KP");
  }
  SECTION("data of which nobody said whose it is") {
    site.Of(v1::OPERATION_SEND_DELTA).mutable_flow()->set_label_class("unknown");
    site.Refused("nobody said whose data it is");
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

TEST_CASE("Site check: each of a site's places needs the labels of its shard") {
  World world(408);
  StartRound(world);
  v1::RegionRegistered region;
  world.FillCommon(region.mutable_common());
  region.set_region("fr");
  region.mutable_terms()->add_jurisdictions("FR");
  region.mutable_terms()->add_jurisdictions("NL");
  world.SignRecord(&region, "compliance");
  world.Forge(region, world.statement_key());
  FrenchSite site(world);
  *site.task.add_context() = site.log.Prove(site.log.last());
  site.knowledge.labels["digits/fr"] = {{"FR"}, {"personal"}};
  v1::RoundMember& member = site.train.member;
  const v1::RoundMember decided = member;
  for (const v1::Authorisation& authorisation : decided.authorisations()) {
    v1::Authorisation& twin = *member.add_authorisations();
    twin = authorisation;
    v1::Flow& flow = *twin.mutable_flow();
    if (flow.from() == "FR") {
      flow.set_from("NL");
    }
    if (flow.to() == "FR") {
      flow.set_to("NL");
    }
  }
  const absl::Status both = site.Check();
  INFO(both.ToString());
  CHECK(both.ok());
  for (v1::Authorisation& authorisation : *member.mutable_authorisations()) {
    if (authorisation.flow().operation() == v1::OPERATION_TRAIN &&
        authorisation.flow().to() == "NL") {
      authorisation.mutable_flow()->set_label_class("FR|contact");
    }
  }
  site.Refused("labels that this site knows of digits/fr: train");
}

TEST_CASE("Site check: an exception that is not in the bundle or lacks approvals is refused") {
  World world(404);
  StartRound(world);
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
  StartRound(world);
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
  StartRound(world);
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
  StartRound(world);
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
