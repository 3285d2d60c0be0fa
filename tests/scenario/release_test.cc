// What leaves home for people: models and statements.
#include "coordinator/core/release.h"

#include "base/timestamp.h"
#include "coordinator/core/apply.h"
#include "scenario/audit_world.h"
#include "scenario/release_people.h"

namespace carnet::coordinator {
namespace {

constexpr char kHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

using Catch::Contains;
using Reasons = std::set<std::string>;

// A world whose bundle has these rules too, in which `slots` trained one model.
std::string TrainOnce(World& world, const std::vector<std::string>& slots) {
  LiveWorkers live;
  for (const std::string& slot : slots) {
    live.insert(world.worker(slot).id);
  }
  std::swap(world.live, live);
  const std::string job = world.Submit(1, static_cast<std::uint32_t>(slots.size()));
  world.Settle();
  for (const std::string& slot : slots) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  std::swap(world.live, live);
  REQUIRE(world.state().jobs.at(job).rounds_done == 1);
  return job;
}

TEST_CASE("Release: a model goes to a person at home, with its lineage, on record for a day") {
  World world = WorldWithEvidence(301);
  const std::string job = TrainWhole(world, 2);
  const std::uint64_t index = AllowedBy(world, ReleaseModel{kOperator, job, 0});
  const v1::Release& release = world.At<v1::Release>(index);
  CHECK(release.released_to() == kOperator);
  CHECK(release.jurisdiction() == "DE");
  CHECK(release.recipient() == "acme");
  CHECK(release.round() == 2);
  CHECK(release.model_sha256() == ToString(world.state().jobs.at(job).model_sha256));
  CHECK(std::vector<std::string>(release.shards().begin(), release.shards().end()) ==
        std::vector<std::string>{"digits/ae", "digits/fr", "digits/sg"});
  CHECK(release.authorisations_size() == 3);  // one for each class
  CHECK(ToTime(release.expires()) == world.now() + kReleaseLife);
  // Asked again it is the same one; after its time it is another.
  CHECK(AllowedBy(world, ReleaseModel{kOperator, job, 2}) == index);
  CHECK(AllowedBy(world, ReleaseModel{kOperator, job, 1}) != index);
  const ByteView model = world.state().jobs.at(job).model_sha256;
  CHECK(LiveRelease(world.state(), kOperator, model, world.now()) != nullptr);
  world.Advance(kReleaseLife);
  CHECK(LiveRelease(world.state(), kOperator, model, world.now()) == nullptr);
  CHECK(AllowedBy(world, ReleaseModel{kOperator, job, 0}) > index);
  CHECK(world.Refold().releases.size() == world.state().releases.size());
}

TEST_CASE("Release: a label of an earlier round refuses, whatever the last round was trained on") {
  World world = WorldWithEvidence(302);
  const std::string person = EnrolAt(world, 3, "AE", "dune");
  const std::string job = world.Submit(2, 2);
  world.Settle();
  world.ContributeAll(job);
  world.live.erase(world.worker("fr-1").id);
  world.Settle();
  for (const char* slot : {"ae-1", "sg-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  REQUIRE(world.state().jobs.at(job).rounds_done == 2);
  const Reasons reasons = RefusedFor(world, ReleaseModel{person, job, 2});
  CHECK(reasons.count("gdpr-chapter-v/no-allow") == 1);
  CHECK(reasons.count("sg-pdpa/no-allow") == 1);
  CHECK(world.Find("release").empty());
  // What only people in the Emirates taught goes to one there.
  World emirates(303);
  const std::string there = EnrolAt(emirates, 3, "AE", "dune");
  const std::string other = TrainOnce(emirates, {"ae-1"});
  CHECK(emirates.At<v1::Release>(AllowedBy(emirates, ReleaseModel{there, other, 0})).shards(0) ==
        "digits/ae");
}

TEST_CASE("Release: papers that name the consumer's organisation let it through, until they end") {
  World world = WorldWithEvidence(304);
  const std::string person = EnrolAt(world, 3, "AE", "falcon");
  const std::string job = TrainWhole(world, 1);
  const ByteView model = world.state().jobs.at(job).model_sha256;
  AllowedBy(world, ReleaseModel{person, job, 0});
  REQUIRE(LiveRelease(world.state(), person, model, world.now()) != nullptr);
  for (const auto& [id, item] : world.state().evidence) {
    if (item.terms.kind() == "tia" && item.terms.recipient() == "falcon") {
      REQUIRE(world.Do(WithdrawEvidence{kOperator, id}).ok());
      break;
    }
  }
  // The release has not expired, and is decided again all the same.
  CHECK(RefusedFor(world, ReleaseModel{person, job, 0}).count("gdpr-chapter-v/safeguards.tia") ==
        1);
}

TEST_CASE("Release: where nobody said where a person works, or for whom, nothing goes there") {
  World world = WorldWithEvidence(305);
  const std::string job = TrainWhole(world, 1);
  const std::string nowhere = EnrolAt(world, 3, "", "");
  CHECK(RefusedFor(world, ReadLog{nowhere}).count("house/place-is-known") == 1);
  const Reasons reasons = RefusedFor(world, ReleaseModel{nowhere, job, 0});
  CHECK(reasons.count("house/place-is-known") == 1);
  CHECK(reasons.count("gdpr-chapter-v/no-allow") == 1);
  CHECK(world.Find("log-read").empty());
  CHECK(world.Find("release").empty());
  CHECK(world
            .Do(InviteUser{
                kOperator, Bytes(32, 9), {"member"}, world.now() + absl::Hours(1), "UK", "acme"})
            .status()
            .code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Release: a withdrawn shard refuses the models that contain it") {
  World world = WorldWithEvidence(306);
  const std::string job = TrainWhole(world, 1);
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  State state = world.Refold();
  v1::ShardWithdrawn withdrawn;
  world.FillCommon(withdrawn.mutable_common());
  withdrawn.set_dataset("digits");
  withdrawn.set_shard("sg");
  withdrawn.set_sha256(ToString(state.shards.at("digits/sg").sha256));
  withdrawn.set_reason("subject-request");
  withdrawn.set_withdrawn_by(kOperator);
  const std::uint64_t index = state.size;
  REQUIRE(Apply(state, index, ledger::Predicate(withdrawn)).ok());
  const auto decided =
      Decide(state, {ReleaseModel{kOperator, job, 0}, world.now(), "", world.Random(32)});
  REQUIRE(decided.ok());
  CHECK(decided->answer.code() == absl::StatusCode::kPermissionDenied);
  CHECK_THAT(std::string(decided->answer.message()),
             Contains("digits/sg, which record " + std::to_string(index) + " withdrew"));
  CHECK_THAT(std::string(decided->answer.message()), Contains("uncovered/unknown"));
  REQUIRE(decided->records.size() == 1);
  CHECK(decided->records[0].predicate.Is<v1::Refusal>());
}

TEST_CASE("Release: a model goes to whom its job is, to operators and admins, and nobody else") {
  World world = WorldWithEvidence(307);
  const std::string job = TrainWhole(world, 1);
  const std::string member = EnrolAt(world, 3, "DE", "acme", {"member", "auditor"});
  const std::size_t before = world.log().size();
  CHECK(world.Do(ReleaseModel{member, job, 0}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Do(ReleaseModel{kOperator, "j-none", 0}).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(world.Do(ReleaseModel{kOperator, job, 2}).status().code() == absl::StatusCode::kNotFound);
  CHECK(world.Do(ReadLog{"u-nobody"}).status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(world.log().size() == before);
}

TEST_CASE("Release: equal refusals are one record") {
  World world = WorldWithEvidence(308);
  const std::string person = EnrolAt(world, 3, "KE", "safari");
  const std::string job = TrainWhole(world, 1);
  const std::size_t before = world.Find("refusal").size();
  RefusedFor(world, ReleaseModel{person, job, 0});
  RefusedFor(world, ReleaseModel{person, job, 0});
  CHECK(world.Find("refusal").size() == before + 1);
}

TEST_CASE("Release: a missing approval holds it, and says whose") {
  World world(309, {std::string("policy: sign\n") + kHead +
                    "  - id: out\n    effect: require\n    when: {op: {is: release_model}}\n"
                    "    require: [{id: chief, phase: approval, from: [dpo], need: 2}]\n"});
  const std::string job = TrainOnce(world, {"ae-1"});
  const auto done = world.Do(ReleaseModel{kOperator, job, 0});
  REQUIRE(done.ok());
  CHECK_THAT(std::string(done->answer.message()), Contains("approval by 2 persons of dpo"));
  CHECK(world.Find("release").empty());
}

TEST_CASE("Release: what is to be done afterwards becomes a duty") {
  World world(310, {std::string("policy: tell\n") + kHead +
                    "  - id: out\n    effect: require\n    when: {op: {is: release_model}}\n"
                    "    require: [{id: note, phase: post, duty: tell-the-dpo, of: dpo, within: "
                    "10d}]\n"});
  const std::string job = TrainOnce(world, {"ae-1"});
  AllowedBy(world, ReleaseModel{kOperator, job, 0});
  REQUIRE(world.Find("obligation-due").size() == 1);
  CHECK(world.At<v1::ObligationDue>(world.Find("obligation-due")[0]).rule() == "tell/out.note");
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == ledger::verifier::Verdict::kGood);
}

TEST_CASE("Reading: statements go to a person under a reading on record, decided again each day") {
  World world(311);
  const std::string person = EnrolAt(world, 3, "SG", "lion");
  CHECK_FALSE(MayReadLog(world.state(), person, world.now()));
  const std::uint64_t index = AllowedBy(world, ReadLog{person});
  CHECK(world.At<v1::LogRead>(index).jurisdiction() == "SG");
  CHECK(MayReadLog(world.state(), person, world.now()));
  CHECK(AllowedBy(world, ReadLog{person}) == index);
  world.Advance(kReadingLife);
  CHECK_FALSE(MayReadLog(world.state(), person, world.now()));
  CHECK(AllowedBy(world, ReadLog{person}) > index);
  REQUIRE(world.Do(RevokeUser{kOperator, person, "left"}).ok());
  CHECK_FALSE(MayReadLog(world.state(), person, world.now()));
}

TEST_CASE("Reading: a rule about the log refuses it, and ends a reading that was allowed") {
  World world(312, {std::string("policy: log-stays\n") + kHead +
                    "  - id: at-home\n    effect: deny\n"
                    "    when: {op: {is: read_log}, to.jurisdiction: {not_in: [DE, FR]}}\n"});
  const std::string person = EnrolAt(world, 3, "SG", "lion");
  CHECK(RefusedFor(world, ReadLog{person}) == Reasons{"log-stays/at-home"});
  CHECK(world.Find("log-read").empty());
  AllowedBy(world, ReadLog{kOperator});
  CHECK(MayReadLog(world.state(), kOperator, world.now()));
  // The bundle expires, and with it what was allowed.
  CHECK_FALSE(MayReadLog(world.state(), kOperator, world.now() + absl::Hours(24 * 61)));
}

}  // namespace
}  // namespace carnet::coordinator
