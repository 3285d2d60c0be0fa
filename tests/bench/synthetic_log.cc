#include "tests/bench/synthetic_log.h"

#include <stdlib.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/status.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/init.h"
#include "coordinator/state_dir.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "ledger/record.h"

namespace carnet::bench {
namespace {

constexpr char kFederation[] = R"(federation: bench
home: {jurisdiction: DE, organisation: acme}
trust_domain: bench.acme.example
)";
constexpr char kJobId[] = "j-aaaaaaaaaaaaaaaa";
constexpr std::size_t kWorkers = 100;
constexpr std::int64_t kStartSeconds = 1'790'000'000;

std::string WorkerId(std::size_t worker) {
  return absl::StrFormat("w-aaaaaaaaaaaaa%03d", worker);
}

absl::StatusOr<crypto::Ed25519KeyPair> ReadKey(const std::filesystem::path& state_dir,
                                               const char* id) {
  const coordinator::StateDir dir{state_dir};
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys, crypto::KeyFiles::Open(dir.keys().string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed, keys.Read(id, crypto::KeyKind::kEd25519));
  return crypto::Ed25519KeyPair::FromSeed(seed);
}

}  // namespace

absl::StatusOr<SyntheticLog> SyntheticLog::Found(const std::filesystem::path& where) {
  std::string pattern = (where / "carnet-bench-log-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("bench: no directory could be made in ", where.string()));
  }
  const std::filesystem::path directory = pattern;
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(directory / "federation.yaml", AsBytes(kFederation)));
  SystemClock clock;
  SystemRng rng;
  coordinator::InitOptions options;
  options.federation_file = directory / "federation.yaml";
  options.state_dir = directory / "state";
  CARNET_RETURN_IF_ERROR(coordinator::InitFederation(options, clock, rng));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair key,
                          ReadKey(options.state_dir, coordinator::kStatementKeyId));
  return SyntheticLog(directory, std::move(key));
}

SyntheticLog::SyntheticLog(SyntheticLog&& other) noexcept = default;

SyntheticLog::~SyntheticLog() {
  if (!directory_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
}

absl::StatusOr<std::unique_ptr<ledger::Log>> SyntheticLog::Open() const {
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair key, ReadKey(state_dir(), coordinator::kLogKeyId));
  CARNET_ASSIGN_OR_RETURN(const auto view, ledger::LogView::OpenReadOnly(state_dir()));
  return ledger::Log::Open({.state_dir = state_dir(), .head_file = {}, .origin = view->key().name},
                           std::move(key));
}

Digest SyntheticLog::Fresh() {
  return crypto::Sha256(AsBytes(absl::StrCat("bench ", ++drawn_)));
}

void SyntheticLog::FillCommon(v1::Common* common) {
  common->set_nonce(ToString(Fresh()));
  common->mutable_at()->set_seconds(kStartSeconds + static_cast<std::int64_t>(drawn_ / 1000));
}

std::unique_ptr<google::protobuf::Message> SyntheticLog::Next(std::uint64_t size) {
  if (!submitted_) {
    submitted_ = true;
    auto job = std::make_unique<v1::JobSubmitted>();
    FillCommon(job->mutable_common());
    job->set_job_id(kJobId);
    job->mutable_spec()->set_job("bench");
    job->mutable_spec()->mutable_rounds()->set_count(coordinator::kRoundsMax);
    job->set_spec_sha256(ToString(*coordinator::JobSpecDigest(job->spec())));
    model_ = Fresh();
    job->set_model_sha256(ToString(model_));
    job->set_submitter("u-aaaaaaaaaaaaaaaa");
    return job;
  }
  const std::size_t step = step_++;
  if (step == 0) {
    opened_index_ = size;
    return OpenRound();
  }
  if (step <= kWorkers) {
    return Contribute(size);
  }
  if (step == kWorkers + 1) {
    return CloseRound();
  }
  step_ = 0;
  return PublishAggregate();
}

