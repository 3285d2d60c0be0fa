#include "small_federation.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/trust.h"

namespace carnet::testing_ledger {
namespace {

constexpr std::int64_t kStartSeconds = 1'790'000'000;

// A fixture that cannot be made is a bug of the test: say why and stop.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "small_federation: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return std::move(result).value();
}

void SetDigest(const Digest& digest, std::string* field) {
  *field = ToString(digest);
}

Digest CanonicalDigest(const google::protobuf::Message& message) {
  return crypto::Sha256(
      AsBytes(Must(CanonicalJson(Must(ParseJson(Must(MessageToJson(message))))))));
}

std::string WorkerId(int worker) {
  return worker == 1 ? "w-bbbbbbbbbbbbbbbb" : "w-cccccccccccccccc";
}

std::string Shard(int worker) {
  return absl::StrCat("digits/", worker);
}

}  // namespace

crypto::Ed25519KeyPair KeyOfSeed(std::uint8_t seed) {
  const Bytes bytes(crypto::kEd25519SeedBytes, seed);
  return Must(crypto::Ed25519KeyPair::FromSeed(crypto::SecretBytes::Copy(bytes)));
}

Digest DigestOf(const std::string& name) {
  return crypto::Sha256(AsBytes(name));
}

SmallFederation::SmallFederation(const std::filesystem::path& state_dir,
                                 const std::filesystem::path& head_file)
    : log_key_(KeyOfSeed(1)),
      coordinator_(KeyOfSeed(2)),
      user_(KeyOfSeed(3)),
      worker_1_(KeyOfSeed(4)),
      worker_2_(KeyOfSeed(5)),
      log_(Must(ledger::Log::Open(
          {.state_dir = state_dir, .head_file = head_file, .origin = kOrigin}, KeyOfSeed(1)))),
      model_(DigestOf("base model")),
      bundle_(DigestOf("{}")) {}

void SmallFederation::FillCommon(v1::Common& common) {
  ++counter_;
  common.set_nonce(ToString(DigestOf(absl::StrCat("nonce ", counter_))));
  common.mutable_at()->set_seconds(kStartSeconds + static_cast<std::int64_t>(counter_));
}

v1::SignedRecord SmallFederation::Sign(google::protobuf::Message& predicate, Signer signer,
                                       const std::vector<ledger::Subject>& subjects) {
  const google::protobuf::FieldDescriptor* field =
      predicate.GetDescriptor()->FindFieldByName("common");
  FillCommon(
      dynamic_cast<v1::Common&>(*predicate.GetReflection()->MutableMessage(&predicate, field)));
  if (tamper_) {
    tamper_(predicate, signer);
  }
  const crypto::Ed25519KeyPair* keys[] = {&coordinator_, &user_, &worker_1_, &worker_2_};
  return ledger::SignRecord(Must(ledger::MakeStatement(predicate, subjects)),
                            *keys[static_cast<int>(signer)]);
}

std::uint64_t SmallFederation::Append(google::protobuf::Message& predicate, Signer signer,
                                      const std::vector<ledger::Subject>& subjects) {
  return Must(log_->Append({Sign(predicate, signer, subjects)})).first_index;
}

v1::SignedRecord SmallFederation::Filler() {
  v1::EvidenceRecorded evidence;
  evidence.set_evidence_id("e-dddddddddddddddd");
  evidence.set_kind("tia");
  SetDigest(DigestOf("document"), evidence.mutable_document_sha256());
  return Sign(evidence, Signer::kCoordinator);
}

void SmallFederation::FoundLog() {
  v1::Genesis genesis;
  genesis.set_federation("test");
  genesis.set_home_jurisdiction("DE");
  genesis.set_organisation("acme");
  genesis.set_origin(kOrigin);
  genesis.set_log_vkey(log_->key().Vkey());
  genesis.set_statement_public_key(ToString(coordinator_.public_key()));
  genesis.set_bundle_json("{}");
  SetDigest(bundle_, genesis.mutable_bundle_sha256());
  genesis.set_bundle_revision(1);
  Append(genesis, Signer::kCoordinator);
}

