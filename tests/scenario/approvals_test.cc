// Jobs and exceptions that wait for persons: who counts, for what, and for how long.
#include "coordinator/core/approvals.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using absl::StatusCode;

constexpr char kHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

// No job is placed anywhere before `need` of dpo, legal approved it.
std::string SignOff(int need) {
  return absl::StrCat("policy: sign\n", kHead,
                      "  - id: abroad\n    effect: require\n    when: {op: {is: place}}\n"
                      "    require: [{id: chief, phase: approval, from: [dpo, legal], need: ",
                      need, "}]\n");
}

// Nothing goes to Singapore, unless two persons approve the pilot.
std::string Pilot(const std::string& ticket = "T-1") {
  return absl::StrCat("policy: sg\n", kHead,
                      "  - {id: never, effect: deny, when: {to.jurisdiction: {is: SG}}}\n"
                      "exceptions:\n  - id: pilot\n    lifts: never\n"
                      "    only_when: {job.purpose: {is: digit-recognition}}\n    ticket: ",
                      ticket,
                      "\n    valid: {from: 2026-11-01, to: 2027-01-31}\n"
                      "    approvals: {need: 2, from: [dpo, legal]}\n");
}

std::string SlotOf(const World& world, const std::string& worker_id) {
  return world.state().workers.at(worker_id).terms.slot();
}

absl::Status ApproveJob(World& world, PolicyOffice& office, const std::string& job,
                        const std::string& who, const crypto::Ed25519KeyPair& key,
                        const std::string& role) {
  const v1::Approval approval =
      office.Draft(who, kApprovalOfJob, role, world.state().jobs.at(job).submitted.spec_sha256());
  return world.Do(RecordApproval{who, PolicyOffice::Sign(approval, key), approval}).status();
}

absl::Status ApprovePilot(World& world, PolicyOffice& office, const std::string& who,
                          const crypto::Ed25519KeyPair& key, const std::string& role) {
  const auto exception = policies::FindException(*world.state().bundle, "sg/pilot");
  REQUIRE(exception.has_value());
  const v1::Approval approval =
      office.Draft(who, kApprovalOfException, role, AsText(exception->subject));
  return world.Do(RecordApproval{who, PolicyOffice::Sign(approval, key), approval}).status();
}

// Whether Singapore is in the open round of `job`, by which exceptions.
std::set<std::string> ExceptionsOf(const World& world, const std::string& job, bool* member) {
  std::set<std::string> exceptions;
  *member = false;
  const auto& round = world.state().jobs.at(job).round;
  if (!round.has_value()) {
    return exceptions;
  }
  for (const v1::RoundMember& one : round->opened.members()) {
    if (one.worker_id() != world.worker("sg-1").id) {
      continue;
    }
    *member = true;
    for (const v1::Authorisation& authorisation : one.authorisations()) {
      exceptions.insert(authorisation.exceptions().begin(), authorisation.exceptions().end());
    }
  }
  return exceptions;
}

TEST_CASE("Approvals: a held job opens its round when the last person that it waits for signed") {
  World world(301, {SignOff(2)});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo", "legal"});
  const Person bea = office.Hire(4, {"legal"});
  const std::string job = world.Submit(1, 2);
  REQUIRE(world.Settle().waiting.at(job) ==
          "hold: approval by 2 persons of dpo, legal, given 0 (sign/abroad.chief)");
  REQUIRE(ApproveJob(world, office, job, ann.id, ann.Key(), "dpo").ok());
  // One person is one person, whatever her roles.
  REQUIRE(ApproveJob(world, office, job, ann.id, ann.Key(), "legal").ok());
  REQUIRE(world.Settle().waiting.at(job) ==
          "hold: approval by 2 persons of dpo, legal, given 1 (sign/abroad.chief)");
  REQUIRE(ApproveJob(world, office, job, bea.id, bea.Key(), "legal").ok());
  CHECK(world.Settle().waiting.count(job) == 0);
  CHECK(world.state().jobs.at(job).round.has_value());
}

// A job whose one round is combined; its evaluation is due.
std::string TrainToEvaluation(World& world) {
  const std::string job = world.Submit(1, 2, true);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  const v1::RoundOpened opened = world.state().jobs.at(job).round->opened;
  for (const v1::RoundMember& member : opened.members()) {
    REQUIRE(world.Do(world.Contribute(job, SlotOf(world, member.worker_id()))).ok());
  }
  world.Settle();
  REQUIRE(world.state().jobs.at(job).rounds_done == 1);
  return job;
}

