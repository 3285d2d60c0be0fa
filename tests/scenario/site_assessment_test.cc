// What a site takes for an approval of a model's anonymity.
#include "worker/core/site_assessment.h"

#include <catch2/catch.hpp>

#include "scenario/assessor.h"
#include "scenario/policy_office.h"
#include "scenario/site_world.h"
#include "worker/core/site_facts.h"

namespace carnet::coordinator {
namespace {

worker::SiteKnowledge France() {
  worker::SiteKnowledge site;
  site.home = "DE";
  site.organisation = "acme";
  site.region = "fr";
  site.site_operator = "gaul";
  return site;
}

policies::Value AnonymityOf(v1::ArtifactKind artifact, bool anonymous) {
  worker::SiteFlow flow;
  flow.flow.set_operation(v1::OPERATION_SEND_MODEL);
  flow.flow.set_artifact(artifact);
  flow.flow.set_from("DE");
  flow.flow.set_to("FR");
  flow.flow.set_recipient("gaul");
  flow.anonymous = anonymous;
  const auto facts = worker::SiteFacts(flow, France());
  REQUIRE(facts.ok());
  return facts->Get("artifact.anonymity");
}

TEST_CASE("Site: an approval that came with the task counts for its model and its time") {
  World world(721);
  const std::string model(32, 'm');
  REQUIRE(world.Do(Assessed(world, model, ApproveAnonymity)).ok());
  const std::uint64_t index = world.Find("model-assessed").back();
  const SiteLog log(world);
  worker::PolicyChain chain = log.Begin();
  const worker::PolicyChain stranger = log.Begin();
  REQUIRE(log.Follow(&chain, log.Trail()).ok());
  v1::Task task;
  worker::AskedModel asked{AsBytes(model), world.now(), index + 1};
  CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain, asked));
  *task.add_context() = log.Prove(index);
  CHECK(worker::ShowsAnonymity(task, log.head(), chain, asked));
  SECTION("not for another model") {
    const std::string other(32, 'o');
    asked.model_sha256 = AsBytes(other);
    CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain, asked));
  }
  SECTION("not before it was recorded") {
    asked.before = index;
    CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain, asked));
  }
  SECTION("not after its end") {
    asked.at = world.now() + absl::Hours(24 * 366);
    CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain, asked));
  }
  SECTION("not by somebody whom this site does not know") {
    CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), stranger, asked));
  }
  SECTION("not under another head") {
    task.mutable_context(0)->mutable_proof()->set_tree_size(log.head().size - 1);
    CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain, asked));
  }
}

// Of a site that follows the log to its end and is given its last record.
bool LastShowsAnonymity(const World& world, const std::string& model) {
  const SiteLog log(world);
  worker::PolicyChain chain = log.Begin();
  REQUIRE(log.Follow(&chain, log.Trail()).ok());
  v1::Task task;
  *task.add_context() = log.Prove(log.last());
  return worker::ShowsAnonymity(task, log.head(), chain,
                                {AsBytes(model), world.now(), log.last() + 1});
}

TEST_CASE("Site: an approval from before the log began counts for nothing") {
  World world(724);
  const std::string model(32, 'm');
  const AssessModel old = Assessed(world, model, [&](v1::ModelAssessed& record) {
    ApproveAnonymity(record);
    *record.mutable_common()->mutable_at() =
        ToTimestamp(ToTime(world.state().genesis.common().at()) - absl::Hours(1));
  });
  world.Forge(old.assessment, world.user_key());
  CHECK_FALSE(LastShowsAnonymity(world, model));
}

TEST_CASE("Site: an approval outlives its person, and none comes after him") {
  World world(723);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const auto approve = [&](const std::string& model) {
    AssessModel command = Assessed(world, model, [&](v1::ModelAssessed& record) {
      ApproveAnonymity(record);
      record.set_assessor(ann.id);
    });
    command.user_id = ann.id;
    command.record = ledger::SignRecord(*ledger::MakeStatement(command.assessment), ann.Key());
    return command;
  };
  const std::string model(32, 'm');
  REQUIRE(world.Do(approve(model)).ok());
  const std::uint64_t index = world.Find("model-assessed").back();
  REQUIRE(world.Do(RevokeUser{kOperator, ann.id, "left"}).ok());
  const std::string late(32, 'n');
  const AssessModel forged = approve(late);
  world.Forge(forged.assessment, ann.Key());
  const SiteLog log(world);
  worker::PolicyChain chain = log.Begin();
  REQUIRE(log.Follow(&chain, log.Trail()).ok());
  v1::Task task;
  *task.add_context() = log.Prove(index);
  *task.add_context() = log.Prove(log.last());
  CHECK(worker::ShowsAnonymity(task, log.head(), chain,
                               {AsBytes(model), world.now(), log.last() + 1}));
  CHECK_FALSE(worker::ShowsAnonymity(task, log.head(), chain,
                                     {AsBytes(late), world.now(), log.last() + 1}));
}

TEST_CASE("Site: an assessment that approves nothing counts for nothing") {
  World world(722);
  const std::string model(32, 'm');
  REQUIRE(world.Do(Assessed(world, model)).ok());
  CHECK_FALSE(LastShowsAnonymity(world, model));
}

TEST_CASE("Site: anonymity is a model's, and the deal with a supplier is not known") {
  CHECK(AnonymityOf(v1::ARTIFACT_KIND_MODEL, true) == policies::Value::Text("approved"));
  CHECK(AnonymityOf(v1::ARTIFACT_KIND_MODEL, false) == policies::Value::Text("none"));
  CHECK(AnonymityOf(v1::ARTIFACT_KIND_DELTA, true) == policies::Value::Text("none"));
  worker::SiteFlow flow;
  flow.flow.set_operation(v1::OPERATION_PLACE);
  flow.flow.set_artifact(v1::ARTIFACT_KIND_JOB);
  flow.flow.set_from("DE");
  flow.flow.set_to("FR");
  flow.flow.set_recipient("gaul");
  CHECK(worker::SiteFacts(flow, France())->Get("deal.kind").is_unknown());
  flow.flow.set_recipient("acme");
  CHECK(worker::SiteFacts(flow, France())->Get("deal.kind") == policies::Value::Text("internal"));
}

}  // namespace
}  // namespace carnet::coordinator
