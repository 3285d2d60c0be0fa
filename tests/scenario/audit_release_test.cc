// A coordinator that invents releases and readings, and the audit that finds it.
#include <functional>

#include "base/timestamp.h"
#include "scenario/audit_world.h"
#include "scenario/release_people.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

// The only record of `Message` is changed as it is made; the audit finds it there by `check`.
template <typename Message>
void ExpectLieFound(World& world, const CommandBody& command, const std::string& check,
                    const std::function<void(Message&)>& change) {
  world.SetDoctor([=](ledger::Predicate& predicate) {
    if (auto* message = predicate.As<Message>(); message != nullptr) {
      change(*message);
    }
  });
  const auto done = world.Do(command);
  REQUIRE(done.ok());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == *done->answer_index);
}

// The last record, which nobody decided, is found by that check.
void ExpectForged(World& world, const ledger::Predicate& predicate, const std::string& check) {
  world.Forge(predicate, world.statement_key());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.signed_log().size() - 1);
}

TEST_CASE("Audit: releases, readings and their refusals are decided again") {
  World world = WorldWithEvidence(331);
  const std::string falcon = EnrolAt(world, 3, "AE", "falcon");
  const std::string nowhere = EnrolAt(world, 4, "", "");
  const std::string job = TrainWhole(world, 2);
  AllowedBy(world, ReadLog{kOperator});
  AllowedBy(world, ReadLog{falcon});
  RefusedFor(world, ReadLog{nowhere});
  AllowedBy(world, ReleaseModel{kOperator, job, 1});
  AllowedBy(world, ReleaseModel{falcon, job, 0});
  RefusedFor(world, ReleaseModel{nowhere, job, 2});
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.numbers.refusals >= 2);
}

TEST_CASE("Audit: a release that says another person, place, lineage or time is found") {
  World world = WorldWithEvidence(332);
  const std::string job = TrainWhole(world, 1);
  const ReleaseModel command{kOperator, job, 0};
  SECTION("place") {
    ExpectLieFound<v1::Release>(world, command, "release",
                                [](v1::Release& release) { release.set_jurisdiction("FR"); });
  }
  SECTION("organisation") {
    ExpectLieFound<v1::Release>(world, command, "release",
                                [](v1::Release& release) { release.set_recipient("gaul"); });
  }
  SECTION("shards") {
    ExpectLieFound<v1::Release>(world, command, "release", [](v1::Release& release) {
      release.mutable_shards()->RemoveLast();
      release.mutable_shard_sha256()->RemoveLast();
    });
  }
  SECTION("model") {
    ExpectLieFound<v1::Release>(world, command, "release", [](v1::Release& release) {
      release.set_model_sha256(std::string(32, 'm'));
    });
  }
  SECTION("time") {
    ExpectLieFound<v1::Release>(world, command, "release", [&world](v1::Release& release) {
      *release.mutable_expires() = ToTimestamp(world.now() + absl::Hours(24 * 30));
    });
  }
  SECTION("facts") {
    ExpectLieFound<v1::Release>(world, command, "decision-facts", [](v1::Release& release) {
      release.mutable_authorisations(0)->set_facts_sha256(std::string(32, 'f'));
    });
  }
  SECTION("a class left out") {
    ExpectLieFound<v1::Release>(world, command, "decision-missing", [](v1::Release& release) {
      release.mutable_authorisations()->RemoveLast();
    });
  }
}

TEST_CASE("Audit: a release that policies refuse is found, whoever signed it") {
  World world = WorldWithEvidence(333);
  const std::string person = EnrolAt(world, 3, "KE", "safari");
  const std::string job = TrainWhole(world, 1);
  const std::uint64_t given = AllowedBy(world, ReleaseModel{kOperator, job, 0});
  v1::Release release = world.At<v1::Release>(given);
  world.FillCommon(release.mutable_common());
  release.set_released_to(person);
  release.set_jurisdiction("KE");
  release.set_recipient("safari");
  release.mutable_basis()->set_state_size(world.state().size);
  SECTION("with the decisions for somebody else") {
    ExpectForged(world, release, "decision-missing");
  }
  SECTION("with decisions that say this person") {
    for (v1::Authorisation& authorisation : *release.mutable_authorisations()) {
      authorisation.mutable_flow()->set_to("KE");
      authorisation.mutable_flow()->set_recipient("safari");
    }
    ExpectForged(world, release, "decision-verdict");
  }
  SECTION("with none") {
    release.clear_authorisations();
    ExpectForged(world, release, "decision-missing");
  }
  SECTION("to nobody") {
    release.set_released_to("u-nobody");
    ExpectForged(world, release, "release");
  }
}

TEST_CASE("Audit: a release of a withdrawn shard is found") {
  World world = WorldWithEvidence(334);
  const std::string job = TrainWhole(world, 1);
  v1::ShardWithdrawn withdrawn;
  world.FillCommon(withdrawn.mutable_common());
  withdrawn.set_dataset("digits");
  withdrawn.set_shard("sg");
  withdrawn.set_sha256(ToString(world.state().shards.at("digits/sg").sha256));
  withdrawn.set_reason("subject-request");
  withdrawn.set_withdrawn_by(kOperator);
  const std::uint64_t given = AllowedBy(world, ReleaseModel{kOperator, job, 0});
  v1::Release release = world.At<v1::Release>(given);
  world.FillCommon(release.mutable_common());
  release.mutable_basis()->set_state_size(world.state().size + 1);
  world.Forge(ledger::Predicate(withdrawn), world.statement_key());
  ExpectForged(world, release, "release");
}

TEST_CASE("Audit: an invented reading, and a place that no invitation says, are found") {
  World world = WorldWithEvidence(335);
  SECTION("a reading where the place is unknown") {
    const std::string nowhere = EnrolAt(world, 4, "", "");
    v1::LogRead reading = world.At<v1::LogRead>(AllowedBy(world, ReadLog{kOperator}));
    world.FillCommon(reading.mutable_common());
    reading.set_reader(nowhere);
    reading.clear_jurisdiction();
    reading.clear_recipient();
    reading.mutable_basis()->set_state_size(world.state().size);
    ExpectForged(world, reading, "decision-missing");
  }
  SECTION("a reading with facts that were others") {
    ExpectLieFound<v1::LogRead>(
        world, ReadLog{kOperator}, "decision-facts", [](v1::LogRead& reading) {
          reading.mutable_authorisations(0)->set_facts_sha256(std::string(32, 'f'));
        });
  }
  SECTION("a refusal that was an allowance") {
    const std::string nowhere = EnrolAt(world, 4, "", "");
    ExpectLieFound<v1::Refusal>(
        world, ReadLog{nowhere}, "decision-verdict", [](v1::Refusal& refusal) {
          refusal.mutable_decisions(0)->mutable_failures(0)->set_reason("house/other");
        });
  }
  SECTION("a person at home who was invited from elsewhere") {
    world.SetDoctor([](ledger::Predicate& predicate) {
      if (auto* enrolled = predicate.As<v1::UserEnrolled>(); enrolled != nullptr) {
        enrolled->set_jurisdiction("DE");
      }
    });
    EnrolAt(world, 5, "KE", "acme");
    const Report report = AuditWorld(world);
    INFO(TextOf(report));
    REQUIRE(FindingOf(report, "enrolment") != nullptr);
    CHECK(report.verdict == Verdict::kBadEvidence);
  }
}

}  // namespace
}  // namespace carnet::coordinator