TEST_CASE("Approvals: a held evaluation waits like a held round, and goes on when they signed") {
  World world(307, {absl::StrCat("policy: golden\n", kHead,
                                 "  - id: home\n    effect: require\n"
                                 "    when: {op: {is: train}, to.jurisdiction: {is: DE}}\n"
                                 "    require: [{id: dpo, phase: approval, from: [dpo], need: "
                                 "1}]\n")});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const std::string job = TrainToEvaluation(world);
  REQUIRE(world.Settle().waiting.at(job) ==
          "hold: approval by 1 person of dpo, given 0 (golden/home.dpo)");
  CHECK(world.state().jobs.at(job).evaluation_due);
  CHECK(world.state().jobs.at(job).phase == JobPhase::kRunning);
  CHECK(world.Find("evaluation-abandoned").empty());
  // The refusal is on record, once.
  const std::size_t refusals = world.Find("refusal").size();
  CHECK(world.At<v1::Refusal>(world.Find("refusal").back()).worker_id() ==
        world.worker("home-1").id);
  world.Advance(absl::Hours(1));
  world.Settle();
  CHECK(world.Find("refusal").size() == refusals);
  SECTION("approved") {
    REQUIRE(ApproveJob(world, office, job, ann.id, ann.Key(), "dpo").ok());
    CHECK(world.Settle().waiting.count(job) == 0);
    CHECK(world.state().jobs.at(job).evaluation.has_value());
  }
  SECTION("stopped") {
    REQUIRE(world.Do(StopJob{kOperator, job}).ok());
    CHECK(world.Settle().waiting.count(job) == 0);
    CHECK(world.state().jobs.at(job).phase == JobPhase::kStopped);
  }
}

TEST_CASE("Approvals: an evaluation that a rule denies is abandoned, whoever would sign") {
  World world(308, {absl::StrCat("policy: golden\n", kHead,
                                 "  - id: home\n    effect: deny\n"
                                 "    when: {op: {is: train}, to.jurisdiction: {is: DE}}\n")});
  const std::string job = TrainToEvaluation(world);
  world.Settle();
  REQUIRE(world.Find("evaluation-abandoned").size() == 1);
  CHECK(world.At<v1::EvaluationAbandoned>(world.Find("evaluation-abandoned")[0]).reason() ==
        "refused");
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
}

TEST_CASE("Approvals: the submitter, and whoever does not hold the role, do not release a job") {
  World world(302, {SignOff(1)});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"compliance"});
  const std::string job = world.Submit(1, 2);
  world.Settle();
  CHECK(ApproveJob(world, office, job, kOperator, world.user_key(), "dpo").code() ==
        StatusCode::kPermissionDenied);
  CHECK(ApproveJob(world, office, job, ann.id, ann.Key(), "dpo").code() ==
        StatusCode::kPermissionDenied);
  CHECK(ApproveJob(world, office, job, ann.id, world.user_key(), "compliance").code() ==
        StatusCode::kPermissionDenied);
  // A yes in a role that no rule asks for is on record, and counts for nothing.
  REQUIRE(ApproveJob(world, office, job, ann.id, ann.Key(), "compliance").ok());
  CHECK(world.Settle().waiting.count(job) == 1);
  const v1::Approval nothing =
      office.Draft(ann.id, kApprovalOfJob, "compliance", std::string(32, 'x'));
  CHECK(world.Do(RecordApproval{ann.id, PolicyOffice::Sign(nothing, ann.Key()), nothing})
            .status()
            .code() == StatusCode::kNotFound);
}

TEST_CASE("Approvals: one of a job that has ended, or whose person no longer may, does not count") {
  World world(303, {SignOff(1)});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const std::string job = world.Submit(1, 2);
  const LiveWorkers live = world.live;
  world.live.clear();  // nobody trains before the approval has ended
  REQUIRE(ApproveJob(world, office, job, ann.id, ann.Key(), "dpo").ok());
  SECTION("it counts while nothing changes") {
    world.live = live;
    CHECK(world.Settle().waiting.count(job) == 0);
    return;
  }
  SECTION("it expired") {
    world.Advance(absl::Hours(24));
    CHECK(ApprovalsThatCount(world.state(), *world.state().bundle, world.state().FindJob(job),
                             world.now())
              .empty());
  }
  SECTION("she lost the role") {
    REQUIRE(world.Do(RevokeRole{kOperator, ann.id, "dpo"}).ok());
    CHECK(ApprovalsThatCount(world.state(), *world.state().bundle, world.state().FindJob(job),
                             world.now())
              .empty());
  }
  SECTION("she left") {
    REQUIRE(world.Do(RevokeUser{kOperator, ann.id, "left"}).ok());
    CHECK(ApprovalsThatCount(world.state(), *world.state().bundle, world.state().FindJob(job),
                             world.now())
              .empty());
  }
  world.live = live;
  CHECK(world.Settle().waiting.count(job) == 1);
  CHECK(world.Find("round-opened").empty());
}