void SmallFederation::Found() {
  FoundLog();
  v1::UserEnrolled user;
  user.set_user_id("u-eeeeeeeeeeeeeeee");
  user.set_public_key(ToString(user_.public_key()));
  user.add_roles("member");
  Append(user, Signer::kCoordinator);

  for (const int worker : {1, 2}) {
    v1::WorkerEnrolled enrolled;
    enrolled.set_worker_id(WorkerId(worker));
    enrolled.set_region(worker == 1 ? "sg" : "fr");
    enrolled.set_supplier("lion");
    SetDigest(DigestOf(absl::StrCat("tls ", worker)), enrolled.mutable_tls_spki_sha256());
    enrolled.set_statement_public_key(ToString((worker == 1 ? worker_1_ : worker_2_).public_key()));
    enrolled.set_wrapping_public_key(ToString(DigestOf(absl::StrCat("wrapping ", worker))));
    Append(enrolled, Signer::kCoordinator);
  }

  v1::JobSubmitted job;
  job.set_job_id(job_id_);
  job.mutable_spec()->set_job("digits");
  job.mutable_spec()->mutable_rounds()->set_count(3);
  SetDigest(CanonicalDigest(job.spec()), job.mutable_spec_sha256());
  SetDigest(model_, job.mutable_model_sha256());
  job.set_submitter("u-eeeeeeeeeeeeeeee");
  Append(job, Signer::kUser);
}

void SmallFederation::Contribute(std::uint64_t opened, int worker,
                                 std::vector<std::uint64_t>& indexes) {
  v1::Contribution contribution;
  contribution.set_job_id(job_id_);
  contribution.set_round(round_);
  contribution.set_attempt(1);
  contribution.set_round_opened_index(opened);
  contribution.set_worker_id(WorkerId(worker));
  contribution.set_region(worker == 1 ? "sg" : "fr");
  contribution.set_supplier("lion");
  contribution.add_shard_sha256(ToString(DigestOf(Shard(worker))));
  SetDigest(model_, contribution.mutable_base_model_sha256());
  SetDigest(DigestOf(absl::StrCat("delta ", round_, worker)), contribution.mutable_sealed_sha256());
  contribution.set_examples(480);
  contribution.set_seconds(1.25);
  (*contribution.mutable_metrics())["loss"] = 0.1 + 0.2;
  const ledger::SignedHead head = log_->Head();
  contribution.mutable_seen()->set_origin(kOrigin);
  contribution.mutable_seen()->set_size(head.head.size);
  SetDigest(head.head.root, contribution.mutable_seen()->mutable_root());
  indexes.push_back(Append(contribution, worker == 1 ? Signer::kWorker1 : Signer::kWorker2));
}

std::uint64_t SmallFederation::Open(const v1::DecisionBasis& basis) {
  v1::RoundOpened opened;
  opened.set_job_id(job_id_);
  opened.set_round(round_);
  opened.set_attempt(1);
  SetDigest(model_, opened.mutable_model_sha256());
  *opened.mutable_basis() = basis;
  for (const int worker : {1, 2}) {
    v1::RoundMember& member = *opened.add_members();
    member.set_worker_id(WorkerId(worker));
    member.add_shards(Shard(worker));
    member.add_shard_sha256(ToString(DigestOf(Shard(worker))));
    member.set_weight(480);
  }
  return Append(opened, Signer::kCoordinator);
}

void SmallFederation::Reject(int worker) {
  v1::ContributionRejected rejected;
  rejected.set_job_id(job_id_);
  rejected.set_round(round_);
  rejected.set_attempt(1);
  rejected.set_worker_id(WorkerId(worker));
  rejected.set_reason("storage-fault");
  SetDigest(DigestOf(absl::StrCat("delta ", round_, worker)), rejected.mutable_sealed_sha256());
  Append(rejected, Signer::kCoordinator);
}

