// What persons found out about models: who may say it, of which models it speaks, how it ends.
#include "coordinator/core/assessments.h"

#include <algorithm>

#include "coordinator/core/apply.h"
#include "coordinator/core/expiry.h"
#include "coordinator/core/release.h"
#include "coordinator/core/tasks.h"
#include "scenario/assessor.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using policies::Value;

const Job& OnlyJob(const World& world) {
  return world.state().jobs.begin()->second;
}

// Of the model that goes to Singapore next.
policies::FactSet OfModel(const World& world) {
  const State& state = world.state();
  const Worker& worker = state.workers.at(world.worker("sg-1").id);
  return Facts(state, SendModelFlows(state, OnlyJob(world), worker).front(), world.now());
}

// Whether the job's newest model may go to somebody in Kenya, for which nothing is on file.
bool MayGo(const World& world) {
  User reader;
  reader.id = "u-reader";
  reader.jurisdiction = "KE";
  reader.organisation = "nyati";
  const State& state = world.state();
  std::uint64_t counter = 0;
  return DecideFlows(state,
                     ReleaseModelFlows(state, OnlyJob(world), OnlyJob(world).model_sha256, reader),
                     world.now(), Bytes(32), &counter)
      .allowed;
}

absl::StatusCode CodeOf(World& world, const AssessModel& command) {
  return world.Do(command).status().code();
}

// What is decided where kOperator holds that role alone.
absl::StatusCode CodeFor(World& world, const std::string& role, const AssessModel& command) {
  State state = world.state();
  state.users.at(kOperator).roles = {role};
  return Decide(state, Command{command, world.now(), "", world.Random(32)}).status().code();
}

TEST_CASE("Assessments: what nobody assessed is unknown, and anonymity is not approved") {
  World world = WorldWithEvidence(701);
  world.Submit(1, 1);
  const policies::FactSet facts = OfModel(world);
  CHECK(facts.Get("model.controlled").is_unknown());
  CHECK(facts.Get("model.export_class").is_unknown());
  CHECK(facts.Get("artifact.anonymity") == Value::Text("none"));
}

TEST_CASE("Assessments: a job's models follow from its first one, unless assessed themselves") {
  World world = WorldWithEvidence(702);
  TrainWhole(world, 2);
  const std::uint64_t facts_version = world.state().facts_version;
  REQUIRE(world.Do(Assessed(world, OnlyJob(world).submitted.model_sha256())).ok());
  CHECK(world.state().facts_version > facts_version);
  CHECK(OfModel(world).Get("model.controlled") == Value::YesNo(false));
  CHECK(OfModel(world).Get("model.export_class") == Value::Text("none"));
  SECTION("an aggregate of round 1 speaks for those after it") {
    REQUIRE(world
                .Do(Assessed(world, ToString(OnlyJob(world).results.front().model_sha256),
                             [](v1::ModelAssessed& record) {
                               record.set_controlled("yes");
                               record.clear_export_class();
                             }))
                .ok());
    CHECK(OfModel(world).Get("model.controlled") == Value::YesNo(true));
    // What it does not state is as the first model has it.
    CHECK(OfModel(world).Get("model.export_class") == Value::Text("none"));
  }
  SECTION("a later model does not speak for an earlier one") {
    REQUIRE(world
                .Do(Assessed(world, ToString(OnlyJob(world).results.back().model_sha256),
                             [](v1::ModelAssessed& record) { record.set_controlled("yes"); }))
                .ok());
    const ModelFacts first =
        ModelFactsOf(world.state(), &OnlyJob(world),
                     ToString(OnlyJob(world).results.front().model_sha256), world.now());
    CHECK(first.controlled == "no");
    CHECK(OfModel(world).Get("model.controlled") == Value::YesNo(true));
  }
  SECTION("a delta and an aggregate come of the newest model") {
    const State& state = world.state();
    const auto aggregate = AggregateFlows(state, OnlyJob(world), {}).front();
    CHECK(Facts(state, aggregate, world.now()).Get("model.controlled") == Value::YesNo(false));
    CHECK(Facts(state, aggregate, world.now()).Get("artifact.anonymity") == Value::Text("none"));
  }
}

