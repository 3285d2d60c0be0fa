// Rounds whose deltas are kept for a person: given records, when a command, then records; and what
// an audit says of them.
#include "coordinator/core/retained.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using audit::Severity;
using ledger::verifier::Verdict;

// Invites and enrols somebody; the id depends on the seed of the world alone.
std::string Enrol(World& world, const Bytes& wrapping) {
  const Bytes token = world.Random(32);
  const auto invited =
      world.Do(InviteUser{kOperator, token, {"member"}, world.now() + absl::Hours(1)});
  INFO(invited.status().ToString());
  REQUIRE(invited.ok());
  EnrollUser enroll;
  enroll.token_sha256 = token;
  enroll.tls_spki_sha256 = world.Random(32);
  enroll.public_key = world.Random(32);
  enroll.asked_id = world.At<v1::UserInvited>(*invited->answer_index).user_id();
  enroll.wrapping_public_key = wrapping;
  const auto enrolled = world.Do(enroll);
  INFO(enrolled.status().ToString());
  REQUIRE(enrolled.ok());
  return enroll.asked_id;
}

struct KeptWorld {
  World world;
  std::string auditor;
};

// Every round's deltas are kept for an auditor, enrolled with `wrapping`.
KeptWorld KeepingWorld(std::uint64_t seed, const Bytes& wrapping,
                       const std::string& span = "at_least: 30d, at_most: 90d") {
  World scout(seed);
  const std::string auditor = Enrol(scout, wrapping);
  KeptWorld kept{
      World(seed, {absl::StrCat("policy: audits\nkind: guardrail\ntitle: Audits\n"
                                "approvals: {propose: [compliance], need: 1, from: [compliance]}\n"
                                "effective: {from: 2026-01-01}\n"
                                "rules:\n  - id: rounds\n    effect: require\n"
                                "    when: {op: {is: send_delta}}\n    require:\n"
                                "      - {id: keep, phase: runtime, retain_deltas: {for: ",
                                auditor, ", ", span, "}}\n")}),
      auditor};
  REQUIRE(Enrol(kept.world, wrapping) == auditor);
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    kept.world.AddEvidence("scc-2021-914", supplier, to);
    kept.world.AddEvidence("tia", supplier, to);
  }
  return kept;
}

Bytes Wrapping() {
  return Bytes(32, 9);
}

// A round that is closed, and nothing after that.
std::string CloseOne(World& world) {
  const std::string job = world.Submit(2, 3);
  world.Settle();
  world.ContributeAll(job);
  REQUIRE(world.Do(CloseRound{job}).ok());
  return job;
}

// Whether an effect whose name begins so is to be started.
bool StartsWith(const Agenda& agenda, const std::string& prefix) {
  return std::any_of(agenda.start.begin(), agenda.start.end(),
                     [&](const Effect& effect) { return absl::StartsWith(effect.key, prefix); });
}

// The key of the job's round, as the effect wraps it.
RetainKey Wrapped(const World& world, const std::string& job, const std::string& person) {
  return {job, world.state().jobs.at(job).round->opened.round_key_id(), person, Bytes(32, 1),
          Bytes(48, 2)};
}

TEST_CASE("Retained: the key is on record for that person before the round's model is made") {
  KeptWorld kept_world = KeepingWorld(301, Wrapping());
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const std::string job = TrainWhole(world, 2);
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
  const auto kept = world.Find("key-retained");
  const auto closed = world.Find("round-closed");
  const auto aggregates = world.Find("aggregate");
  const auto orders = world.Find("key-destruction-ordered");
  REQUIRE(kept.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(closed.at(i) < kept[i]);
    CHECK(kept[i] < aggregates.at(i));
    CHECK(aggregates.at(i) < orders.at(i));
    const auto& record = world.At<v1::KeyRetained>(kept[i]);
    CHECK(record.round() == i + 1);
    CHECK(record.kept_for() == auditor);
    CHECK(record.kept_for_public_key() == ToString(Wrapping()));
    CHECK(record.rule() == "audits/rounds.keep");
    CHECK(ToTime(record.until()) ==
          ToTime(record.common().at()) + absl::Hours(24 * 30));  // the shortest that satisfies
    CHECK(world.state().keys.at(record.key_id()).phase == KeyPhase::kDestroyed);
  }
}

