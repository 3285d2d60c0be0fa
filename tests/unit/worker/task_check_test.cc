#include "worker/core/task_check.h"

#include <catch2/catch.hpp>
#include <functional>

#include "base/timestamp.h"
#include "exchange/expected.h"
#include "tests/unit/worker/test_support.h"

namespace carnet::worker {
namespace {

// The refusal's code, or UNSPECIFIED for a task that was accepted.
v1::TaskFailure Check(const TestFederation& federation, const v1::Task& task, const Site& site,
                      absl::Time now = TestNow()) {
  const auto result =
      CheckTask(task, federation.MakeIdentity(), federation.log.tree_head(), site, now);
  const auto* refusal = std::get_if<TaskRefusal>(&result);
  if (refusal == nullptr) {
    return v1::TASK_FAILURE_UNSPECIFIED;
  }
  CHECK_FALSE(refusal->status.ok());
  return refusal->failure;
}

TEST_CASE("Task: one that the ledger proves and the site allows is accepted") {
  TestFederation federation;
  const v1::Task task = federation.MakeTask();
  const auto result = CheckTask(task, federation.MakeIdentity(), federation.log.tree_head(),
                                federation.MakeSite(), TestNow());
  const auto* checked = std::get_if<CheckedTask>(&result);
  REQUIRE(checked != nullptr);
  CHECK(checked->deadline == TestNow() + absl::Minutes(10));
  const auto* train = std::get_if<TrainTask>(&checked->work);
  REQUIRE(train != nullptr);
  CHECK(train->opened_index == task.opened().proof().index());
  CHECK(train->member.shards(0) == "digits/sg");
  CHECK(train->job.trainer_digest == federation.trainer_digest);
}

TEST_CASE("Task: what the ledger does not prove is refused") {
  TestFederation federation;
  const v1::Task good = federation.MakeTask();
  const Site site = federation.MakeSite();
  REQUIRE(Check(federation, good, site) == v1::TASK_FAILURE_UNSPECIFIED);
  const std::vector<std::function<void(v1::Task&)>> spoilers = {
      [](v1::Task& t) { t.set_task_id(""); },
      [](v1::Task& t) { t.set_task_id(std::string(kTaskIdBytesMax + 1, 'x')); },
      [](v1::Task& t) { t.set_kind(v1::TASK_KIND_UNSPECIFIED); },
      [](v1::Task& t) { t.set_kind(v1::TASK_KIND_EVALUATE); },
      [](v1::Task& t) { t.set_kind(v1::TASK_KIND_SEND_SHARD); },
      [](v1::Task& t) { t.set_kind(v1::TASK_KIND_RECEIVE_SHARD); },
      [](v1::Task& t) { t.clear_opened(); },
      [](v1::Task& t) { t.mutable_opened()->mutable_proof()->set_index(0); },
      [](v1::Task& t) { (*t.mutable_opened()->mutable_proof()->mutable_hashes(0))[0] ^= 1; },
      [](v1::Task& t) { (*t.mutable_opened()->mutable_record()->mutable_signature())[5] ^= 1; },
      [](v1::Task& t) { (*t.mutable_opened()->mutable_record()->mutable_statement())[40] ^= 1; },
      [](v1::Task& t) { t.clear_context(); },
      [](v1::Task& t) { t.mutable_context()->RemoveLast(); },
      [](v1::Task& t) { t.mutable_context()->DeleteSubrange(0, 1); },
      // A second job, and a second user.
      [](v1::Task& t) { *t.add_context() = v1::ProvenRecord(t.context(0)); },
      [](v1::Task& t) { *t.add_context() = v1::ProvenRecord(t.context(1)); },
      [](v1::Task& t) { (*t.mutable_context(0)->mutable_record()->mutable_signature())[5] ^= 1; },
      [](v1::Task& t) { t.mutable_download()->set_ticket_id("t-other"); },
      [](v1::Task& t) { t.mutable_upload()->set_bytes_max(1 << 30); },
      [](v1::Task& t) { t.clear_upload(); },
      [](v1::Task& t) { t.clear_artifact_header(); },
      [](v1::Task& t) { t.mutable_artifact_header()->push_back('x'); },
      [](v1::Task& t) { t.mutable_key()->set_key_id("k-other"); },
  };
  for (std::size_t i = 0; i < spoilers.size(); ++i) {
    CAPTURE(i);
    v1::Task task = good;
    spoilers[i](task);
    CHECK(Check(federation, task, site) == v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
}

TEST_CASE("Task: a record of another signer than the coordinator opens nothing") {
  TestFederation federation;
  federation.MakeTask();
  v1::RoundOpened opened = federation.Round();
  *opened.mutable_common() = federation.Common();
  const std::uint64_t index = federation.AppendBy(federation.user_key, opened);
  v1::Task task = federation.MakeTask();
  *task.mutable_opened() = federation.log.Prove(index, federation.log.size());
  CHECK(Check(federation, task, federation.MakeSite()) == v1::TASK_FAILURE_ARTIFACT_INVALID);
}

TEST_CASE("Task: it is refused when its deadline or a ticket has passed") {
  TestFederation federation;
  const v1::Task task = federation.MakeTask();
  const Site site = federation.MakeSite();
  CHECK(Check(federation, task, site, TestNow() + absl::Minutes(10) - absl::Seconds(1)) ==
        v1::TASK_FAILURE_UNSPECIFIED);
  CHECK(Check(federation, task, site, TestNow() + absl::Minutes(10)) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
}

TEST_CASE("Task: what the record says of the round must hold for this worker") {
  struct Case {
    const char* what;
    std::function<void(v1::RoundOpened&)> spoil;
    v1::TaskFailure failure;
  };
  const std::vector<Case> cases = {
      {"another worker", [](auto& r) { r.mutable_members(0)->set_worker_id("w-other"); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"no shards",
       [](auto& r) {
         r.mutable_members(0)->clear_shards();
         r.mutable_members(0)->clear_shard_sha256();
       },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"unknown shard", [](auto& r) { r.mutable_members(0)->set_shards(0, "digits/ae"); },
       v1::TASK_FAILURE_SHARD_MISSING},
      {"other shard digest",
       [](auto& r) { r.mutable_members(0)->set_shard_sha256(0, std::string(32, 'x')); },
       v1::TASK_FAILURE_SHARD_MISSING},
      {"first round from another model", [](auto& r) { r.set_model_sha256(std::string(32, 'x')); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"another header",
       [](auto& r) { r.mutable_model()->set_header_sha256(std::string(32, 'x')); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"another size", [](auto& r) { r.mutable_model()->set_sealed_bytes(5); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"another key", [](auto& r) { r.mutable_model()->set_key_id("k-cccccccccccccccc"); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"another bundle",
       [](auto& r) { r.mutable_basis()->set_bundle_sha256(std::string(32, 'x')); },
       v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"another attempt", [](auto& r) { r.set_attempt(2); }, v1::TASK_FAILURE_ARTIFACT_INVALID},
      {"mode below the job's", [](auto& r) { r.set_mode(v1::PRIVACY_MODE_UNSPECIFIED); },
       v1::TASK_FAILURE_REFUSED_BY_SITE},
      {"mode not in this version", [](auto& r) { r.set_mode(v1::PRIVACY_MODE_SECAGG); },
       v1::TASK_FAILURE_REFUSED_BY_SITE},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    TestFederation federation;
    v1::RoundOpened round = federation.Round();
    c.spoil(round);
    const v1::Task task = federation.MakeTask(federation.Job(), round);
    CHECK(Check(federation, task, federation.MakeSite()) == c.failure);
  }
}

TEST_CASE("Task: a job must be signed by the user who is enrolled as its submitter") {
  TestFederation federation;
  v1::JobSubmitted job = federation.Job();
  job.set_submitter("u-bbbbbbbbbbbbbbbb");
  CHECK(Check(federation, federation.MakeTask(job, federation.Round()), federation.MakeSite()) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
  // Another key than the enrolled one.
  TestFederation other;
  v1::Task task = other.MakeTask();
  v1::JobSubmitted forged = other.Job();
  *forged.mutable_common() = other.Common();
  const std::uint64_t index = other.AppendBy(other.coordinator_key, forged);
  *task.mutable_opened() = other.log.Prove(task.opened().proof().index(), other.log.size());
  *task.mutable_context(1) = other.log.Prove(task.context(1).proof().index(), other.log.size());
  *task.mutable_context(0) = other.log.Prove(index, other.log.size());
  CHECK(Check(other, task, other.MakeSite()) == v1::TASK_FAILURE_ARTIFACT_INVALID);
}

TEST_CASE("Task: another job's specification does not open this round") {
  TestFederation federation;
  v1::JobSubmitted job = federation.Job();
  job.set_job_id("j-bbbbbbbbbbbbbbbb");
  CHECK(Check(federation, federation.MakeTask(job, federation.Round()), federation.MakeSite()) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
}

TEST_CASE("Task: the site's floors cannot be widened by the coordinator") {
  TestFederation federation;
  const v1::Task task = federation.MakeTask();
  Site site = federation.MakeSite();
  site.weakest_mode = v1::PRIVACY_MODE_SECAGG;
  CHECK(Check(federation, task, site) == v1::TASK_FAILURE_REFUSED_BY_SITE);
  site = federation.MakeSite();
  site.k_min = 2;
  CHECK(Check(federation, task, site) == v1::TASK_FAILURE_REFUSED_BY_SITE);
}

TEST_CASE("Task: a trainer runs only by the name and digest that the site has") {
  TestFederation federation;
  const v1::Task task = federation.MakeTask();
  Site site = federation.MakeSite();
  site.trainers.erase("numpy");
  CHECK(Check(federation, task, site) == v1::TASK_FAILURE_TRAINER_UNKNOWN);
  site.trainers["numpy"] = Digest{5};
  CHECK(Check(federation, task, site) == v1::TASK_FAILURE_TRAINER_UNKNOWN);

  const auto with_trainer = [](const char* name, const std::string& digest) {
    TestFederation fresh;
    v1::JobSubmitted job = fresh.Job();
    job.mutable_spec()->mutable_trainer()->set_name(name);
    job.mutable_spec()->mutable_trainer()->set_digest(digest);
    job.set_spec_sha256(ToString(SpecDigest(job.spec()).value()));
    return Check(fresh, fresh.MakeTask(job, fresh.Round()), fresh.MakeSite());
  };
  CHECK(with_trainer("softmax", "") == v1::TASK_FAILURE_UNSPECIFIED);
  CHECK(with_trainer("softmax", "sha256:" + HexEncode(Digest{8})) ==
        v1::TASK_FAILURE_TRAINER_UNKNOWN);
  CHECK(with_trainer("numpy", "") == v1::TASK_FAILURE_TRAINER_UNKNOWN);
}

// ---- evaluation and staging ----

v1::Task EvaluateTaskOf(TestFederation& federation, const v1::EvaluationOpened& evaluation) {
  v1::Task task = federation.MakeTask();
  v1::EvaluationOpened opened = evaluation;
  *opened.mutable_common() = federation.Common();
  const std::uint64_t index = federation.AppendBy(federation.coordinator_key, opened);
  task.set_kind(v1::TASK_KIND_EVALUATE);
  *task.mutable_opened() = federation.log.Prove(index, federation.log.size());
  for (v1::ProvenRecord& context : *task.mutable_context()) {
    context = federation.log.Prove(context.proof().index(), federation.log.size());
  }
  return task;
}

v1::EvaluationOpened EvaluationOf(const TestFederation& federation) {
  const v1::RoundOpened round = federation.Round();
  v1::EvaluationOpened opened;
  opened.set_job_id(round.job_id());
  opened.set_round(1);
  opened.set_attempt(1);
  opened.set_model_sha256(round.model_sha256());
  *opened.mutable_model() = round.model();
  *opened.mutable_basis() = round.basis();
  *opened.mutable_member() = round.members(0);
  *opened.mutable_deadline() = round.deadline();
  return opened;
}

TEST_CASE("Task: an evaluation is for the worker that its record names") {
  TestFederation federation;
  v1::EvaluationOpened opened = EvaluationOf(federation);
  CHECK(Check(federation, EvaluateTaskOf(federation, opened), federation.MakeSite()) ==
        v1::TASK_FAILURE_UNSPECIFIED);
  opened.mutable_member()->set_worker_id("w-other");
  CHECK(Check(federation, EvaluateTaskOf(federation, opened), federation.MakeSite()) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
  opened = EvaluationOf(federation);
  opened.mutable_member()->set_shards(0, "golden/home");
  CHECK(Check(federation, EvaluateTaskOf(federation, opened), federation.MakeSite()) ==
        v1::TASK_FAILURE_SHARD_MISSING);
}

struct Staging {
  v1::StagingOrdered ordered;
  v1::WorkerEnrolled other;
};

Staging StagingOf(TestFederation& federation, bool sends) {
  Staging staging;
  const std::string me = federation.MakeIdentity().worker_id;
  staging.other.set_worker_id("w-bbbbbbbbbbbbbbbb");
  staging.other.set_spiffe_id("spiffe://digits.acme.example/region/fr/supplier/coq/worker/fr-1");
  staging.other.set_region("fr");
  staging.other.set_slot("fr-1");
  staging.other.set_token_sha256(std::string(32, 't'));
  staging.other.set_tls_spki_sha256(std::string(32, 's'));
  staging.other.set_statement_public_key(std::string(32, 'p'));
  staging.other.set_wrapping_public_key(ToString(federation.round_key.public_key()));
  staging.ordered.set_staging_id("s-aaaaaaaaaaaaaaaa");
  staging.ordered.set_dataset("digits");
  staging.ordered.set_shard("sg");
  staging.ordered.set_from_worker_id(sends ? me : staging.other.worker_id());
  staging.ordered.set_to_worker_id(sends ? staging.other.worker_id() : me);
  staging.ordered.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
  *staging.ordered.mutable_basis()->mutable_at() = ToTimestamp(TestNow());
  *staging.ordered.mutable_expires() = ToTimestamp(TestNow() + absl::Minutes(5));
  v1::Flow* flow = staging.ordered.add_authorisations()->mutable_flow();
  flow->set_operation(v1::OPERATION_STAGE_DATA);
  flow->set_from("FR");
  flow->set_to("SG");
  return staging;
}

v1::Task StagingTask(TestFederation& federation, const Staging& staging, bool sends) {
  v1::WorkerEnrolled other = staging.other;
  *other.mutable_common() = federation.Common();
  const std::uint64_t other_index = federation.AppendBy(federation.coordinator_key, other);
  v1::StagingOrdered ordered = staging.ordered;
  *ordered.mutable_common() = federation.Common();
  const std::uint64_t index = federation.AppendBy(federation.coordinator_key, ordered);
  v1::Task task;
  task.set_task_id("staging");
  task.set_kind(sends ? v1::TASK_KIND_SEND_SHARD : v1::TASK_KIND_RECEIVE_SHARD);
  *task.mutable_opened() = federation.log.Prove(index, federation.log.size());
  *task.add_context() = federation.log.Prove(other_index, federation.log.size());
  v1::Ticket* ticket = sends ? task.mutable_upload() : task.mutable_download();
  ticket->set_ticket_id(staging.ordered.staging_id());
  ticket->set_bytes_max(1 << 20);
  *ticket->mutable_expires() = staging.ordered.expires();
  if (!sends) {
    v1::ArtifactHeader header = exchange::ShardHeader(
        staging.ordered, {.from_spiffe_id = staging.other.spiffe_id(),
                          .to_spiffe_id = federation.facts.spiffe_id.ToString(),
                          .archive_bytes = 100,
                          .key_id = "k-dddddddddddddddd"});
    header.set_encapsulated(std::string(32, 'e'));
    header.set_wrapped_key(std::string(48, 'w'));
    header.set_salt(std::string(24, 's'));
    task.set_artifact_header(exchange::MakeHeader(header).value().bytes);
  }
  return task;
}

TEST_CASE("Task: a shard is sent only to the enrolled worker of a staging order for it") {
  TestFederation federation;
  const Site site = federation.MakeSite();
  const Staging staging = StagingOf(federation, true);
  CHECK(Check(federation, StagingTask(federation, staging, true), site) ==
        v1::TASK_FAILURE_UNSPECIFIED);
  Staging stranger = staging;
  stranger.other.set_worker_id("w-cccccccccccccccc");
  CHECK(Check(federation, StagingTask(federation, stranger, true), site) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
  Staging not_mine = staging;
  not_mine.ordered.set_from_worker_id("w-cccccccccccccccc");
  CHECK(Check(federation, StagingTask(federation, not_mine, true), site) ==
        v1::TASK_FAILURE_ARTIFACT_INVALID);
  Site without = site;
  without.shards.clear();
  CHECK(Check(federation, StagingTask(federation, staging, true), without) ==
        v1::TASK_FAILURE_SHARD_MISSING);
  CHECK(Check(federation, StagingTask(federation, staging, true), site,
              TestNow() + absl::Minutes(5)) == v1::TASK_FAILURE_ARTIFACT_INVALID);
}

TEST_CASE("Task: a shard is received only under the header that its order implies") {
  TestFederation federation;
  const Site site = federation.MakeSite();
  const Staging staging = StagingOf(federation, false);
  const v1::Task good = StagingTask(federation, staging, false);
  CHECK(Check(federation, good, site) == v1::TASK_FAILURE_UNSPECIFIED);
  v1::Task small_ticket = good;
  small_ticket.mutable_download()->set_bytes_max(10);
  CHECK(Check(federation, small_ticket, site) == v1::TASK_FAILURE_ARTIFACT_INVALID);
  v1::Task other_recipient = good;
  v1::ArtifactHeader header = exchange::ParseHeader(AsBytes(good.artifact_header()))->fields;
  header.set_recipient("spiffe://digits.acme.example/coordinator");
  other_recipient.set_artifact_header(exchange::MakeHeader(header).value().bytes);
  CHECK(Check(federation, other_recipient, site) == v1::TASK_FAILURE_ARTIFACT_INVALID);
}

}  // namespace
}  // namespace carnet::worker
