#include "scenario/world.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/retained.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "ledger/note.h"
#include "policies/loader.h"
#include "tests/testing/source_dir.h"

namespace carnet::coordinator {
namespace {

struct Place {
  const char* region;
  const char* jurisdiction;
  const char* supplier;
  v1::LocationGrade grade;
};
constexpr Place kPlaces[] = {{"ae", "AE", "falcon", v1::LOCATION_GRADE_CONTRACT},
                             {"br", "BR", "condor", v1::LOCATION_GRADE_CLAIMED},
                             {"fr", "FR", "gaul", v1::LOCATION_GRADE_CONTRACT},
                             {"sg", "SG", "lion", v1::LOCATION_GRADE_CONTRACT}};

crypto::Ed25519KeyPair KeyFrom(std::uint64_t seed, std::uint8_t tag) {
  crypto::SecretBytes bytes(32);
  for (std::size_t i = 0; i < 8; ++i) {
    bytes.Mutable()[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  }
  bytes.Mutable()[8] = tag;
  return *crypto::Ed25519KeyPair::FromSeed(bytes);
}

Bytes DigestOf(const std::string& text) {
  const Digest digest = crypto::Sha256(AsBytes(text));
  return Bytes(digest.begin(), digest.end());
}

// The demo's bundle and `more` policies, issued at `now`.
std::shared_ptr<const policies::Bundle> DemoBundle(absl::Time now,
                                                   const std::vector<std::string>& more) {
  policies::LoadOptions options;
  options.home = "DE";
  std::vector<policies::SourceFile> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::InTree("examples/digits/policies"))) {
    if (entry.path().extension() == ".yaml") {
      std::ifstream file(entry.path());
      files.push_back({entry.path().filename(), std::string(std::istreambuf_iterator<char>(file),
                                                            std::istreambuf_iterator<char>())});
    }
  }
  for (const std::string& text : more) {
    files.push_back({absl::StrCat("more-", files.size()), text});
  }
  const auto loaded = policies::BundleFromFiles(files, options);
  INFO(loaded.status().ToString());
  REQUIRE(loaded.ok());
  policies::BundleHead head;
  head.revision = 1;
  head.valid_from = now;
  head.valid_to = now + absl::Hours(24 * 60);
  const auto bundle = policies::IssueBundle(**loaded, head);
  REQUIRE(bundle.ok());
  return *bundle;
}

// "test CA", signed by itself; nothing is issued by it. Made with `openssl req -x509`, so that the
// world of a seed is the same each time.
constexpr char kAuthorityPem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbTCCAROgAwIBAgIUGe0svBOnToqEJJTG/YYgs/bjiNswCgYIKoZIzj0EAwIw\n"
    "EjEQMA4GA1UEAwwHdGVzdCBDQTAgFw0yNjExMjExODMxMTJaGA8yMTI2MTAyODE4\n"
    "MzExMlowEjEQMA4GA1UEAwwHdGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABPeQEaxq8ZaLDFprudmbrR8+SW6CMmh88VfVl6ohtDUWogMDj//RNP1wDMFB\n"
    "B/TUK8rjrehrROQVISkqV34kwyWjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYD\n"
    "VR0PAQH/BAQDAgEGMB0GA1UdDgQWBBTAxSR89mhgs2NTsAyNGz1LKu7O3zAKBggq\n"
    "hkjOPQQDAgNIADBFAiBOSU9GztJmWnfa75vNCcqrbImEj+SGaPXOgzTlsMNzUgIh\n"
    "APA40QocpyQlZrSCfdHp5WF7rV17sqzA4rqHMuooIjI0\n"
    "-----END CERTIFICATE-----\n";

v1::DatasetRegistered GoldenData() {
  v1::DatasetRegistered golden;
  golden.set_dataset("golden");
  v1::ShardRegistration* shard = golden.add_shards();
  shard->set_shard("home");
  shard->mutable_labels()->add_subjects_in("DE");
  shard->mutable_labels()->add_categories("personal");
  shard->set_stored_in("home");
  shard->set_rows(50);
  return golden;
}

}  // namespace

World::World(std::uint64_t seed, const std::vector<std::string>& policies)
    : seed_(seed),
      now_(absl::FromUnixSeconds(1795000000)),
      statement_key_(KeyFrom(seed, 1)),
      user_key_(KeyFrom(seed, 2)) {
  Found(policies);
}