TEST_CASE("Assessments: anonymity counts for exactly the model that was assessed") {
  World world = WorldWithEvidence(703);
  TrainWhole(world, 2);
  CHECK_FALSE(MayGo(world));
  const Job& job = OnlyJob(world);
  REQUIRE(
      world.Do(Assessed(world, ToString(job.results.front().model_sha256), ApproveAnonymity)).ok());
  CHECK_FALSE(MayGo(world));
  REQUIRE(
      world.Do(Assessed(world, ToString(job.results.back().model_sha256), ApproveAnonymity)).ok());
  CHECK(MayGo(world));
  CHECK(OfModel(world).Get("artifact.anonymity") == Value::Text("approved"));
  CHECK(AnonymityApproval(world.state(), ToString(job.model_sha256), world.now()) ==
        world.Find("model-assessed").back());
  SECTION("it is withdrawn") {
    REQUIRE(world
                .Do(Assessed(world, ToString(job.model_sha256),
                             [](v1::ModelAssessed& record) { Withdraw(record); }))
                .ok());
    CHECK_FALSE(MayGo(world));
  }
  SECTION("it is replaced by one that does not say so") {
    REQUIRE(world.Do(Assessed(world, ToString(job.model_sha256))).ok());
    CHECK_FALSE(MayGo(world));
  }
  SECTION("it ends") {
    world.Advance(absl::Hours(24 * 366));
    CHECK_FALSE(
        AnonymityApproval(world.state(), ToString(job.model_sha256), world.now()).has_value());
  }
}

TEST_CASE("Assessments: each role states what is its own") {
  World world = WorldWithEvidence(704);
  const std::string model(32, 'm');
  const AssessModel exports = Assessed(world, model);
  const AssessModel anonymity = Assessed(world, model, ApproveAnonymity);
  const auto ok = absl::StatusCode::kOk;
  const auto denied = absl::StatusCode::kPermissionDenied;
  for (const char* role : {"compliance", "legal"}) {
    CHECK(CodeFor(world, role, exports) == ok);
    CHECK(CodeFor(world, role, anonymity) == ok);
  }
  CHECK(CodeFor(world, "export-control", exports) == ok);
  CHECK(CodeFor(world, "export-control", anonymity) == denied);
  CHECK(CodeFor(world, "dpo", exports) == denied);
  CHECK(CodeFor(world, "dpo", anonymity) == ok);
  for (const char* role : {"admin", "operator", "member", "auditor", "data-steward"}) {
    CHECK(CodeFor(world, role, exports) == denied);
    CHECK(CodeFor(world, role, anonymity) == denied);
  }
  // Whoever replaces or ends what another role said needs that role too.
  REQUIRE(world.Do(anonymity).ok());
  CHECK(CodeFor(world, "export-control", Assessed(world, model)) == denied);
  const AssessModel end =
      Assessed(world, model, [](v1::ModelAssessed& record) { Withdraw(record); });
  CHECK(CodeFor(world, "export-control", end) == denied);
  CHECK(CodeFor(world, "dpo", end) == ok);
}