TEST_CASE("Approvals: a yes to a job is none to the same words submitted again") {
  World world(304, {SignOff(1)});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const std::string first = world.Submit(1, 2);
  REQUIRE(ApproveJob(world, office, first, ann.id, ann.Key(), "dpo").ok());
  const std::string second = world.Submit(1, 2);
  REQUIRE(world.state().jobs.at(first).submitted.spec_sha256() ==
          world.state().jobs.at(second).submitted.spec_sha256());
  const Agenda agenda = world.Settle();
  CHECK(agenda.waiting.count(first) == 0);
  CHECK(agenda.waiting.count(second) == 1);
}

TEST_CASE("Approvals: an exception that names nobody waits for the approvals of its policy") {
  const std::string pilot = Pilot();
  World world(306, {pilot.substr(0, pilot.find("    approvals:"))});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  world.live = {world.worker("sg-1").id};
  const std::string job = world.Submit(1, 1);
  bool member = false;
  world.Settle();
  ExceptionsOf(world, job, &member);
  CHECK_FALSE(member);
  CHECK(CountExceptionApprovals(world.state(), world.now()).at(0).exception.need == 1);
  REQUIRE(ApprovePilot(world, office, ann.id, ann.Key(), "dpo").ok());
  world.Settle();
  CHECK(ExceptionsOf(world, job, &member) == std::set<std::string>{"pilot"});
  CHECK(member);
}

TEST_CASE("Approvals: an exception lifts its rule once enough persons approved it, and says so") {
  World world(305, {Pilot()});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const Person bea = office.Hire(4, {"legal"});
  const LiveWorkers live = world.live;
  world.live = {world.worker("sg-1").id};
  const std::string job = world.Submit(1, 1);
  bool member = false;
  REQUIRE(ApprovePilot(world, office, ann.id, ann.Key(), "dpo").ok());
  world.Settle();
  ExceptionsOf(world, job, &member);
  REQUIRE_FALSE(member);
  REQUIRE(ApprovePilot(world, office, bea.id, bea.Key(), "legal").ok());
  CHECK(CountExceptionApprovals(world.state(), world.now()).at(0).approvers ==
        std::set<std::string>{ann.id, bea.id});
  SECTION("allowed") {
    world.Settle();
    CHECK(ExceptionsOf(world, job, &member) == std::set<std::string>{"pilot"});
    CHECK(member);
  }
  SECTION("expired") {
    world.Advance(absl::Hours(24));
    world.Settle();
    ExceptionsOf(world, job, &member);
    CHECK_FALSE(member);
  }
  SECTION("withdrawn, by one person: a bundle without it only tightens") {
    nlohmann::json bundle = office.Json();
    PolicyOffice::Policy(bundle, "sg").erase("exceptions");
    REQUIRE(office.Propose(office.Next(bundle)).ok());
    REQUIRE(world.Find("round-opened").empty());
    world.live.clear();
    world.Settle();
    world.live = live;
    REQUIRE(world.state().bundle->revision() == 2);
    world.Settle();
    ExceptionsOf(world, job, &member);
    CHECK_FALSE(member);
  }
}

TEST_CASE("Approvals: the author whom genesis carried over from a lost log does not count") {
  World world(309, {Pilot()});
  PolicyOffice office(world);
  const auto pilot = policies::FindException(*world.state().bundle, "sg/pilot");
  REQUIRE(pilot.has_value());
  CHECK(AuthorOf(world.state(), *world.state().bundle, *pilot).empty());
  CHECK(ExceptionAuthors(world.state()).empty());
  REQUIRE(ApprovePilot(world, office, kOperator, world.user_key(), "dpo").ok());
  CHECK(ApprovalsThatCount(world.state(), *world.state().bundle, nullptr, world.now()).size() == 1);
  State successor = world.state();
  v1::ExceptionAuthor* const carried = successor.genesis.add_exception_authors();
  carried->set_subject_sha256(ToString(pilot->subject));
  carried->set_author(kOperator);
  CHECK(AuthorOf(successor, *successor.bundle, *pilot) == kOperator);
  CHECK(ApprovalsThatCount(successor, *successor.bundle, nullptr, world.now()).empty());
  const v1::Approval own =
      office.Draft(kOperator, kApprovalOfException, "dpo", AsText(pilot->subject));
  CHECK(CheckExceptionApproval(successor, own).code() == StatusCode::kPermissionDenied);
  // The next successor names him again.
  REQUIRE(ExceptionAuthors(successor).size() == 1);
  CHECK(ExceptionAuthors(successor)[0].subject_sha256() == ToString(pilot->subject));
  CHECK(ExceptionAuthors(successor)[0].author() == kOperator);
}

