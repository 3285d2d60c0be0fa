// Counters, duties and approvals: what a federation keeps of what crossed.
#include "coordinator/core/counters.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "scenario/policy_office.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

constexpr char kHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

std::string KenyaLimit(int ceiling) {
  return absl::StrCat("policy: few\n", kHead,
                      "  - id: kenyans\n    effect: limit\n    count: people.KE.personal\n"
                      "    window: {last: 365d}\n    ceiling: ",
                      ceiling,
                      "\n    when: {op: {in: [send_delta, send_model]}, data.subjects_in: {has: "
                      "KE}}\n");
}

// Says yes to people in Kenya, whom no policy of the demo covers.
std::string Kenya() {
  std::string regime =
      "policy: kenya\nkind: regime\ntitle: Kenya\ncovers: {subjects_in: [KE]}\n"
      "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\n"
      "rules:\n  - {id: ok, effect: allow}\n";
  return regime;
}

std::vector<std::string> MembersOf(const World& world, const std::string& job) {
  std::vector<std::string> slots;
  const auto& round = world.state().jobs.at(job).round;
  if (round.has_value()) {
    for (const v1::RoundMember& member : round->opened.members()) {
      slots.push_back(world.state().workers.at(member.worker_id()).terms.slot());
    }
  }
  return slots;
}

bool Refused(const World& world, const std::string& reason) {
  for (const std::uint64_t index : world.Find("refusal")) {
    for (const v1::Decision& decision : world.At<v1::Refusal>(index).decisions()) {
      for (const v1::Failure& failure : decision.failures()) {
        if (failure.reason() == reason) {
          return true;
        }
      }
    }
  }
  return false;
}

void OpenKenya(World& world, std::uint64_t people) {
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", people, world.now()}).ok());
}

const policies::Counter& KenyaCounter() {
  static const auto& counter = *new policies::Counter{"KE", "personal", {}};
  return counter;
}

TEST_CASE("Counters: nobody passes a limit before somebody recorded an opening balance") {
  World world(31, {Kenya(), KenyaLimit(100)});
  world.AddShard("ke", "KE", 60, "sg-1");
  world.AddEvidence("scc-2021-914", "lion", "SG");
  const std::string job = world.Submit(2, 1);
  world.Settle();
  CHECK_THAT(MembersOf(world, job), !Catch::VectorContains(std::string("sg-1")));
  CHECK(Refused(world, "few/kenyans"));
}

TEST_CASE("Counters: a crossing is reserved when allowed, counted at its first byte, once") {
  World world(32, {Kenya(), KenyaLimit(100)});
  world.AddShard("ke", "KE", 60, "sg-1");
  OpenKenya(world, 40);
  const std::string job = world.Submit(2, 1);
  world.Settle();
  REQUIRE_THAT(MembersOf(world, job), Catch::VectorContains(std::string("sg-1")));
  CHECK(world.state().crossed.empty());
  CHECK(ReservedVersions(world.state(), world.now()).size() >= 1);
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 100U);
  const std::string sg = world.worker("sg-1").id;
  const auto tasks = TasksFor(world.state(), sg, world.now());
  REQUIRE(tasks.size() == 1);
  const RecheckTask upload{sg, TaskId(tasks.front().name), tasks.front().upload.ticket_id(), true};
  REQUIRE(world.Do(upload).ok());
  REQUIRE(world.Find("people-counted").size() == 1);
  CHECK(world.At<v1::PeopleCounted>(world.Find("people-counted")[0]).shards(0) == "digits/ke");
  REQUIRE(world.Do(upload).ok());
  CHECK(world.Find("people-counted").size() == 1);
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 100U);
  // The round ends; what crossed stays counted, in its window.
  REQUIRE(world.Do(AbandonRound{job, reasons::kTooFewContributions}).ok());
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 100U);
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now() + absl::Hours(24 * 400)) == 0U);
  CHECK(world.Refold().crossed == world.state().crossed);
}

