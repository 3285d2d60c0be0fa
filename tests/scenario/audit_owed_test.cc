// Logs that hold together byte by byte and leave out what other records ask for.
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using audit::Severity;
using ledger::verifier::Verdict;

constexpr char kKenya[] =
    "policy: kenya\nkind: regime\ntitle: Kenya\ncovers: {subjects_in: [KE]}\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\n"
    "rules:\n  - {id: ok, effect: allow}\n";
constexpr char kDossier[] =
    "policy: after\nkind: guardrail\ntitle: T\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\nrules:\n"
    "  - id: files\n    effect: require\n"
    "    when: {op: {is: send_model}, to.jurisdiction: {is: SG}}\n"
    "    require: [{id: dossier, phase: post, duty: File it., of: legal, within: 2d}]\n";

void OpenKenya(World& world) {
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 40, world.now()}).ok());
}

// The first byte of the slot's delta may leave: its people are counted.
void Recheck(World& world, const std::string& slot) {
  const std::string id = world.worker(slot).id;
  const auto tasks = TasksFor(world.state(), id, world.now());
  REQUIRE(tasks.size() == 1);
  REQUIRE(
      world.Do(RecheckTask{id, TaskId(tasks.front().name), tasks.front().upload.ticket_id(), true})
          .ok());
}

void ExpectGood(const World& world) {
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

// A gap at that record, by that check.
void ExpectGap(const World& world, const std::string& check, std::uint64_t index) {
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kCannotDecide);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == Severity::kGap);
  CHECK(finding->index == index);
}

TEST_CASE("Audit: a delta whose people nobody counted is a gap") {
  World world(181, {kKenya});
  world.AddShard("ke", "KE", 60, "sg-1");
  SECTION("though their counter was opened before") {
    OpenKenya(world);
    const std::string job = world.Submit(1, 1);
    world.Settle();
    const auto came = world.Do(world.Contribute(job, "sg-1"));
    REQUIRE(came.ok());
    ExpectGap(world, "counted", *came->answer_index);
  }
  SECTION("which is none where they were") {
    OpenKenya(world);
    const std::string job = world.Submit(1, 1);
    world.Settle();
    Recheck(world, "sg-1");
    REQUIRE(world.Find("people-counted").size() == 1);
    REQUIRE(world.Do(world.Contribute(job, "sg-1")).ok());
    ExpectGood(world);
  }
  SECTION("nor where no counter stood when the round opened") {
    const std::string job = world.Submit(1, 1);
    world.Settle();
    world.Advance(absl::Seconds(1));
    OpenKenya(world);
    REQUIRE(world.Do(world.Contribute(job, "sg-1")).ok());
    ExpectGood(world);
  }
}

// A round whose opening asks for a dossier, and its end.
std::string AskForDossier(World& world) {
  const std::string job = world.Submit(1, 2);
  world.Settle();
  world.SetDoctor(nullptr);
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  return job;
}

TEST_CASE("Audit: a duty that no record makes due is a gap at the decision that asks for it") {
  World world(182, {kDossier});
  // Another word in its place.
  world.SetDoctor([&world](ledger::Predicate& predicate) {
    if (const auto* due = predicate.As<v1::ObligationDue>(); due != nullptr) {
      v1::CounterOpened other;
      *other.mutable_common() = due->common();
      other.set_counter("people.KE.personal");
      *other.mutable_as_of() = due->common().at();
      other.set_recorded_by(kOperator);
      world.SignRecord(&other, "data-steward");
      predicate = other;
    }
  });
  AskForDossier(world);
  REQUIRE(world.Find("obligation-due").empty());
  world.Advance(absl::Seconds(1));
  OpenKenya(world);
  ExpectGap(world, "duty-due", world.Find("round-opened").front());
}

TEST_CASE("Audit: a duty whose day passed without a word is a gap") {
  World world(183, {kDossier});
  AskForDossier(world);
  REQUIRE(world.Find("obligation-due").size() == 1);
  const std::uint64_t due = world.Find("obligation-due").front();
  ExpectGood(world);
  world.Advance(absl::Hours(49) - absl::Minutes(1));
  SECTION("an hour after it") {
    world.Advance(absl::Minutes(2));
    OpenKenya(world);
    ExpectGap(world, "duty-end", due);
  }
  SECTION("not before") {
    OpenKenya(world);
    ExpectGood(world);
  }
  SECTION("nor when it is on record as late") {
    REQUIRE(world.Do(RecordLateDuties{}).ok());
    world.Advance(absl::Hours(2));
    OpenKenya(world);
    ExpectGood(world);
  }
}

}  // namespace
}  // namespace carnet::coordinator
