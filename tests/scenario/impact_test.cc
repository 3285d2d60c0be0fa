// What a report says of the flows on record.
#include "coordinator/core/impact.h"

#include "coordinator/core/impact_flows.h"
#include "scenario/audit_world.h"
#include "scenario/policy_office.h"
#include "scenario/release_people.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

constexpr char kModelsStay[] =
    "policy: models-stay\nkind: guardrail\ntitle: T\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\nrules:\n"
    "  - id: home\n    effect: deny\n"
    "    when: {op: {is: release_model}, to.jurisdiction: {not_in: [DE]}}\n";

// A job that the worker in the Emirates trained alone.
std::string TrainInEmirates(World& world, std::uint32_t rounds = 1) {
  LiveWorkers live = {world.worker("ae-1").id};
  std::swap(world.live, live);
  const std::string job = world.Submit(rounds, 1);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    world.Settle();
    REQUIRE(world.Do(world.Contribute(job, "ae-1")).ok());
    world.Settle();
    world.Advance(absl::Seconds(round + 1 < rounds ? 5 : 0));
  }
  std::swap(world.live, live);
  REQUIRE(world.state().jobs.at(job).rounds_done == rounds);
  return job;
}

json Impact(const PolicyOffice& office, const std::shared_ptr<const policies::Bundle>& bundle) {
  return json::parse(office.MakeReport(bundle))["impact"];
}

// Of that operation among the examples of a side; an empty object: none.
json ExampleOf(const json& side, const std::string& operation) {
  for (const json& example : side["examples"]) {
    if (example["operation"] == operation) {
      return example;
    }
  }
  return json::object();
}

// As a coordinator asks before it makes a draft's report.
absl::StatusCode CodeOfDraft(const World& world, const std::string& user,
                             const policies::Bundle& bundle) {
  const absl::StatusOr<DraftBasis> basis = BasisOfDraft(world.state(), user, bundle);
  return basis.ok() ? CheckDraft(*basis, bundle).code() : basis.status().code();
}

// Models go to the Emirates, and no more to people at home.
json Turned(const PolicyOffice& office) {
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "models-stay")["rules"][0]["when"]["to.jurisdiction"] = {
      {"not_in", json::array({"AE"})}};
  return bundle;
}

// People in Kenya, whom no policy of the demo covers, and how many of them may be concerned.
constexpr char kKenya[] =
    "policy: kenya\nkind: regime\ntitle: T\ncovers: {subjects_in: [KE]}\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\nrules:\n"
    "  - {id: ok, effect: allow}\n";
constexpr char kFewKenyans[] =
    "policy: few\nkind: guardrail\ntitle: T\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\nrules:\n"
    "  - id: kenyans\n    effect: limit\n    count: people.KE.personal\n"
    "    window: {last: 365d}\n    ceiling: 100\n"
    "    when: {op: {in: [send_delta, send_model]}, data.subjects_in: {has: KE}}\n";

json DenyOf(const std::string& operation) {
  return {{"id", "no-" + operation}, {"effect", "deny"}, {"when", {{"op", {{"is", operation}}}}}};
}

TEST_CASE("Impact: a refused release that a change lets out is DENY to ALLOW, counted by record") {
  World world(601, {kModelsStay});
  PolicyOffice office(world);
  const std::string person = EnrolAt(world, 3, "AE", "dune");
  const std::string job = TrainInEmirates(world);
  REQUIRE(RefusedFor(world, ReleaseModel{person, job, 0}).count("models-stay/home") == 1);
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  world.Advance(absl::Hours(25));
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  const json impact = Impact(office, office.Next(Turned(office)));
  INFO(impact.dump(1));
  CHECK(impact["days"] == kRecordedDays);
  CHECK(impact["operations"] == 2);
  CHECK(impact["operations_decided"] == 2);
  CHECK(impact["deny_to_allow"]["flows"] == 1);
  const json opened = {
      {"operation", "release_model"}, {"from", "DE"}, {"to", "AE"},   {"labels", "AE|personal"},
      {"reason", "models-stay/home"}, {"flows", 1},   {"recorded", 1}};
  REQUIRE(impact["deny_to_allow"]["examples"].size() == 1);
  CHECK(impact["deny_to_allow"]["examples"][0] == opened);
  const json closed = ExampleOf(impact["allow_to_deny"], "release_model");
  CHECK(closed.value("to", "") == "DE");
  CHECK(closed.value("flows", 0) == 1);
  CHECK(closed.value("recorded", 0) == 2);
  CHECK(impact["allow_to_deny"]["recorded"] == 2);
}