TEST_CASE("Approvals: of an exception, its author, other roles and other words do not count") {
  World world(306);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo", "legal"});
  const Person bea = office.Hire(4, {"legal", "dpo"});
  const Person cleo = office.Hire(5, {"compliance"});
  // kOperator writes the exception; ann and bea put it into force.
  const auto with_pilot = [&](const std::string& ticket) {
    nlohmann::json bundle = office.Json();
    nlohmann::json& sg = PolicyOffice::Policy(bundle, "raw-data-stays");
    sg["exceptions"] = nlohmann::json::array();
    sg["exceptions"].push_back({{"id", "pilot"},
                                {"lifts", sg["rules"][0]["id"]},
                                {"only_when", {{"job.purpose", {{"is", "pilot"}}}}},
                                {"ticket", ticket},
                                {"valid", {{"from", "2026-11-01"}, {"to", "2027-01-31"}}},
                                {"approvals", {{"need", "1"}, {"from", {"dpo"}}}}});
    return office.Next(bundle);
  };
  const auto approve = [&](const policies::Bundle& bundle, const std::string& who,
                           const crypto::Ed25519KeyPair& key, const std::string& role) {
    const auto exception = policies::FindException(bundle, "raw-data-stays/pilot");
    REQUIRE(exception.has_value());
    const v1::Approval approval =
        office.Draft(who, kApprovalOfException, role, AsText(exception->subject));
    return world.Do(RecordApproval{who, PolicyOffice::Sign(approval, key), approval}).status();
  };
  const auto in_force = [&](const std::shared_ptr<const policies::Bundle>& bundle) {
    REQUIRE(office.Propose(bundle).ok());
    for (const char* role : {"dpo", "legal"}) {
      // Whoever is not asked is refused; those who are suffice.
      office.Approve(ann, role, *bundle).IgnoreError();
      office.Approve(bea, role, *bundle).IgnoreError();
    }
    world.Settle();
  };
  const auto counted = [&] {
    const auto counts = CountExceptionApprovals(world.state(), world.now());
    REQUIRE(counts.size() == 1);
    return counts.front().approvers;
  };
  const auto first = with_pilot("T-1");
  CHECK(approve(*first, ann.id, ann.Key(), "dpo").code() == StatusCode::kNotFound);
  in_force(first);
  REQUIRE(world.state().bundle->sha256() == first->sha256());
  CHECK(approve(*first, kOperator, world.user_key(), "dpo").code() ==
        StatusCode::kPermissionDenied);
  CHECK(approve(*first, ann.id, ann.Key(), "legal").code() == StatusCode::kPermissionDenied);
  CHECK(approve(*first, cleo.id, cleo.Key(), "compliance").code() == StatusCode::kPermissionDenied);
  CHECK(counted().empty());
  REQUIRE(approve(*first, ann.id, ann.Key(), "dpo").ok());
  CHECK(counted() == std::set<std::string>{ann.id});
  // Unchanged words in a later bundle keep their approvals and their author; other words have none.
  nlohmann::json later = office.Json();
  PolicyOffice::Policy(later, "raw-data-stays")["title"] = "Another title";
  in_force(office.Next(later));
  REQUIRE(world.state().bundle->revision() == 3);
  CHECK(counted() == std::set<std::string>{ann.id});
  CHECK(AuthorOf(world.state(), *world.state().bundle,
                 *policies::FindException(*world.state().bundle, "raw-data-stays/pilot")) ==
        kOperator);
  REQUIRE(ExceptionAuthors(world.state()).size() == 1);
  CHECK(ExceptionAuthors(world.state())[0].author() == kOperator);
  in_force(with_pilot("T-2"));
  REQUIRE(world.state().bundle->revision() == 4);
  CHECK(counted().empty());
}

}  // namespace
}  // namespace carnet::coordinator