Bytes World::Random(std::size_t size_bytes) {
  const Bytes bytes = DigestOf(absl::StrCat("random ", seed_, " ", draws_++));
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size_bytes));
}

void World::FillCommon(v1::Common* common) {
  common->set_nonce(ToString(Random(32)));
  *common->mutable_at() = ToTimestamp(now_);
}

void World::Forge(const ledger::Predicate& predicate, const crypto::Ed25519KeyPair& key,
                  const std::vector<ledger::Subject>& subjects) {
  const absl::StatusOr<std::string> statement =
      ledger::MakeStatement(predicate.message(), subjects);
  INFO(statement.status().ToString());
  REQUIRE(statement.ok());
  signed_log_.push_back(ledger::SignRecord(*statement, key));
}

void World::Store(ledger::Predicate predicate, const std::vector<ledger::Subject>& subjects) {
  if (doctor_) {
    doctor_(predicate);
  }
  const absl::StatusOr<std::string> statement =
      ledger::MakeStatement(predicate.message(), subjects);
  INFO(statement.status().ToString());
  REQUIRE(statement.ok());
  signed_log_.push_back(ledger::SignRecord(*statement, statement_key_));
  const absl::StatusOr<ledger::Record> record = ledger::OpenRecord(signed_log_.back());
  INFO(record.status().ToString());
  REQUIRE(record.ok());
  const absl::Status applied = Apply(state_, state_.size, record->predicate);
  INFO(applied.ToString());
  REQUIRE(applied.ok());
  log_.push_back(*record);
}

void World::Found(const std::vector<std::string>& policies) {
  const auto store = [&](auto message) {
    FillCommon(message.mutable_common());
    Store(message, {});
  };
  const std::shared_ptr<const policies::Bundle> bundle = DemoBundle(now_, policies);
  v1::Genesis genesis;
  genesis.set_federation("test");
  genesis.set_home_jurisdiction("DE");
  genesis.set_organisation("acme");
  genesis.set_trust_domain("test.acme.example");
  genesis.set_origin("test.acme.example/log");
  genesis.set_log_vkey(
      ledger::NoteKey{"test.acme.example/log", statement_key_.public_key()}.Vkey());
  genesis.set_statement_public_key(ToString(statement_key_.public_key()));
  genesis.set_ca_certificate_pem(kAuthorityPem);
  genesis.set_ca_spki_sha256(
      ToString(crypto::ParseCertificatePem(genesis.ca_certificate_pem())->spki_sha256));
  genesis.set_bundle_json(bundle->CanonicalJson());
  genesis.set_bundle_sha256(ToString(bundle->sha256()));
  genesis.set_bundle_revision(1);
  store(genesis);
  v1::UserEnrolled user;
  user.set_user_id(kOperator);
  user.set_public_key(ToString(user_key_.public_key()));
  user.set_jurisdiction("DE");
  user.set_organisation("acme");
  for (const char* role :
       {"admin", "operator", "member", "dpo", "legal", "compliance", "data-steward"}) {
    user.add_roles(role);
  }
  store(user);
  v1::DatasetRegistered digits;
  digits.set_dataset("digits");
  for (const Place& place : kPlaces) {
    v1::SupplierRegistered supplier;
    supplier.set_supplier(place.supplier);
    supplier.mutable_terms()->set_organised_in(place.jurisdiction);
    supplier.mutable_terms()->set_principal_place(place.jurisdiction);
    supplier.mutable_terms()->add_certifications("none");
    SignRecord(&supplier, "compliance");
    store(supplier);
    v1::RegionRegistered region;
    region.set_region(place.region);
    region.mutable_terms()->add_jurisdictions(place.jurisdiction);
    region.mutable_terms()->set_supplier(place.supplier);
    region.mutable_terms()->set_location_evidence(place.grade);
    SignRecord(&region, "compliance");
    store(region);
    v1::ShardRegistration* shard = digits.add_shards();
    shard->set_shard(place.region);
    shard->mutable_labels()->add_subjects_in(place.jurisdiction);
    shard->mutable_labels()->add_categories("personal");
    shard->set_stored_in(place.region);
    shard->set_rows(100);
  }
  SignRecord(&digits, "data-steward");
  store(digits);
  v1::DatasetRegistered golden = GoldenData();
  SignRecord(&golden, "data-steward");
  store(golden);
  for (const Place& place : kPlaces) {
    Enroll(absl::StrCat(place.region, "-1"), place.region);
  }
  Enroll("home-1", "home");
}