TEST_CASE("Impact: a limit of another window is decided on what its own counter stands at") {
  World world(608, {kKenya, kFewKenyans});
  PolicyOffice office(world);
  world.AddShard("ke", "KE", 60, "sg-1");
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 0, world.now()}).ok());
  const std::string job = world.Submit(2, 1);
  world.Settle();
  json bundle = office.Json();
  json& limit = PolicyOffice::Policy(bundle, "few")["rules"][0];
  limit["window"]["last"] = "30d";
  std::string closed;
  SECTION("wide enough for the people") {
    REQUIRE(world.state().jobs.at(job).round.has_value());
  }
  SECTION("too narrow for them") {
    limit["ceiling"] = "50";
    closed = "few/kenyans";
    REQUIRE(world.state().jobs.at(job).round.has_value());
  }
  const json impact = Impact(office, office.Next(bundle));
  INFO(impact.dump(1));
  CHECK(impact["flows"] > 0);
  CHECK(impact["deny_to_allow"]["flows"] == 0);
  CHECK(ExampleOf(impact["allow_to_deny"], "send_delta").value("reason", "") == closed);
  CHECK((impact["allow_to_deny"]["flows"] == 0) == closed.empty());
}

TEST_CASE("Impact: a bundle that begins when the old one ends opens nothing by that") {
  World world = WorldWithEvidence(609);
  PolicyOffice office(world);
  TrainWhole(world, 1);
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(DenyOf("send_metrics"));
  absl::Duration starts = world.state().bundle->head().valid_to - world.now();
  SECTION("at once") {
    REQUIRE(starts > absl::ZeroDuration());
  }
  SECTION("a day after it") {
    starts += absl::Hours(24);
    REQUIRE(starts > absl::Hours(24));
  }
  const json impact = Impact(office, office.Next(bundle, starts));
  INFO(impact.dump(1));
  CHECK(impact["deny_to_allow"]["flows"] == 0);
  CHECK(impact["allow_to_deny"]["flows"] >= 3);
  CHECK(impact["allow_to_deny"]["classes"] == impact["allow_to_deny"]["examples"].size());
  CHECK(ExampleOf(impact["allow_to_deny"], "send_metrics").value("reason", "") ==
        "house/no-send_metrics");
}

TEST_CASE("Impact: a job stops where a plan would find too few workers, and only there") {
  World world = WorldWithEvidence(610);
  PolicyOffice office(world);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  json stopping = json::array();
  SECTION("a withdrawn shard brings nobody, so it could not go on before either") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
  }
  SECTION("a second holder of a shard is no further worker") {
    v1::ShardClaim claim;
    claim.set_dataset("digits");
    claim.set_shard("fr");
    claim.set_sha256(ToString(world.state().shards.at("digits/fr").sha256));
    REQUIRE(world.Do(ClaimShards{world.worker("home-1").id, {claim}}).ok());
    stopping.push_back(job);
  }
  REQUIRE(world.state().jobs.at(job).phase == JobPhase::kRunning);
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(
      {{"id", "no-sg"}, {"effect", "deny"}, {"when", {{"to.jurisdiction", {{"is", "SG"}}}}}});
  const json impact = Impact(office, office.Next(bundle));
  INFO(impact.dump(1));
  CHECK(impact["jobs_that_would_stop"] == stopping);
}