TEST_CASE("Counters: a counter that was opened counts before a rule reads it") {
  World world(38, {Kenya()});
  world.AddShard("ke", "KE", 60, "sg-1");
  std::size_t counted = 0;
  SECTION("it was opened") {
    OpenKenya(world, 40);
    counted = 1;
  }
  SECTION("nobody opened it") {
    REQUIRE(world.state().openings.empty());
  }
  world.Submit(2, 1);
  world.Settle();
  const std::string sg = world.worker("sg-1").id;
  const auto tasks = TasksFor(world.state(), sg, world.now());
  REQUIRE(tasks.size() == 1);
  REQUIRE(
      world.Do(RecheckTask{sg, TaskId(tasks.front().name), tasks.front().upload.ticket_id(), true})
          .ok());
  REQUIRE(world.Find("people-counted").size() == counted);
  if (counted > 0) {
    // A limit that comes into force now finds them in it.
    CHECK(world.state().crossed.size() == 1);
    CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 100U);
  }
}

TEST_CASE("Counters: what was reserved and never crossed is free again when its ticket ends") {
  World world(33, {Kenya(), KenyaLimit(100)});
  world.AddShard("ke", "KE", 60, "sg-1");
  OpenKenya(world, 0);
  const std::string job = world.Submit(2, 1);
  world.Settle();
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 60U);
  REQUIRE(world.Do(AbandonRound{job, reasons::kTooFewContributions}).ok());
  CHECK(CountPeople(world.state(), KenyaCounter(), {}, world.now()) == 0U);
}

TEST_CASE("Counters: two decisions cannot both take what one limit leaves") {
  World world(34, {Kenya(), KenyaLimit(100)});
  world.AddShard("ke-a", "KE", 60, "fr-1");
  world.AddShard("ke-b", "KE", 60, "sg-1");
  OpenKenya(world, 0);
  const std::string job = world.Submit(1, 1);
  world.Settle();
  // One round asks for both: the first in order gets it.
  CHECK_THAT(MembersOf(world, job), Catch::VectorContains(std::string("fr-1")));
  CHECK_THAT(MembersOf(world, job), !Catch::VectorContains(std::string("sg-1")));
  CHECK(Refused(world, "few/kenyans"));
  // A second job meets the reservation of the first; the same people count once, so what the first
  // may move the second may too.
  const std::string second = world.Submit(1, 1);
  world.Settle();
  CHECK_THAT(MembersOf(world, second), Catch::VectorContains(std::string("fr-1")));
  CHECK_THAT(MembersOf(world, second), !Catch::VectorContains(std::string("sg-1")));
}