void World::Enroll(const std::string& slot, const std::string& region) {
  const Bytes token = DigestOf("token " + slot);
  REQUIRE(Do(InviteWorker{kOperator, token, region, slot, now_ + absl::Hours(1)}).ok());
  const crypto::Ed25519KeyPair key =
      KeyFrom(seed_, static_cast<std::uint8_t>(10 + workers_.size()));
  EnrollWorker enroll;
  enroll.token_sha256 = token;
  enroll.spiffe_id = absl::StrCat("spiffe://test.acme.example/region/", region, "/supplier/",
                                  state_.OperatorOf(region), "/worker/", slot);
  enroll.tls_spki_sha256 = DigestOf("tls " + slot);
  enroll.statement_public_key.assign(key.public_key().begin(), key.public_key().end());
  enroll.wrapping_public_key = DigestOf("wrapping " + slot);
  enroll.statement.set_trainer_isolated(true);
  const auto enrolled = Do(enroll);
  INFO(enrolled.status().ToString());
  REQUIRE(enrolled.ok());
  const std::string id = At<v1::WorkerEnrolled>(*enrolled->answer_index).worker_id();
  workers_.emplace_back(
      slot,
      TestWorker{id, region, KeyFrom(seed_, static_cast<std::uint8_t>(10 + workers_.size()))});
  v1::ShardClaim claim;
  claim.set_dataset(region == "home" ? "golden" : "digits");
  claim.set_shard(region);
  claim.set_sha256(ToString(DigestOf("shard " + region)));
  REQUIRE(Do(ClaimShards{id, {claim}}).ok());
  live.insert(id);
}

const TestWorker& World::worker(const std::string& slot) const {
  for (const auto& [name, worker] : workers_) {
    if (name == slot) {
      return worker;
    }
  }
  FAIL("no worker " << slot);
  return workers_.front().second;
}

std::vector<std::uint64_t> World::Find(const std::string& type) const {
  std::vector<std::uint64_t> indexes;
  for (std::uint64_t i = 0; i < log_.size(); ++i) {
    if (log_[i].type == type) {
      indexes.push_back(i);
    }
  }
  return indexes;
}

absl::StatusOr<Decided> World::Do(CommandBody body, const std::string& request_id) {
  SignIfUnsigned(&body);
  Command command{std::move(body), std::max(now_, state_.last), request_id, Random(32)};
  command.may_ask = bridge != nullptr;
  absl::StatusOr<Decided> decided = Decide(state_, command);
  if (decided.ok() && !decided->questions.empty()) {
    for (const std::string& input : decided->questions) {
      REQUIRE(Do(bridge(input)).ok());
    }
    command.may_ask = false;
    command.entropy = Random(32);
    decided = Decide(state_, command);
  }
  if (!decided.ok()) {
    return decided;
  }
  for (const NewRecord& record : decided->records) {
    if (record.signed_record.has_value()) {
      const absl::StatusOr<ledger::Record> opened = ledger::OpenRecord(*record.signed_record);
      INFO(opened.status().ToString());
      REQUIRE(opened.ok());
      REQUIRE(Apply(state_, state_.size, opened->predicate).ok());
      log_.push_back(*opened);
      signed_log_.push_back(*record.signed_record);
    } else {
      Store(record.predicate, record.subjects);
    }
  }
  return decided;
}

Agenda World::Look() const {
  Running running;
  running.live = live;
  running.effects = swept_;
  running.bridge = bridge != nullptr;
  running.bridge_engine = bridge_engine;
  return Reconcile(state_, running, std::max(now_, state_.last));
}