TEST_CASE("Impact: each model that is refused to a place counts, and each shard to a worker") {
  World world(611, {kModelsStay});
  PolicyOffice office(world);
  const std::size_t before = world.Find("refusal").size();
  SECTION("models") {
    // Nobody lets the model of a second round out of home without these.
    world.AddEvidence("scc-2021-914", "falcon", "AE");
    world.AddEvidence("tia", "falcon", "AE");
    const std::string person = EnrolAt(world, 3, "AE", "dune");
    const std::string job = TrainInEmirates(world, 2);
    const std::size_t trained = world.Find("refusal").size();
    for (const std::uint32_t round : {1U, 2U, 1U}) {
      CHECK(RefusedFor(world, ReleaseModel{person, job, round}).count("models-stay/home") == 1);
    }
    CHECK(world.Find("refusal").size() == trained + 2);
  }
  SECTION("shards") {
    world.AddShard("fr-2", "FR", 10, "fr-1");
    for (const char* shard : {"fr", "fr-2", "fr"}) {
      REQUIRE(world.Do(StageData{kOperator, "digits", shard, "sg-1", world.live}).ok());
    }
    REQUIRE(world.Find("staging-ordered").empty());
    CHECK(world.Find("refusal").size() == before + 2);
  }
  CHECK(Impact(office, office.Next(Turned(office)))["operations"] == 2);
}

TEST_CASE("Impact: a refusal that only repeats counts while its revision is in force") {
  World world(612, {kModelsStay});
  PolicyOffice office(world);
  const std::string person = EnrolAt(world, 3, "AE", "dune");
  const std::string job = TrainInEmirates(world);
  REQUIRE(RefusedFor(world, ReleaseModel{person, job, 0}).count("models-stay/home") == 1);
  world.Advance(absl::Hours(24 * (kRecordedDays + 1)));
  REQUIRE(RefusedFor(world, ReleaseModel{person, job, 0}).count("models-stay/home") == 1);
  const json impact = Impact(office, office.Next(Turned(office)));
  INFO(impact.dump(1));
  CHECK(impact["operations"] == 1);
  CHECK(ExampleOf(impact["deny_to_allow"], "release_model").value("recorded", 0) == 1);
  CHECK(world.Refold().refused_uses.size() == world.state().refused_uses.size());
}

TEST_CASE("Impact: what was recorded before its days is not weighed, nor kept") {
  World world(602, {kModelsStay});
  PolicyOffice office(world);
  const std::string job = TrainInEmirates(world);
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  const auto bundle = office.Next(Turned(office));
  CHECK(Impact(office, bundle)["jobs"] == 1);
  CHECK(Impact(office, bundle)["operations"] == 1);
  world.Advance(absl::Hours(24 * kRecordedDays));
  const json later = Impact(office, bundle);
  CHECK(later["jobs"] == 0);
  CHECK(later["operations"] == 0);
  CHECK(later["flows"] == 0);
  AllowedBy(world, ReadLog{kOperator});
  CHECK(world.state().recorded.size() == 1);
  CHECK(Impact(office, bundle)["operations"] == 1);
}

TEST_CASE("Impact: sums, readings and stagings count, and a job that could combine no more stops") {
  World world = WorldWithEvidence(603);
  PolicyOffice office(world);
  TrainWhole(world, 2);
  const std::string running = world.Submit(1, 3);
  world.Settle();
  AllowedBy(world, ReadLog{kOperator});
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  REQUIRE(world.Find("staging-ordered").size() == 1);
  json bundle = office.Json();
  json& rules = PolicyOffice::Policy(bundle, "house")["rules"];
  for (const char* operation : {"aggregate", "read_log", "stage_data"}) {
    rules.push_back(DenyOf(operation));
  }
  const json impact = Impact(office, office.Next(bundle));
  INFO(impact.dump(1));
  CHECK(impact["deny_to_allow"]["flows"] == 0);
  CHECK(ExampleOf(impact["allow_to_deny"], "aggregate").value("recorded", 0) == 2);
  CHECK(ExampleOf(impact["allow_to_deny"], "read_log").value("recorded", 0) == 1);
  CHECK(ExampleOf(impact["allow_to_deny"], "stage_data").value("from", "") == "FR");
  CHECK(impact["jobs_that_would_stop"] == json::array({running}));
  CHECK(impact["jobs"] == 2);
}