void SmallFederation::Round(Loss loss) {
  ++round_;
  v1::DecisionBasis basis;
  SetDigest(bundle_, basis.mutable_bundle_sha256());
  basis.set_revision(revision_);
  const std::uint64_t opened = Open(basis);
  std::vector<std::uint64_t> contributions;
  Contribute(opened, 1, contributions);
  Contribute(opened, 2, contributions);

  v1::RoundClosed closed;
  closed.set_job_id(job_id_);
  closed.set_round(round_);
  closed.set_attempt(1);
  *closed.mutable_basis() = basis;
  v1::Aggregate aggregate;
  for (std::size_t i = 0; i < contributions.size(); ++i) {
    v1::Included& included = *closed.add_included();
    included.set_worker_id(WorkerId(static_cast<int>(i) + 1));
    included.set_index(contributions[i]);
    if (i == 0 || loss == Loss::kNone) {
      aggregate.add_included(contributions[i]);
      aggregate.add_weights(480);
    }
  }
  Append(closed, Signer::kCoordinator, {{.name = "model", .sha256 = model_}});
  if (loss == Loss::kSecondAfterClose) {
    Reject(2);
  }
  aggregate.set_job_id(job_id_);
  aggregate.set_round(round_);
  aggregate.set_attempt(1);
  SetDigest(model_, aggregate.mutable_base_model_sha256());
  model_ = DigestOf(absl::StrCat("model ", round_));
  SetDigest(model_, aggregate.mutable_model_sha256());
  Append(aggregate, Signer::kCoordinator);
}

std::uint64_t SmallFederation::RotateStatementKey(std::uint8_t seed) {
  crypto::Ed25519KeyPair fresh = KeyOfSeed(seed);
  v1::KeyRotated rotated;
  rotated.set_kind("statement");
  rotated.set_key_id("k-aaaaaaaaaaaaaaaa");
  rotated.set_old_public_key(ToString(coordinator_.public_key()));
  rotated.set_new_public_key(ToString(fresh.public_key()));
  rotated.set_new_key_signature(ToString(fresh.Sign(AsBytes(absl::StrCat(
      "carnet/key-rotated/v1\nstatement\n", kOrigin, "\n", Base64Encode(coordinator_.public_key()),
      "\n", Base64Encode(fresh.public_key()), "\n")))));
  const std::uint64_t index = Append(rotated, Signer::kCoordinator);
  coordinator_ = std::move(fresh);
  return index;
}

std::uint64_t SmallFederation::ActivatePolicies(const std::string& name) {
  v1::PolicyActivated activated;
  SetDigest(bundle_, activated.mutable_parent_sha256());
  bundle_ = DigestOf(name);
  SetDigest(bundle_, activated.mutable_bundle_sha256());
  activated.set_revision(++revision_);
  return Append(activated, Signer::kCoordinator);
}

Digest SmallFederation::SpecDigest(const v1::JobSpec& spec) {
  return CanonicalDigest(spec);
}

ledger::ManifestOrder SmallFederation::Order() const {
  ledger::ManifestOrder order{.job_id = job_id_, .model_sha256 = model_, .indexes = {}};
  for (std::uint64_t index = 0; index < log_->Size(); ++index) {
    order.indexes.push_back(index);
  }
  return order;
}

std::string SmallFederation::PolicyText() const {
  const v1::SignedRecord first = Must(log_->ReadRecord(0));
  return ledger::TrustPolicyText(log_->key(), Must(ledger::OpenRecord(first)).leaf_hash);
}

ledger::verifier::TrustPolicy SmallFederation::Policy() const {
  return Must(ledger::verifier::ParseTrustPolicy(PolicyText()));
}

}  // namespace carnet::testing_ledger