TEST_CASE("Retained: what a crash interrupted goes on at the same place") {
  KeptWorld kept_world = KeepingWorld(302, Wrapping());
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const std::string job = CloseOne(world);
  const auto again = [&world] { return Reconcile(world.Refold(), Running{}, world.now()); };

  const Agenda before = again();
  CHECK(StartsWith(before, "retain/"));
  CHECK_FALSE(StartsWith(before, "aggregate/"));
  const RecordAggregate aggregate{job, 1, 1, Bytes(32, 5), 1000, {}};
  CHECK(absl::IsFailedPrecondition(world.Do(aggregate).status()));

  const RetainKey retain = Wrapped(world, job, auditor);
  const auto first = world.Do(retain);
  REQUIRE(first.ok());
  // The answer was lost and the effect ran again.
  const auto second = world.Do(retain);
  REQUIRE(second.ok());
  CHECK(second->answer_index == first->answer_index);
  CHECK(world.Find("key-retained").size() == 1);

  const Agenda after = again();
  CHECK_FALSE(StartsWith(after, "retain/"));
  CHECK(StartsWith(after, "aggregate/"));
  REQUIRE(world.Do(aggregate).ok());
  const Agenda last = again();
  CHECK(StartsWith(last, "destroy/"));
  CHECK_FALSE(StartsWith(last, "retain/"));
  world.Settle();
  CHECK(RetainedBlobs(world.Refold(), world.now()).size() == 1);
}

TEST_CASE("Retained: without the person, or a key of his, no round opens and the job says why") {
  KeptWorld kept_world = KeepingWorld(303, {});
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const std::string job = world.Submit(1, 3);
  const Agenda agenda = world.Settle();
  CHECK(world.Find("round-opened").empty());
  CHECK(agenda.waiting.at(job) ==
        absl::StrCat("deltas cannot be kept: ", auditor,
                     " has no wrapping key (audits/rounds.keep): enrolled by an older program"));
  CHECK(absl::IsFailedPrecondition(
      world.Do(OpenRound{job, 1, 1, "k-x", Bytes(32, 1), {}, world.live}).status()));
  REQUIRE(world.Do(RevokeUser{kOperator, auditor, "left"}).ok());
  CHECK(world.Settle().waiting.at(job) ==
        absl::StrCat("deltas cannot be kept: ", auditor, " is not enrolled (audits/rounds.keep)"));
}

TEST_CASE("Retained: a person who is revoked before the round ends gets no key") {
  KeptWorld kept_world = KeepingWorld(304, Wrapping());
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const std::string job = CloseOne(world);
  const RetainKey retain = Wrapped(world, job, auditor);
  REQUIRE(world.Do(RevokeUser{kOperator, auditor, "left"}).ok());
  CHECK(absl::IsFailedPrecondition(world.Do(retain).status()));
  world.Settle();
  CHECK(world.Find("key-retained").empty());
  CHECK(world.Find("aggregate").empty());
  REQUIRE(world.Find("round-abandoned").size() == 1);
  CHECK(world.At<v1::RoundAbandoned>(world.Find("round-abandoned")[0]).reason() == kNotRetainable);
}

TEST_CASE("Retained: nothing is kept for somebody, or of a round, that no rule names") {
  KeptWorld kept_world = KeepingWorld(305, Wrapping());
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const RetainKey good = Wrapped(world, CloseOne(world), auditor);
  RetainKey other = good;
  other.kept_for = kOperator;
  CHECK(absl::IsFailedPrecondition(world.Do(other).status()));
  other = good;
  other.key_id = world.state().jobs.begin()->second.round->opened.model().key_id();
  CHECK(absl::IsFailedPrecondition(world.Do(other).status()));
  other = good;
  other.wrapped_key.resize(47);
  CHECK(absl::IsInvalidArgument(world.Do(other).status()));

  World plain = WorldWithEvidence(306);
  const std::string job = CloseOne(plain);
  RetainKey unasked = good;
  unasked.job_id = job;
  unasked.key_id = plain.state().jobs.at(job).round->opened.round_key_id();
  unasked.kept_for = kOperator;
  CHECK(absl::IsFailedPrecondition(plain.Do(unasked).status()));
}