Agenda World::Settle() {
  for (int step = 0; step < 100; ++step) {
    Agenda agenda = Look();
    if (agenda.start.empty()) {
      return agenda;
    }
    for (Effect& effect : agenda.start) {
      CommandBody next = RunCommand{}.body;
      if (auto* run = std::get_if<RunCommand>(&effect.body); run != nullptr) {
        next = run->body;
      } else if (auto* prepare = std::get_if<PrepareRound>(&effect.body); prepare != nullptr) {
        OpenRound open{prepare->job_id,
                       prepare->round,
                       prepare->attempt,
                       "k-" + HexEncode(Random(8)),
                       Random(32),
                       {},
                       live};
        open.model.set_key_id("k-" + HexEncode(Random(8)));
        open.model.set_header_sha256(ToString(Random(32)));
        open.model.set_sealed_sha256(ToString(Random(32)));
        open.model.set_sealed_bytes(1000);
        next = open;
      } else if (auto* evaluation = std::get_if<PrepareEvaluation>(&effect.body);
                 evaluation != nullptr) {
        OpenEvaluation open{evaluation->job_id, evaluation->round, evaluation->attempt, {}, live};
        open.model.set_key_id("k-" + HexEncode(Random(8)));
        open.model.set_header_sha256(ToString(Random(32)));
        open.model.set_sealed_sha256(ToString(Random(32)));
        open.model.set_sealed_bytes(1000);
        next = open;
      } else if (auto* aggregate = std::get_if<AggregateRound>(&effect.body);
                 aggregate != nullptr) {
        const Round& round = *state_.jobs.at(aggregate->job_id).round;
        if (const auto due = RetentionDue(state_, round); due.ok() && due->has_value()) {
          next = RetainKey{aggregate->job_id, round.opened.round_key_id(), (*due)->person,
                           Random(32), Bytes(48, 7)};
        } else {
          next = RecordAggregate{
              aggregate->job_id, aggregate->round, aggregate->attempt, Random(32), 1000, {}};
        }
      } else if (auto* destroy = std::get_if<DestroyKeys>(&effect.body); destroy != nullptr) {
        if (destroy->key_ids.empty()) {
          swept_.insert(effect.key);
          continue;
        }
        next = KeysDestroyed{destroy->key_ids};
      } else if (auto* erase = std::get_if<DestroyValue>(&effect.body); erase != nullptr) {
        next = ValueErased{erase->vault_id};
      } else if (auto* ask = std::get_if<AskBridge>(&effect.body); ask != nullptr) {
        next = bridge(ask->input);
      }
      const auto done = Do(next);
      INFO(effect.key << ": " << done.status().ToString());
      REQUIRE(done.ok());
    }
  }
  FAIL("Reconcile never comes to rest");
  return {};
}

void World::AddEvidence(const std::string& kind, const std::string& supplier,
                        const std::string& to) {
  v1::AddEvidenceRequest evidence;
  evidence.set_kind(kind);
  evidence.set_recipient(supplier);
  evidence.add_destinations(to);
  *evidence.mutable_valid_from() = ToTimestamp(now_ - absl::Hours(1));
  *evidence.mutable_valid_to() = ToTimestamp(now_ + absl::Hours(24 * 365));
  evidence.set_document_sha256(ToString(DigestOf(kind + supplier)));
  const auto added = Do(coordinator::AddEvidence{kOperator, evidence});
  INFO(added.status().ToString());
  REQUIRE(added.ok());
}

void World::AddShard(const std::string& shard, const std::string& code, std::uint64_t people,
                     const std::string& slot) {
  v1::DatasetRegistered dataset;
  dataset.set_dataset("digits");
  dataset.mutable_common()->set_nonce(ToString(Random(32)));
  *dataset.mutable_common()->mutable_at() = ToTimestamp(now_);
  v1::ShardRegistration* terms = dataset.add_shards();
  terms->set_shard(shard);
  terms->mutable_labels()->add_subjects_in(code);
  terms->mutable_labels()->add_categories("personal");
  (*terms->mutable_labels()->mutable_people())[code + ".personal"] = people;
  terms->set_stored_in(worker(slot).region);
  terms->set_rows(10);
  SignRecord(&dataset, "data-steward");
  Store(dataset, {});
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard(shard);
  claim.set_sha256(ToString(DigestOf("shard " + shard)));
  REQUIRE(Do(ClaimShards{worker(slot).id, {claim}}).ok());
}