TEST_CASE("Assessments: what is no assessment is refused") {
  World world = WorldWithEvidence(705);
  const std::string model(32, 'm');
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto changed = [&](const ChangeAssessment& change) {
    AssessModel command = Assessed(world, model);
    change(command.assessment);
    return CodeOf(world, command);
  };
  CHECK(changed([](v1::ModelAssessed& r) { r.set_model_sha256("short"); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { r.set_controlled("maybe"); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { r.set_export_class("4E092"); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { r.set_anonymity("perhaps"); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { r.clear_document_sha256(); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { *r.mutable_valid_to() = r.valid_from(); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) { r.set_withdrawn(true); }) == invalid);
  CHECK(changed([](v1::ModelAssessed& r) {
          r.clear_controlled();
          r.clear_export_class();
        }) == invalid);
  CHECK(changed([&](v1::ModelAssessed& r) {
          *r.mutable_common()->mutable_at() = ToTimestamp(world.now() + absl::Hours(1));
        }) == invalid);
  CHECK(CodeOf(world, Assessed(world, model, [](v1::ModelAssessed& r) { Withdraw(r); })) ==
        absl::StatusCode::kNotFound);
  // Somebody else's name, and another key.
  CHECK(changed([](v1::ModelAssessed& r) { r.set_assessor("u-somebody"); }) ==
        absl::StatusCode::kPermissionDenied);
  AssessModel other = Assessed(world, model);
  other.record =
      ledger::SignRecord(*ledger::MakeStatement(other.assessment), world.worker("fr-1").key);
  CHECK(CodeOf(world, other) == absl::StatusCode::kPermissionDenied);
  CHECK(world.Find("model-assessed").empty());
}

TEST_CASE("Assessments: an old signature does not undo a newer one") {
  World world = WorldWithEvidence(706);
  const std::string model(32, 'm');
  const AssessModel old = Assessed(world, model);
  REQUIRE(world.Do(old).ok());
  CHECK(CodeOf(world, old) == absl::StatusCode::kAlreadyExists);
  REQUIRE(world
              .Do(Assessed(world, model,
                           [](v1::ModelAssessed& record) { record.set_controlled("yes"); }))
              .ok());
  CHECK(CodeOf(world, old) == absl::StatusCode::kAlreadyExists);
  CHECK(world.state().assessments.at(model).terms.controlled() == "yes");
  CHECK(world.Refold().assessments.size() == 1);
}

TEST_CASE("Assessments: what a log holds and nobody could say states nothing") {
  World world = WorldWithEvidence(710);
  const std::string model(32, 'm');
  const v1::ModelAssessed good = Assessed(world, model).assessment;
  const auto folded = [&](State state, const ChangeAssessment& change) {
    v1::ModelAssessed record = good;
    change(record);
    REQUIRE(Apply(state, state.size, ledger::Predicate(record)).ok());
    return state.assessments;
  };
  const State& state = world.state();
  CHECK(folded(state, [](v1::ModelAssessed&) {}).size() == 1);
  CHECK(folded(state, [](v1::ModelAssessed& r) { r.set_assessor("u-somebody"); }).empty());
  CHECK(folded(state, [](v1::ModelAssessed& r) { r.set_export_class("4E092"); }).empty());
  CHECK(folded(state, [](v1::ModelAssessed& r) { Withdraw(r); }).empty());
  State changed = state;
  changed.users.at(kOperator).roles = {"export-control"};
  CHECK(folded(changed, [](v1::ModelAssessed& r) { ApproveAnonymity(r); }).empty());
  changed = state;
  changed.users.at(kOperator).revoked = true;
  CHECK(folded(changed, [](v1::ModelAssessed&) {}).empty());
  // One that was signed before the one on record.
  REQUIRE(world
              .Do(Assessed(world, model,
                           [](v1::ModelAssessed& record) { record.set_controlled("yes"); }))
              .ok());
  CHECK(folded(world.state(), [](v1::ModelAssessed&) {}).at(model).terms.controlled() == "yes");
}

TEST_CASE("Assessments: what was signed before the log began counts for nothing in it") {
  World world = WorldWithEvidence(711);
  const std::string model(32, 'm');
  const AssessModel old = Assessed(world, model, [&](v1::ModelAssessed& record) {
    ApproveAnonymity(record);
    *record.mutable_common()->mutable_at() =
        ToTimestamp(ToTime(world.state().genesis.common().at()) - absl::Hours(1));
    *record.mutable_valid_from() = record.common().at();
  });
  CHECK(CodeOf(world, old) == absl::StatusCode::kInvalidArgument);
  State state = world.state();
  REQUIRE(Apply(state, state.size, ledger::Predicate(old.assessment)).ok());
  CHECK(state.assessments.empty());
  world.Forge(old.assessment, world.user_key());
  CHECK(FindingOf(AuditWorld(world), "assessment") != nullptr);
}

TEST_CASE("Assessments: a worker gets the approval that its round was opened after") {
  World world = WorldWithEvidence(709);
  const std::string job = world.Submit(1, 1);
  const std::string model = world.state().jobs.at(job).submitted.model_sha256();
  const auto comes_along = [&] {
    const auto tasks = TasksFor(world.state(), world.worker("fr-1").id, world.now());
    REQUIRE(tasks.size() == 1);
    const std::vector<std::uint64_t>& context = tasks.front().context;
    return std::find(context.begin(), context.end(), world.Find("model-assessed").back()) !=
           context.end();
  };
  REQUIRE(world.Do(Assessed(world, model, ApproveAnonymity)).ok());
  world.Settle();
  CHECK(comes_along());
  const std::uint64_t first = world.Find("model-assessed").back();
  // The round was not decided on a later one: the first goes on to come along.
  REQUIRE(world.Do(Assessed(world, model, ApproveAnonymity)).ok());
  CHECK_FALSE(comes_along());
  const std::uint64_t opened = world.Find("round-opened").back();
  CHECK(AnonymityApproval(world.state(), model, world.now(), opened) == first);
  CHECK(AnonymityApproval(world.state(), model, world.now()) ==
        world.Find("model-assessed").back());
  const auto tasks = TasksFor(world.state(), world.worker("fr-1").id, world.now());
  REQUIRE(tasks.size() == 1);
  CHECK(std::count(tasks.front().context.begin(), tasks.front().context.end(), first) == 1);
  // What ends it ends those before it.
  REQUIRE(
      world.Do(Assessed(world, model, [](v1::ModelAssessed& record) { Withdraw(record); })).ok());
  CHECK_FALSE(AnonymityApproval(world.state(), model, world.now(), opened).has_value());
}

TEST_CASE("Assessments: one that ends soon is warned of, as evidence is") {
  World world = WorldWithEvidence(708);
  const std::string model(32, 'm');
  REQUIRE(world.Do(Assessed(world, model)).ok());
  const auto warned = [&](absl::Time at) {
    std::vector<Ending> endings = EndingSoon(world.state(), at);
    std::erase_if(endings, [](const Ending& ending) { return ending.kind != "assessment"; });
    return endings;
  };
  CHECK(warned(world.now()).empty());
  const absl::Time late = world.now() + absl::Hours(24 * 360);
  REQUIRE(warned(late).size() == 1);
  CHECK(warned(late).front().evidence_id == "sha256:" + HexEncode(AsBytes(model)));
  CHECK(warned(late).front().warning_days == 7);
  REQUIRE(world.Do(Assessed(world, model, [](v1::ModelAssessed& r) { Withdraw(r); })).ok());
  CHECK(warned(late).empty());
}

TEST_CASE("Assessments: an audit replays them, and finds those that nobody could make") {
  World world = WorldWithEvidence(707);
  TrainWhole(world, 1);
  const std::string model = ToString(OnlyJob(world).model_sha256);
  REQUIRE(world.Do(Assessed(world, model)).ok());
  REQUIRE(world.Do(Assessed(world, model, ApproveAnonymity)).ok());
  SECTION("as they were decided") {
    const audit::Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(report.verdict == ledger::verifier::Verdict::kGood);
  }
  SECTION("a withdrawal of what nobody assessed") {
    AssessModel forged =
        Assessed(world, std::string(32, 'x'), [](v1::ModelAssessed& record) { Withdraw(record); });
    world.Forge(forged.assessment, world.user_key());
    CHECK(FindingOf(AuditWorld(world), "assessment") != nullptr);
  }
  SECTION("an older signature over a newer one") {
    AssessModel forged = Assessed(world, model, [&](v1::ModelAssessed& record) {
      *record.mutable_common()->mutable_at() = ToTimestamp(world.now() - absl::Hours(1));
    });
    world.Forge(forged.assessment, world.user_key());
    CHECK(FindingOf(AuditWorld(world), "assessment") != nullptr);
  }
  SECTION("signed later than the record behind it") {
    AssessModel forged = Assessed(world, model, [&](v1::ModelAssessed& record) {
      *record.mutable_common()->mutable_at() = ToTimestamp(world.now() + absl::Hours(1));
    });
    world.Forge(forged.assessment, world.user_key());
    CHECK(FindingOf(AuditWorld(world), "assessment") == nullptr);
    v1::CounterOpened next;
    world.FillCommon(next.mutable_common());
    next.set_counter("people.KE.personal");
    *next.mutable_as_of() = next.common().at();
    next.set_recorded_by(kOperator);
    world.SignRecord(&next, "data-steward");
    world.Forge(next, world.statement_key());
    CHECK(FindingOf(AuditWorld(world), "assessment") != nullptr);
  }
  SECTION("a word of no table") {
    AssessModel forged =
        Assessed(world, model, [](v1::ModelAssessed& record) { record.set_export_class("4E092"); });
    world.Forge(forged.assessment, world.user_key());
    CHECK(FindingOf(AuditWorld(world), "assessment") != nullptr);
  }
  SECTION("signed by the coordinator in the person's name") {
    world.Forge(Assessed(world, model).assessment, world.statement_key());
    const audit::Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(report.verdict == ledger::verifier::Verdict::kBadEvidence);
  }
}

}  // namespace
}  // namespace carnet::coordinator