TEST_CASE("Retained: deltas and base models stay until their time is over, and then go") {
  KeptWorld kept_world = KeepingWorld(307, Wrapping(), "at_most: 2d");
  World& world = kept_world.world;
  const std::string job = TrainWhole(world, 20);  // more rounds than receipts are kept of
  std::set<BlobId> due;
  for (const std::uint64_t index : world.Find("contribution")) {
    due.insert({BlobKind::kDelta, ToBytes(world.At<v1::Contribution>(index).sealed_sha256())});
  }
  for (const std::uint64_t index : world.Find("aggregate")) {
    due.insert({BlobKind::kModel, ToBytes(world.At<v1::Aggregate>(index).base_model_sha256())});
  }
  const std::set<BlobId> kept = KeptBlobsAt(world.state(), world.now());
  for (const BlobId& id : due) {
    CHECK(kept.count(id) == 1);
  }
  CHECK(RetainedBlobs(world.state(), world.now()).size() == 20);
  const absl::Time first = ToTime(world.state().retained_keys.begin()->second.terms.until());
  CHECK(world.Look().wake <= first);
  world.Advance(absl::Hours(3 * 24));
  CHECK(StartsWith(world.Look(), "sweep/"));
  world.Settle();
  CHECK_FALSE(StartsWith(world.Look(), "sweep/"));
  CHECK(RetainedBlobs(world.state(), world.now()).empty());
  const std::set<BlobId> left = KeptBlobsAt(world.state(), world.now());
  CHECK(left.size() < due.size());
  for (const BlobId& id : left) {
    CHECK(id.kind == BlobKind::kModel);
  }
}

// What an auditor with the right key gets, where the coordinator did not lie.
audit::Recompute Honest(const World& world) {
  return
      [&world](const audit::Aggregation& aggregation) -> absl::StatusOr<audit::AggregationResult> {
        const auto& record = world.At<v1::Aggregate>(aggregation.index);
        CHECK(aggregation.deltas.size() == 3);
        CHECK(aggregation.deltas[0].path < aggregation.deltas[1].path);
        CHECK(aggregation.key != nullptr);
        return audit::AggregationResult{ToBytes(record.model_sha256()),
                                        ToBytes(record.optimizer_state_sha256())};
      };
}

TEST_CASE("Retained: an audit lists the rounds that it computed again") {
  KeptWorld kept_world = KeepingWorld(308, Wrapping());
  World& world = kept_world.world;
  TrainWhole(world, 2);
  const audit::Report report = AuditWorld(world, Honest(world));
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.findings.empty());
  CHECK(report.numbers.aggregations == 2);
  REQUIRE(report.recomputed.size() == 2);
  CHECK(report.recomputed[1].index == world.Find("aggregate")[1]);
  CHECK(report.recomputed[1].round == 2);
}

TEST_CASE("Retained: what was not computed again is counted with its reason") {
  KeptWorld kept_world = KeepingWorld(309, Wrapping());
  World& world = kept_world.world;
  TrainWhole(world, 2);
  const audit::Report report = AuditWorld(world);
  CHECK(report.verdict == Verdict::kGood);
  const audit::Finding* finding = FindingOf(report, "recompute");
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == Severity::kNote);
  CHECK(finding->actual ==
        "not recomputed: 2, because the person for whom the round's key is kept does not audit");
  CHECK(report.not_recomputed == 2);

  World plain = WorldWithEvidence(310);
  TrainWhole(plain, 1);
  CHECK(AuditWorld(plain).findings.empty());
  const audit::Report none = AuditWorld(plain, Honest(plain));
  REQUIRE(FindingOf(none, "recompute") != nullptr);
  CHECK(FindingOf(none, "recompute")->actual ==
        "not recomputed: 1, because the round's key was kept for nobody");
}

TEST_CASE("Retained: another model than the deltas give is bad evidence at its record") {
  KeptWorld kept_world = KeepingWorld(311, Wrapping());
  World& world = kept_world.world;
  TrainWhole(world, 2);
  const auto wrong =
      [&world](const audit::Aggregation& aggregation) -> absl::StatusOr<audit::AggregationResult> {
    absl::StatusOr<audit::AggregationResult> result = Honest(world)(aggregation);
    if (aggregation.round == 2) {
      result->model_sha256[0] ^= 1;
    }
    return result;
  };
  const audit::Report report = AuditWorld(world, wrong);
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, "recompute");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.Find("aggregate")[1]);
  CHECK_THAT(finding->expected, Catch::Contains("round 2 of j-"));
  CHECK(report.numbers.aggregations == 1);

  const auto damaged = [](const audit::Aggregation&) -> absl::StatusOr<audit::AggregationResult> {
    return absl::DataLossError("the file of a sealed delta is another");
  };
  CHECK(AuditWorld(world, damaged).verdict == Verdict::kBadEvidence);
  const auto full = [](const audit::Aggregation&) -> absl::StatusOr<audit::AggregationResult> {
    return absl::ResourceExhaustedError("disk full");
  };
  CHECK(AuditWorld(world, full).verdict == Verdict::kCannotDecide);
}

