#include "tests/unit/worker/test_support.h"

#include <catch2/catch.hpp>
#include <utility>

#include "base/ids.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "exchange/expected.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/record.h"
#include "ledger/verifier/merkle.h"

namespace carnet::worker {
namespace {

constexpr char kTrustDomain[] = "digits.acme.example";

crypto::Ed25519KeyPair LogKey() {
  TestRng rng(1);
  return crypto::Ed25519KeyPair::Generate(rng);
}

// The root of leaves[begin, begin + 2^level).
Digest Subtree(const std::vector<Digest>& leaves, unsigned level, std::uint64_t index) {
  if (level == 0) {
    return leaves.at(index);
  }
  return ledger::NodeHash(Subtree(leaves, level - 1, 2 * index),
                          Subtree(leaves, level - 1, 2 * index + 1));
}

std::string TestId(absl::string_view prefix, std::uint8_t fill) {
  std::array<std::uint8_t, kIdRandomBytes> random;
  random.fill(fill);
  return MakeId(prefix, random);
}

crypto::SpiffeId WorkerId() {
  return crypto::SpiffeId::Worker(kTrustDomain, "sg", "lion", "sg-1").value();
}

void AddFlow(v1::RoundMember* member, v1::Operation operation, const char* from, const char* to) {
  v1::Flow* flow = member->add_authorisations()->mutable_flow();
  flow->set_operation(operation);
  flow->set_from(from);
  flow->set_to(to);
}

v1::Ticket TestTicket(std::uint8_t fill) {
  v1::Ticket ticket;
  ticket.set_ticket_id(TestId("t", fill));
  ticket.set_bytes_max(1 << 20);
  *ticket.mutable_expires() = ToTimestamp(TestNow() + absl::Minutes(10));
  return ticket;
}

}  // namespace

TestLog::TestLog(const std::string& origin)
    : origin_(origin), key_(std::make_shared<const crypto::Ed25519KeyPair>(LogKey())) {}

std::uint64_t TestLog::Append(const v1::SignedRecord& record) {
  const auto entry = ledger::LeafEntry(record);
  REQUIRE(entry.ok());
  leaves_.push_back(ledger::LeafHash(AsBytes(*entry)));
  records_.push_back(record);
  return leaves_.size() - 1;
}

std::string TestLog::Head(std::uint64_t size) const {
  ledger::CompactRange range;
  for (std::uint64_t i = 0; i < size; ++i) {
    range.Append(leaves_.at(i));
  }
  const auto head = ledger::SignHead({origin_, size, range.Root()}, *key_);
  REQUIRE(head.ok());
  return head->note;
}

v1::ProvenRecord TestLog::Prove(std::uint64_t index, std::uint64_t size) const {
  v1::ProvenRecord proven;
  *proven.mutable_record() = records_.at(index);
  proven.mutable_proof()->set_index(index);
  proven.mutable_proof()->set_tree_size(size);
  const auto path = ledger::InclusionPath(index, size, [this](unsigned level, std::uint64_t at) {
    return absl::StatusOr<Digest>(Subtree(leaves_, level, at));
  });
  REQUIRE(path.ok());
  for (const Digest& hash : *path) {
    proven.mutable_proof()->add_hashes(ToString(hash));
  }
  return proven;
}

v1::ConsistencyProof TestLog::Consistency(std::uint64_t old_size, std::uint64_t new_size) const {
  v1::ConsistencyProof proof;
  proof.set_old_size(old_size);
  proof.set_new_size(new_size);
  const auto path =
      ledger::ConsistencyPath(old_size, new_size, [this](unsigned level, std::uint64_t at) {
        return absl::StatusOr<Digest>(Subtree(leaves_, level, at));
      });
  REQUIRE(path.ok());
  for (const Digest& hash : *path) {
    proof.add_hashes(ToString(hash));
  }
  return proof;
}

std::string TestLog::vkey() const {
  return ledger::NoteKey{origin_, key_->public_key()}.Vkey();
}

ledger::verifier::VerifierKey TestLog::key() const {
  return ledger::verifier::ParseVerifierKey(vkey()).value();
}

ledger::verifier::TreeHead TestLog::tree_head() const {
  return ledger::verifier::VerifyHead(Head(), key()).value().tree;
}

TestFederation::TestFederation()
    : coordinator_key(crypto::Ed25519KeyPair::Generate(rng)),
      user_key(crypto::Ed25519KeyPair::Generate(rng)),
      tls_key(crypto::P256Key::Generate().value()),
      statement_key(crypto::Ed25519KeyPair::Generate(rng)),
      wrapping_key(crypto::X25519KeyPair::Generate(rng)),
      round_key(crypto::X25519KeyPair::Generate(rng)),
      authority(crypto::CertificateAuthority::Create(
                    "test CA", {TestNow() - absl::Hours(1), TestNow() + absl::Hours(9000)}, rng)
                    .value()),
      facts(WorkerId()) {
  trainer_digest[0] = 3;
  shard_sha256[0] = 4;
  certificate_pem = *crypto::IssueCertificate(
      authority,
      {.spki = tls_key.spki(),
       .id = WorkerId(),
       .client = true,
       .validity = {TestNow() - absl::Hours(1), TestNow() + absl::Hours(160)}},
      rng);
  v1::Genesis genesis;
  *genesis.mutable_common() = Common();
  genesis.set_federation("digits");
  genesis.set_home_jurisdiction("DE");
  genesis.set_organisation("acme");
  genesis.set_trust_domain(kTrustDomain);
  genesis.set_origin("digits.acme.example/log");
  genesis.set_log_vkey(log.vkey());
  genesis.set_statement_public_key(ToString(coordinator_key.public_key()));
  genesis.set_ca_spki_sha256(ToString(authority.key().spki_sha256()));
  genesis.set_ca_certificate_pem(authority.certificate_pem());
  genesis.set_bundle_json("{}");
  genesis.set_bundle_sha256(ToString(crypto::Sha256(AsBytes("{}"))));
  genesis.set_bundle_revision(1);
  AppendBy(coordinator_key, genesis);
  v1::WorkerEnrolled enrolled;
  *enrolled.mutable_common() = Common();
  enrolled.set_worker_id(TestId("w", 1));
  enrolled.set_spiffe_id(WorkerId().ToString());
  enrolled.set_region("sg");
  enrolled.set_supplier("lion");
  enrolled.set_slot("sg-1");
  enrolled.set_token_sha256(std::string(32, 't'));
  enrolled.set_tls_spki_sha256(ToString(tls_key.spki_sha256()));
  enrolled.set_statement_public_key(ToString(statement_key.public_key()));
  enrolled.set_wrapping_public_key(ToString(wrapping_key.public_key()));
  enrolled.set_location(v1::LOCATION_GRADE_CONTRACT);
  *enrolled.mutable_lease_until() = ToTimestamp(TestNow() + absl::Hours(720));
  enrolled_index = AppendBy(coordinator_key, enrolled);
  facts.trust_domain = kTrustDomain;
  facts.addresses = {"127.0.0.1:7600"};
  facts.https_addresses = {"127.0.0.1:7680"};
  facts.ca_spki_sha256 = authority.key().spki_sha256();
  facts.log_vkey = log.vkey();
  facts.genesis_leaf = log.leaf(0);
  const std::string digest(32, 'm');
  model_header =
      exchange::MakeHeader(exchange::ModelHeader({.trust_domain = kTrustDomain,
                                                  .job_id = TestId("j", 1),
                                                  .round = 1,
                                                  .attempt = 1,
                                                  .home_jurisdiction = "DE",
                                                  .bundle_sha256 = AsBytes(std::string(32, 'b')),
                                                  .model_sha256 = AsBytes(digest),
                                                  .layout_sha256 = AsBytes(digest),
                                                  .model_bytes = 1000,
                                                  .key_id = TestId("k", 1)}))
          .value();
  sealed_model_bytes = crypto::SealedSize(1000).value();
}

v1::Common TestFederation::Common() {
  v1::Common common;
  common.set_nonce(ToString(RandomBytes(rng, 32)));
  *common.mutable_at() = ToTimestamp(TestNow());
  return common;
}

v1::SignedRecord TestFederation::Sign(const google::protobuf::Message& predicate,
                                      const crypto::Ed25519KeyPair& key) const {
  // Types whose subject does not follow from the predicate take this one.
  std::vector<ledger::Subject> subjects;
  if (ledger::RecordTypeOf(predicate).rfind("staging-", 0) == 0) {
    subjects.push_back({"shard", shard_sha256});
  }
  auto statement = ledger::MakeStatement(predicate, subjects);
  INFO(statement.status());
  REQUIRE(statement.ok());
  return ledger::SignRecord(*std::move(statement), key);
}

std::uint64_t TestFederation::AppendBy(const crypto::Ed25519KeyPair& key,
                                       const google::protobuf::Message& predicate) {
  return log.Append(Sign(predicate, key));
}

OwnPublicKeys TestFederation::PublicKeys() const {
  return {.tls_spki = tls_key.spki(),
          .statement = statement_key.public_key(),
          .wrapping = wrapping_key.public_key()};
}

v1::EnrollResponse TestFederation::Answer() const {
  v1::EnrollResponse answer;
  answer.set_worker_id(TestId("w", 1));
  answer.set_certificate_pem(certificate_pem);
  answer.set_ca_certificate_pem(authority.certificate_pem());
  *answer.mutable_genesis() = log.Prove(0, log.size());
  *answer.mutable_enrolled() = log.Prove(enrolled_index, log.size());
  answer.set_head(log.Head());
  return answer;
}

Identity TestFederation::MakeIdentity() const {
  return EstablishIdentity(facts, PublicKeys(), Answer(), TestNow()).value();
}

v1::JobSubmitted TestFederation::Job() const {
  v1::JobSubmitted job;
  job.set_job_id(TestId("j", 1));
  job.set_submitter(TestId("u", 1));
  job.set_model_sha256(std::string(32, 'm'));
  v1::JobSpec* spec = job.mutable_spec();
  spec->set_job("digits");
  spec->mutable_trainer()->set_name("numpy");
  spec->mutable_trainer()->set_digest("sha256:" + HexEncode(trainer_digest));
  spec->mutable_local()->set_steps(5);
  spec->mutable_privacy()->set_mode(v1::PRIVACY_MODE_TRUSTED);
  spec->mutable_delta()->set_codec(v1::CODEC_FP32);
  spec->add_metrics("loss");
  job.set_spec_sha256(ToString(SpecDigest(*spec).value()));
  return job;
}

v1::RoundOpened TestFederation::Round() const {
  v1::RoundOpened opened;
  opened.set_job_id(TestId("j", 1));
  opened.set_round(1);
  opened.set_attempt(1);
  opened.set_model_sha256(std::string(32, 'm'));
  opened.mutable_model()->set_header_sha256(ToString(model_header.sha256));
  opened.mutable_model()->set_sealed_sha256(std::string(32, 's'));
  opened.mutable_model()->set_sealed_bytes(sealed_model_bytes);
  opened.mutable_model()->set_key_id(TestId("k", 1));
  opened.set_round_key_id(TestId("k", 2));
  opened.set_round_public_key(ToString(round_key.public_key()));
  opened.set_mode(v1::PRIVACY_MODE_TRUSTED);
  opened.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
  *opened.mutable_basis()->mutable_at() = ToTimestamp(TestNow());
  *opened.mutable_deadline() = ToTimestamp(TestNow() + absl::Minutes(10));
  v1::RoundMember* member = opened.add_members();
  member->set_worker_id(TestId("w", 1));
  member->add_shards("digits/sg");
  member->add_shard_sha256(ToString(shard_sha256));
  member->set_weight(480);
  AddFlow(member, v1::OPERATION_SEND_DELTA, "SG", "DE");
  *member->mutable_download() = TestTicket(1);
  *member->mutable_upload() = TestTicket(2);
  return opened;
}

v1::Task TestFederation::MakeTask(const v1::JobSubmitted& job, const v1::RoundOpened& round) {
  v1::UserEnrolled user;
  *user.mutable_common() = Common();
  user.set_user_id(TestId("u", 1));
  user.set_public_key(ToString(user_key.public_key()));
  user.add_roles("operator");
  const std::uint64_t user_index = AppendBy(coordinator_key, user);
  v1::JobSubmitted submitted = job;
  *submitted.mutable_common() = Common();
  const std::uint64_t job_index = AppendBy(user_key, submitted);
  v1::RoundOpened opened = round;
  *opened.mutable_common() = Common();
  const std::uint64_t round_index = AppendBy(coordinator_key, opened);
  v1::Task task;
  task.set_task_id("train/j/1/1");
  task.set_kind(v1::TASK_KIND_TRAIN);
  *task.mutable_opened() = log.Prove(round_index, log.size());
  *task.add_context() = log.Prove(job_index, log.size());
  *task.add_context() = log.Prove(user_index, log.size());
  task.set_artifact_header(model_header.bytes);
  task.mutable_key()->set_key_id(round.model().key_id());
  if (round.members_size() > 0) {
    *task.mutable_download() = round.members(0).download();
    *task.mutable_upload() = round.members(0).upload();
  }
  *task.mutable_deadline() = round.deadline();
  return task;
}

Site TestFederation::MakeSite() const {
  Site site;
  site.trainers["numpy"] = trainer_digest;
  site.trainers["softmax"] = Digest{9};
  site.shards["digits/sg"] = shard_sha256;
  return site;
}

}  // namespace carnet::worker