TEST_CASE("Impact: flows of a round count each time that it was opened with the worker") {
  World world = WorldWithEvidence(604);
  PolicyOffice office(world);
  TrainWhole(world, 2);
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(DenyOf("send_metrics"));
  const json impact = Impact(office, office.Next(bundle));
  INFO(impact.dump(1));
  CHECK(impact["allow_to_deny"]["flows"] >= 3);
  CHECK(impact["allow_to_deny"]["recorded"] == 6);
}

TEST_CASE("Impact: a draft's report is that of its proposal, under a name that nobody can sign") {
  World world(605, {kModelsStay});
  PolicyOffice office(world);
  office.Hire(5, {"dpo"});
  const std::string job = TrainInEmirates(world);
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  const auto bundle = office.Next(Turned(office));
  const std::size_t before = world.log().size();
  const std::string draft = office.MakeReport(bundle, ReportKind::kDraft);
  CHECK(world.log().size() == before);
  const absl::Status proposed = office.Propose(bundle);
  INFO(proposed.ToString());
  REQUIRE(proposed.ok());
  json of_draft = json::parse(draft);
  json of_proposal =
      json::parse(world.At<v1::PolicyExamined>(world.Find("policy-examined").back()).report_json());
  CHECK_FALSE(of_draft.contains("bundle"));
  CHECK(of_draft["draft"] == of_proposal["bundle"]);
  of_draft.erase("draft");
  of_proposal.erase("bundle");
  CHECK(of_draft == of_proposal);
}

TEST_CASE("Impact: a draft is shown to whoever may propose it, and to nobody else") {
  World world(606, {kModelsStay});
  PolicyOffice office(world);
  const std::string member = EnrolAt(world, 3, "DE", "acme", {"member"});
  const auto bundle = office.Next(Turned(office));
  CHECK(CodeOfDraft(world, kOperator, *bundle) == absl::StatusCode::kOk);
  CHECK(BasisOfDraft(world.state(), member, *bundle).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(CodeOfDraft(world, "u-nobody", *bundle) == absl::StatusCode::kPermissionDenied);
  // Somebody who decides about policies, but not about this one.
  const Person lee = office.Hire(7, {"legal"});
  CHECK(BasisOfDraft(world.state(), lee.id, *bundle).ok());
  CHECK(CodeOfDraft(world, lee.id, *bundle) == absl::StatusCode::kPermissionDenied);
  CHECK(CodeOfDraft(world, kOperator, *office.Next(office.Json())) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOfDraft(world, kOperator, *world.state().bundle) ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Impact: without a state it says nothing of flows, and is no basis of a record") {
  World world(607, {kModelsStay});
  PolicyOffice office(world);
  const auto bundle = office.Next(Turned(office));
  const auto tests = policies::RunTests(*bundle);
  REQUIRE(tests.ok());
  const auto report = ImpactReport(ExamineChange(world.state().bundle, bundle, *tests, world.now()),
                                   nullptr, 0, ReportKind::kDraft);
  REQUIRE(report.ok());
  CHECK_FALSE(json::parse(*report).contains("impact"));
  CHECK(json::parse(*report)["situations"].size() == 1);
  CHECK_FALSE(BasisOfReport(*report).has_value());
  const std::string made = office.MakeReport(bundle);
  const auto basis = BasisOfReport(made);
  REQUIRE(basis.has_value());
  CHECK(basis->records == world.state().size);
  CHECK(basis->at == absl::FromUnixMicros(absl::ToUnixMicros(world.now())));
  json earlier = json::parse(made);
  REQUIRE(earlier["v"] == 2);
  earlier["v"] = 1;  // of a form that weighed jobs alone
  CHECK_FALSE(BasisOfReport(earlier.dump()).has_value());
}

}  // namespace
}  // namespace carnet::coordinator