TEST_CASE("Retained: a coordinator that keeps a key for somebody else, or not as asked, is found") {
  const std::vector<std::function<void(v1::KeyRetained&)>> lies = {
      [](v1::KeyRetained& record) { record.set_kept_for(kOperator); },
      [](v1::KeyRetained& record) { record.set_kept_for_public_key(std::string(32, 'x')); },
      [](v1::KeyRetained& record) { record.set_public_key(std::string(32, 'x')); },
      [](v1::KeyRetained& record) { record.set_rule("audits/other.keep"); },
      [](v1::KeyRetained& record) {
        *record.mutable_until() = ToTimestamp(ToTime(record.until()) - absl::Hours(24));
      }};
  for (std::size_t i = 0; i < lies.size(); ++i) {
    CAPTURE(i);
    KeptWorld kept_world = KeepingWorld(320 + i, Wrapping());
    World& world = kept_world.world;
    world.SetDoctor([&lie = lies[i]](ledger::Predicate& predicate) {
      if (auto* record = predicate.As<v1::KeyRetained>(); record != nullptr) {
        lie(*record);
      }
    });
    TrainWhole(world, 1);
    const audit::Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(report.verdict == Verdict::kBadEvidence);
    const audit::Finding* finding = FindingOf(report, "retained");
    REQUIRE(finding != nullptr);
    CHECK(finding->index == world.Find("key-retained").at(0));
  }
}

TEST_CASE("Retained: a key that is kept twice is found") {
  KeptWorld kept_world = KeepingWorld(330, Wrapping());
  World& world = kept_world.world;
  const std::string& auditor = kept_world.auditor;
  const auto done = world.Do(Wrapped(world, CloseOne(world), auditor));
  REQUIRE(done.ok());
  v1::KeyRetained twice = world.At<v1::KeyRetained>(*done->answer_index);
  world.FillCommon(twice.mutable_common());
  world.Forge(twice, world.statement_key());
  const audit::Report report = AuditWorld(world);
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(FindingOf(report, "retained") != nullptr);
}

TEST_CASE("Retained: a person who is revoked after the key was kept is no fault of the log") {
  KeptWorld kept_world = KeepingWorld(331, Wrapping());
  World& world = kept_world.world;
  const std::string job = CloseOne(world);
  REQUIRE(world.Do(Wrapped(world, job, kept_world.auditor)).ok());
  REQUIRE(world.Do(RevokeUser{kOperator, kept_world.auditor, "left"}).ok());
  REQUIRE(world.Do(RecordAggregate{job, 1, 1, Bytes(32, 5), 1000, {}}).ok());
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(FindingOf(report, "retained") == nullptr);
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Retained: a contribution of nobody who is enrolled is bad evidence, and no crash") {
  World world = WorldWithEvidence(332);
  const std::string job = world.Submit(2, 3);
  world.Settle();
  v1::Contribution strange = world.Contribute(job, "fr-1").contribution;
  strange.set_worker_id("w-zzzzzzzzzzzzzzzz");
  const std::uint64_t index = world.signed_log().size();
  world.Forge(strange, world.worker("fr-1").key);
  v1::RoundClosed closed;
  world.FillCommon(closed.mutable_common());
  closed.set_job_id(job);
  closed.set_round(1);
  closed.set_attempt(1);
  v1::Included* included = closed.add_included();
  included->set_worker_id(strange.worker_id());
  included->set_index(index);
  world.Forge(closed, world.statement_key(), {{"delta", crypto::Sha256(AsBytes("delta"))}});
  v1::Aggregate aggregate;
  world.FillCommon(aggregate.mutable_common());
  aggregate.set_job_id(job);
  aggregate.set_round(1);
  aggregate.set_attempt(1);
  aggregate.set_base_model_sha256(ToString(world.state().jobs.at(job).model_sha256));
  aggregate.set_model_sha256(std::string(32, 'm'));
  aggregate.add_included(index);
  aggregate.add_weights(1);
  world.Forge(aggregate, world.statement_key());
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(FindingOf(report, "contribution-member") != nullptr);
}

TEST_CASE("Retained: the id of a job that no coordinator gives is found") {
  for (const char* id : {"/carnet-escaped", "../x", "j-short"}) {
    World world = WorldWithEvidence(333);
    v1::JobSubmitted forged =
        world.At<v1::JobSubmitted>(world.state().jobs.at(world.Submit(1, 3)).submitted_index);
    forged.set_job_id(id);
    world.FillCommon(forged.mutable_common());
    world.Forge(forged, world.statement_key());
    const audit::Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(report.verdict == Verdict::kBadEvidence);
    const audit::Finding* finding = FindingOf(report, "job");
    REQUIRE(finding != nullptr);
    CHECK(finding->index == world.signed_log().size() - 1);
  }
}

}  // namespace
}  // namespace carnet::coordinator