TEST_CASE(
    "Counters: an opening balance is an officer's, of a day that has come, without a window") {
  World world(35);
  const auto open = [&world](const std::string& user, const std::string& name, absl::Time as_of) {
    return world.Do(OpenCounter{user, name, 1, as_of}).status().code();
  };
  CHECK(open("u-nobody", "people.US.health", world.now()) == absl::StatusCode::kPermissionDenied);
  CHECK(open(kOperator, "people.US.shoes", world.now()) == absl::StatusCode::kInvalidArgument);
  CHECK(open(kOperator, "people.US.health@30d", world.now()) == absl::StatusCode::kInvalidArgument);
  CHECK(open(kOperator, "people.US.health", world.now() + absl::Hours(1)) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(open(kOperator, "people.US.health", absl::UnixEpoch() - absl::Hours(1)) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(open(kOperator, "people.US.health", world.now()) == absl::StatusCode::kOk);
}

TEST_CASE("Duties: one is due once, is recorded as late when its day has come, and can be met") {
  World world(36,
              {absl::StrCat("policy: after\n", kHead,
                            "  - id: files\n    effect: require\n    when: {op: {is: "
                            "send_model}, to.jurisdiction: {is: SG}}\n    require: [{id: "
                            "dossier, phase: post, duty: File it., of: legal, within: 60d}]\n")});
  const std::string job = world.Submit(2, 2);
  world.Settle();
  REQUIRE(world.Find("obligation-due").size() == 1);
  const v1::ObligationDue due = world.At<v1::ObligationDue>(world.Find("obligation-due")[0]);
  CHECK(due.rule() == "after/files.dossier");
  CHECK(due.job_id() == job);
  CHECK(due.recipient() == "lion");
  CHECK(ToTime(due.due()) > world.now() + absl::Hours(24 * 59));
  REQUIRE(world.Do(AbandonRound{job, reasons::kTooFewContributions}).ok());
  world.Advance(absl::Minutes(1));
  world.Settle();
  CHECK(world.Find("round-opened").size() == 2);
  CHECK(world.Find("obligation-due").size() == 1);
  CHECK(world.Find("obligation-late").empty());

  world.Advance(absl::Hours(24 * 60));
  REQUIRE(world.Do(RecordLateDuties{}).ok());
  REQUIRE(world.Find("obligation-late").size() == 1);
  REQUIRE(world.Do(RecordLateDuties{}).ok());
  CHECK(world.Find("obligation-late").size() == 1);

  const Bytes proof = world.Random(32);
  CHECK(world.Do(MeetObligation{"u-nobody", due.obligation_id(), proof}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Do(MeetObligation{kOperator, "o-none", proof}).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(world.Do(MeetObligation{kOperator, due.obligation_id(), {}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  REQUIRE(world.Do(MeetObligation{kOperator, due.obligation_id(), proof}).ok());
  CHECK(world.Do(MeetObligation{kOperator, due.obligation_id(), proof}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  const Duty& duty = world.state().duties.at(due.obligation_id());
  CHECK(duty.met.has_value());
  CHECK(duty.late.has_value());
}

TEST_CASE("Duties: one that a delta brings with it when its round closes is due") {
  World world(39);
  const std::string job = world.Submit(1, 1);
  world.Settle();
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  PolicyOffice office(world);
  nlohmann::json json = office.Json();
  PolicyOffice::Policy(json, "house")["rules"].push_back(nlohmann::json::parse(
      R"({"id": "files", "effect": "require", "when": {"op": {"is": "send_delta"}}, "require":
          [{"id": "report", "phase": "post", "duty": "File it.", "of": "legal",
            "within": "30d"}]})"));
  REQUIRE(office.Propose(office.Next(json)).ok());
  world.Settle();
  REQUIRE(world.state().bundle->revision() == 2);
  REQUIRE(world.Find("obligation-due").empty());
  REQUIRE(world.Do(CloseRound{job}).ok());
  REQUIRE(world.Find("obligation-due").size() == 1);
  const v1::ObligationDue due = world.At<v1::ObligationDue>(world.Find("obligation-due")[0]);
  CHECK(due.rule() == "house/files.report");
  CHECK(due.job_id() == job);
  CHECK(due.recipient() == "acme");
}

TEST_CASE(
    "Hold: a job that lacks only an approval waits for it by name, and its record says whose") {
  World world(37, {absl::StrCat("policy: sign\n", kHead,
                                "  - id: abroad\n    effect: require\n    when: {op: {is: place}}\n"
                                "    require: [{id: chief, phase: approval, from: [dpo, legal], "
                                "need: 2}]\n")});
  const std::string job = world.Submit(1, 2);
  const Agenda agenda = world.Settle();
  REQUIRE(agenda.waiting.count(job) == 1);
  CHECK(agenda.waiting.at(job) ==
        "hold: approval by 2 persons of dpo, legal, given 0 (sign/abroad.chief)");
  REQUIRE(Refused(world, "sign/abroad.chief"));
  bool held = false;
  for (const std::uint64_t index : world.Find("refusal")) {
    for (const v1::Decision& decision : world.At<v1::Refusal>(index).decisions()) {
      held = held || decision.verdict() == v1::VERDICT_HOLD;
    }
  }
  CHECK(held);
  CHECK(world.Find("round-opened").empty());
}

TEST_CASE("Rounds: what the rules of all members ask of a round is joined in its record") {
  const auto key_in = [](const std::string& name, const std::string& to,
                         const std::string& places) {
    return absl::StrCat("policy: ", name, "\n", kHead,
                        "  - id: key\n    effect: require\n    when: {op: {is: send_model}, "
                        "to.jurisdiction: {is: ",
                        to, "}}\n    require: [{id: place, phase: runtime, check: {secagg.k: {",
                        places, "}}}]\n");
  };
  World world(38, {key_in("for-fr", "FR", "at_least: 1"), key_in("for-sg", "SG", "at_most: 5"),
                   key_in("for-ae", "AE", "at_most: 1")});
  const std::string job = world.Submit(1, 2);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  const v1::RoundOpened& opened = world.state().jobs.at(job).round->opened;
  CHECK(opened.members_size() == 3);
  REQUIRE(opened.obligations_size() == 2);
  CHECK(opened.obligations(0).bound() == "at_least 1");
  CHECK(opened.obligations(1).bound() == "at_most 1");
  CHECK(opened.obligations(1).rule() == "for-ae/key.place");
}

}  // namespace
}  // namespace carnet::coordinator
