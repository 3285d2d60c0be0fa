// What happens before a bundle or evidence ends, and when it has.
#include "coordinator/core/expiry.h"

#include <catch2/catch.hpp>

#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

// The bundle in force, with another title and `life`; ann and bea said yes.
void Shorten(World& world, PolicyOffice& office, absl::Duration life) {
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"compliance"});
  nlohmann::json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["title"] = "Another title";
  const auto next = office.Next(bundle, absl::ZeroDuration(), life);
  REQUIRE(office.Propose(next).ok());
  REQUIRE(office.Approve(ann, "legal", *next).ok());
  REQUIRE(office.Approve(bea, "compliance", *next).ok());
  world.Settle();
  REQUIRE(world.state().bundle->sha256() == next->sha256());
}

std::vector<int> DaysOf(const std::vector<Ending>& endings) {
  std::vector<int> days;
  for (const Ending& ending : endings) {
    days.push_back(ending.warning_days);
  }
  return days;
}

TEST_CASE("Expiry: a warning holds at 30, 14, 7 and 1 days before the end, and from it on") {
  CHECK_FALSE(ExpiryWarning(absl::Hours(24 * 30) + absl::Nanoseconds(1)).has_value());
  CHECK(ExpiryWarning(absl::Hours(24 * 30)) == 30);
  CHECK(ExpiryWarning(absl::Hours(24 * 14) + absl::Nanoseconds(1)) == 30);
  CHECK(ExpiryWarning(absl::Hours(24 * 14)) == 14);
  CHECK(ExpiryWarning(absl::Hours(24 * 7)) == 7);
  CHECK(ExpiryWarning(absl::Hours(24)) == 1);
  CHECK(ExpiryWarning(absl::Nanoseconds(1)) == 1);
  CHECK(ExpiryWarning(absl::ZeroDuration()) == 0);
  CHECK(ExpiryWarning(-absl::Hours(1)) == 0);
}

TEST_CASE("Expiry: each warning about the bundle in force is said once") {
  World world(311);  // its bundle is valid for 60 days
  ExpiryWatch watch;
  std::vector<int> said;
  for (int hour = 0; hour <= 24 * 61; ++hour) {
    for (const int days : DaysOf(watch.News(world.state(), world.now()))) {
      said.push_back(days);
    }
    world.Advance(absl::Hours(1));
  }
  CHECK(said == std::vector<int>{30, 14, 7, 1, 0});
  // Another process says the one that holds.
  ExpiryWatch restarted;
  CHECK(DaysOf(restarted.News(world.state(), world.now())) == std::vector<int>{0});
}

TEST_CASE("Expiry: another bundle in force has warnings of its own") {
  World world(312);
  PolicyOffice office(world);
  ExpiryWatch watch;
  CHECK(watch.News(world.state(), world.now()).empty());
  Shorten(world, office, absl::Hours(24 * 10));
  CHECK(DaysOf(watch.News(world.state(), world.now())) == std::vector<int>{14});
  CHECK(watch.News(world.state(), world.now()).empty());
}

TEST_CASE("Expiry: evidence that ends soon is named until it ends or is withdrawn") {
  World world(313);
  world.AddEvidence("tia", "lion", "SG");  // for a year
  const std::string id = world.state().evidence.begin()->first;
  world.Advance(absl::Hours(24 * 361));
  const auto of_evidence = [&] {
    std::vector<Ending> endings = EndingSoon(world.state(), world.now());
    std::erase_if(endings, [](const Ending& ending) { return ending.evidence_id.empty(); });
    return endings;
  };
  REQUIRE(of_evidence().size() == 1);
  CHECK(of_evidence().front().evidence_id == id);
  CHECK(of_evidence().front().kind == "tia");
  CHECK(of_evidence().front().warning_days == 7);
  CHECK(EvidenceEnds(world.state(), world.now()) == of_evidence().front().ends);
  SECTION("withdrawn") {
    REQUIRE(world.Do(WithdrawEvidence{kOperator, id}).ok());
    CHECK(of_evidence().empty());
  }
  SECTION("ended") {
    world.Advance(absl::Hours(24 * 5));
    CHECK(of_evidence().empty());
    CHECK_FALSE(EvidenceEnds(world.state(), world.now()).has_value());
  }
}

TEST_CASE("Expiry: when the bundle has ended nothing crosses, and jobs wait and say why") {
  World world(314);
  PolicyOffice office(world);
  Shorten(world, office, absl::Minutes(5));
  const std::string job = world.Submit(2, 2);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  const v1::RoundOpened opened = world.state().jobs.at(job).round->opened;
  const auto member_of = [&](const char* slot) {
    for (const v1::RoundMember& member : opened.members()) {
      if (member.worker_id() == world.worker(slot).id) {
        return member;
      }
    }
    return v1::RoundMember();
  };
  const auto first_byte = [&](const char* slot, bool upload) {
    const v1::RoundMember member = member_of(slot);
    const std::string task = TaskId({v1::TASK_KIND_TRAIN, job, opened.round(), opened.attempt()});
    return world
        .Do(RecheckTask{member.worker_id(), task,
                        upload ? member.upload().ticket_id() : member.download().ticket_id(),
                        upload})
        ->answer.code();
  };
  REQUIRE(first_byte("fr-1", false) == absl::StatusCode::kOk);
  world.Advance(absl::Minutes(5));
  // Trained, and not sent: the first byte home is refused as the first byte abroad is.
  CHECK(first_byte("fr-1", true) == absl::StatusCode::kPermissionDenied);
  CHECK(first_byte("sg-1", false) == absl::StatusCode::kPermissionDenied);
  const v1::Refusal& refusal = world.At<v1::Refusal>(world.Find("refusal").back());
  CHECK(refusal.decisions(0).failures(0).reason() == "bundle/expired");
  world.Advance(absl::Hours(24 * 7));  // past the round's deadline
  world.Settle();
  CHECK_FALSE(world.state().jobs.at(job).round.has_value());
  world.Advance(absl::Hours(1));  // past the pause before the next attempt
  const Agenda agenda = world.Settle();
  REQUIRE(agenda.waiting.count(job) == 1);
  CHECK(agenda.waiting.at(job) ==
        "a policy bundle in force: the last one expired (carnet policy renew)");
  CHECK(world.Find("round-opened").size() == 1);
}

TEST_CASE("Expiry: a round that was closed in time is combined at home after the bundle ended") {
  World world(315);
  PolicyOffice office(world);
  Shorten(world, office, absl::Hours(2));
  const std::string job = world.Submit(2, 2);
  world.Settle();
  world.ContributeAll(job);
  REQUIRE(world.Do(CloseRound{job}).ok());
  world.Advance(absl::Hours(2));
  const Agenda agenda = world.Settle();
  CHECK(world.state().jobs.at(job).rounds_done == 1);
  CHECK(agenda.waiting.at(job) ==
        "a policy bundle in force: the last one expired (carnet policy renew)");
}

}  // namespace
}  // namespace carnet::coordinator