std::unique_ptr<google::protobuf::Message> SyntheticLog::OpenRound() {
  auto round = std::make_unique<v1::RoundOpened>();
  FillCommon(round->mutable_common());
  round->set_job_id(kJobId);
  round->set_round(++round_);
  round->set_attempt(1);
  round->set_model_sha256(ToString(model_));
  round->mutable_model()->set_header_sha256(ToString(Fresh()));
  round->mutable_model()->set_sealed_sha256(ToString(Fresh()));
  round->mutable_model()->set_sealed_bytes(100'000'000);
  round->set_round_key_id("k-aaaaaaaaaaaaaaaa");
  round->set_round_public_key(ToString(Fresh()));
  round->mutable_deadline()->set_seconds(kStartSeconds + 1'000'000);
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    v1::RoundMember* member = round->add_members();
    member->set_worker_id(WorkerId(worker));
    member->add_shards(absl::StrCat("digits/", worker));
    member->add_shard_sha256(ToString(model_));
    member->set_weight(100);
  }
  contributions_.clear();
  return round;
}

std::unique_ptr<google::protobuf::Message> SyntheticLog::Contribute(std::uint64_t size) {
  auto record = std::make_unique<v1::Contribution>();
  FillCommon(record->mutable_common());
  record->set_job_id(kJobId);
  record->set_round(round_);
  record->set_attempt(1);
  record->set_round_opened_index(opened_index_);
  record->set_worker_id(WorkerId(contributions_.size()));
  record->set_region("sg");
  record->set_supplier("lion");
  record->add_shard_sha256(ToString(model_));
  record->set_base_model_sha256(ToString(model_));
  record->set_header_sha256(ToString(Fresh()));
  record->set_sealed_sha256(ToString(Fresh()));
  record->set_sealed_bytes(100'000'000);
  record->set_steps(100);
  record->set_examples(3200);
  record->set_seconds(61.25);
  (*record->mutable_metrics())["loss"] = 0.5;
  record->set_trainer_digest(ToString(model_));
  record->mutable_seen()->set_origin("bench.acme.example/log");
  record->mutable_seen()->set_size(opened_index_ + 1);
  record->mutable_seen()->set_root(ToString(Fresh()));
  contributions_.push_back(size);
  return record;
}

std::unique_ptr<google::protobuf::Message> SyntheticLog::CloseRound() {
  auto record = std::make_unique<v1::RoundClosed>();
  FillCommon(record->mutable_common());
  record->set_job_id(kJobId);
  record->set_round(round_);
  record->set_attempt(1);
  for (std::size_t worker = 0; worker < contributions_.size(); ++worker) {
    v1::Included* included = record->add_included();
    included->set_worker_id(WorkerId(worker));
    included->set_index(contributions_[worker]);
  }
  return record;
}

std::unique_ptr<google::protobuf::Message> SyntheticLog::PublishAggregate() {
  auto record = std::make_unique<v1::Aggregate>();
  FillCommon(record->mutable_common());
  record->set_job_id(kJobId);
  record->set_round(round_);
  record->set_attempt(1);
  record->set_base_model_sha256(ToString(model_));
  model_ = Fresh();
  record->set_model_sha256(ToString(model_));
  record->set_model_bytes(100'000'000);
  for (const std::uint64_t index : contributions_) {
    record->add_included(index);
    record->add_weights(100);
  }
  record->set_strategy("mean/examples/fp32");
  record->set_optimizer("none");
  return record;
}

absl::StatusOr<v1::SignedRecord> SyntheticLog::Sign(const google::protobuf::Message& record) const {
  std::vector<ledger::Subject> subjects;
  if (record.GetDescriptor() == v1::RoundClosed::descriptor()) {
    subjects = {{.name = "base model", .sha256 = model_}};
  }
  CARNET_ASSIGN_OR_RETURN(const std::string statement, ledger::MakeStatement(record, subjects));
  return ledger::SignRecord(statement, statement_key_);
}

absl::StatusOr<std::vector<v1::SignedRecord>> SyntheticLog::Signed(std::uint64_t first,
                                                                   std::size_t count) {
  std::vector<v1::SignedRecord> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    CARNET_ASSIGN_OR_RETURN(records.emplace_back(), Sign(*Next(first + i)));
  }
  return records;
}

}  // namespace carnet::bench