std::string World::Submit(std::uint32_t rounds, std::uint32_t min, bool evaluate) {
  v1::JobSpec spec;
  spec.set_job("digits");
  spec.set_purpose("digit-recognition");
  spec.mutable_model()->set_file("base.safetensors");
  spec.mutable_model()->set_sha256(HexEncode(DigestOf("base model")));
  spec.add_data("digits/*");
  spec.mutable_trainer()->set_name("softmax");
  spec.mutable_local()->set_steps(1);
  spec.mutable_rounds()->set_count(rounds);
  spec.mutable_rounds()->mutable_cohort()->set_min(min);
  spec.mutable_rounds()->mutable_cohort()->set_target(4);
  spec.add_metrics("loss");
  if (evaluate) {
    spec.mutable_evaluate()->set_data("golden");
  }
  SubmitJob submit;
  submit.user_id = kOperator;
  submit.model_stored = true;
  v1::JobSubmitted& record = submit.submitted;
  record.mutable_common()->set_nonce(ToString(Random(32)));
  *record.mutable_common()->mutable_at() = ToTimestamp(now_);
  record.set_job_id("j-" + std::string("aaaaaaaaaaaaaaa") +
                    static_cast<char>('a' + state_.jobs.size()));
  *record.mutable_spec() = WithDefaults(spec);
  record.set_spec_sha256(ToString(*JobSpecDigest(record.spec())));
  record.set_model_sha256(ToString(DigestOf("base model")));
  record.set_submitter(kOperator);
  submit.record = ledger::SignRecord(*ledger::MakeStatement(record), user_key_);
  const auto submitted = Do(submit);
  INFO(submitted.status().ToString());
  REQUIRE(submitted.ok());
  return record.job_id();
}

SubmitContribution World::Contribute(const std::string& job, const std::string& slot,
                                     const std::string& delta) {
  const Round& round = *state_.jobs.at(job).round;
  const TestWorker& from = worker(slot);
  const Worker& enrolled = state_.workers.at(from.id);
  SubmitContribution command;
  command.worker_id = from.id;
  v1::Contribution& record = command.contribution;
  record.mutable_common()->set_nonce(ToString(Random(32)));
  *record.mutable_common()->mutable_at() = ToTimestamp(now_);
  record.set_job_id(job);
  record.set_round(round.opened.round());
  record.set_attempt(round.opened.attempt());
  record.set_round_opened_index(round.opened_index);
  record.set_worker_id(from.id);
  record.set_region(enrolled.terms.region());
  record.set_supplier(enrolled.terms.supplier());
  for (const v1::RoundMember& member : round.opened.members()) {
    if (member.worker_id() == from.id) {
      *record.mutable_shard_sha256() = member.shard_sha256();
    }
  }
  record.set_base_model_sha256(round.opened.model_sha256());
  record.set_header_sha256(ToString(DigestOf("header " + delta + slot)));
  record.set_sealed_sha256(ToString(DigestOf(delta + slot + std::to_string(round.opened_index))));
  record.set_sealed_bytes(500);
  record.set_steps(1);
  record.set_examples(100);
  (*record.mutable_metrics())["loss"] = 0.5;
  record.set_trainer_digest(ToString(DigestOf("trainer")));
  record.mutable_seen()->set_origin("test.acme.example/log");
  record.mutable_seen()->set_size(Tree().size());
  record.mutable_seen()->set_root(ToString(Tree().Root()));
  command.record = ledger::SignRecord(*ledger::MakeStatement(record), from.key);
  command.signed_by_worker = true;
  command.seen_in_log = true;
  return command;
}

void World::ContributeAll(const std::string& job) {
  const auto members = state_.jobs.at(job).round->opened.members();
  for (const auto& [slot, worker] : workers_) {
    if (std::any_of(members.begin(), members.end(),
                    [&id = worker.id](const v1::RoundMember& member) {
                      return member.worker_id() == id;
                    })) {
      const auto done = Do(Contribute(job, slot));
      INFO(done.status().ToString());
      REQUIRE(done.ok());
    }
  }
}

const ledger::verifier::RootBuilder& World::Tree() const {
  while (tree_.size() < log_.size()) {
    tree_.Add(log_[tree_.size()].leaf_hash);
  }
  return tree_;
}

State World::Refold() const {
  State state;
  for (const ledger::Record& record : log_) {
    REQUIRE(Apply(state, state.size, record.predicate).ok());
  }
  return state;
}

}  // namespace carnet::coordinator
