// A worker that breaks the rules, for rejection_test.py: it enrols as every worker does, and then
// sends in each round what its mode says. It trains nothing: its delta is one small number
// everywhere.
//
//   hostile_worker --join TOKEN --state DIR --data DATASET/SHARD=PATH --model BASE.safetensors
//   --mode MODE
//                  [--other-keys DIR] [--other-delta FILE]
//
// One JSON line on stdout for each step: {"round":1,"step":"upload","code":"OK","message":""}.
#include <poll.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "carnet/v1/federation.pb.h"
#include "carnet/v1/records.pb.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "exchange/artifact.h"
#include "exchange/data_digest.h"
#include "exchange/expected.h"
#include "exchange/instance.h"
#include "exchange/sealing.h"
#include "exchange/spool.h"
#include "ledger/record.h"
#include "ledger/verifier/heads.h"
#include "model/codec.h"
#include "model/safetensors.h"
#include "nlohmann/json.hpp"
#include "worker/coordinator_client.h"
#include "worker/enrol.h"
#include "worker/rpc/grpc_client.h"
#include "worker/settings.h"
#include "worker/state_dir.h"

namespace carnet {
namespace {

namespace fs = std::filesystem;

constexpr float kOrdinary = 0.0001F;
constexpr float kFarAboveTheClip = 1000.0F;
// Cut off the end of a sealed file: part of its last chunk.
constexpr std::uint64_t kCutBytes = 100;
constexpr int kPollPauseMillis = 50;
constexpr absl::Duration kPollMax = absl::Seconds(10);

// One JSON object a line, for the test that reads along.
void Print(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

const char* const kModes[] = {
    "ordinary",         // keeps to the rules
    "idle",             // says at once that its task failed, in every round but the first
    "wrong-layout",     // a delta of another layout, and says so
    "other-size",       // says the right layout, but the delta has one parameter less
    "nan",              // one value in the middle is no number
    "bad-last-chunk",   // one bit of the last chunk is another one; size and digest are those of
                        // what is sent
    "norm",             // a delta far longer than the clip
    "wrong-base",       // a difference from another model
    "cut",              // the sealed delta lacks its end; size and digest are those of what is sent
    "truncated",        // announces it whole, sends a part, and contributes all the same
    "other-signature",  // the sealed delta is signed by another worker
    "other-statement",  // the contribution is signed by another worker
    "replayed-upload",  // round 1 as it should be; then the sealed delta of round 1 again
    "replayed-record",  // round 1 as it should be; then the contribution of round 1 again
    "second",           // after an accepted contribution, a different one
    "stolen",  // uploads nothing, and contributes another worker's sealed delta: --other-delta,
               // which it waits for, is {"sealed_sha256": hex, "header_sha256": hex,
               // "sealed_bytes": n}
};

struct Options {
  fs::path join, state, model, other_keys, other_delta;
  std::string data, mode;
};

struct Made {
  v1::UploadOpen open;
  fs::path file;
};

struct Round {
  std::string task_id;
  v1::Ticket upload;
  v1::RoundOpened opened;
  std::uint64_t opened_index = 0;
  v1::RoundMember member;
};

class HostileWorker {
 public:
  explicit HostileWorker(Options options) : options_(std::move(options)) {}

  absl::Status Run();

 private:
  absl::Status Join();
  absl::Status PollOnce();
  absl::StatusOr<Round> RoundOf(const v1::Task& task) const;
  void Act(const Round& round);
  void Contribute(const Round& round, float value);
  void Steal(const Round& round);

  absl::StatusOr<Made> Make(const Round& round, float value);
  absl::Status Damage(const fs::path& file) const;
  absl::Status Upload(const Round& round, const Made& made);
  v1::Contribution Draft(const Round& round) const;
  absl::StatusOr<v1::SignedRecord> Sign(const Round& round, const Made& made);
  absl::StatusOr<v1::SignedRecord> Sign(v1::Contribution contribution);
  absl::Status Submit(const Round& round, const v1::SignedRecord& record);
  void FailTask(const Round& round);
  void Say(const Round& round, const char* step, const absl::Status& status) const;

  bool Is(const char* mode) const { return options_.mode == mode; }
  const crypto::Ed25519KeyPair& Key(const char* foreign_in_mode) const {
    return Is(foreign_in_mode) ? *other_key_ : enrolled_->keys.statement;
  }

  const Options options_;
  SystemClock clock_;
  SystemRng rng_;
  std::optional<worker::StateDir> state_;
  std::optional<worker::Enrolled> enrolled_;
  std::optional<crypto::Ed25519KeyPair> other_key_;
  std::unique_ptr<worker::CoordinatorClient> client_;
  std::vector<v1::ShardClaim> claims_;
  std::uint64_t parameters_ = 0;
  Digest layout_sha256_{};
  v1::Seen seen_;
  std::set<std::string> done_;
  std::optional<Made> first_made_;
  std::optional<v1::SignedRecord> first_record_;
};

absl::Status HostileWorker::Join() {
  CARNET_ASSIGN_OR_RETURN(worker::StateDir state, worker::StateDir::Open(options_.state));
  state_.emplace(std::move(state));
  CARNET_ASSIGN_OR_RETURN(const worker::Settings settings,
                          worker::LoadSettings(std::nullopt, {options_.data}, "/proc/self/exe"));
  CARNET_ASSIGN_OR_RETURN(claims_, worker::ClaimShards(settings.data));
  CARNET_ASSIGN_OR_RETURN(const model::SafetensorsReader reader,
                          model::SafetensorsReader::Open(options_.model));
  parameters_ = reader.layout().parameter_count();
  layout_sha256_ = crypto::Sha256(AsBytes(reader.layout().CanonicalBytes()));
  v1::WorkerStatement statement;
  statement.set_trainer_isolated(true);
  CARNET_ASSIGN_OR_RETURN(const Digest software, exchange::FileDigest("/proc/self/exe"));
  statement.set_software_sha256(ToString(software));
  const worker::EnrolParts parts{.state = *state_, .clock = clock_, .rng = rng_, .call = HttpCall};
  CARNET_ASSIGN_OR_RETURN(worker::Enrolled enrolled,
                          worker::LoadOrEnrol(parts, options_.join, statement));
  enrolled_.emplace(std::move(enrolled));
  if (!options_.other_keys.empty()) {
    CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys,
                            crypto::KeyFiles::Open(options_.other_keys.string()));
    CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                            keys.Read("statement", crypto::KeyKind::kEd25519));
    CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair pair, crypto::Ed25519KeyPair::FromSeed(seed));
    other_key_.emplace(std::move(pair));
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes key_pem, enrolled_->keys.tls.ToPem());
  CARNET_ASSIGN_OR_RETURN(
      client_, worker::MakeGrpcClient(
                   {enrolled_->facts.addresses, enrolled_->facts.trust_domain,
                    enrolled_->answer.ca_certificate_pem(), enrolled_->answer.certificate_pem(),
                    RandomBytes(rng_, exchange::kInstanceBytes)},
                   key_pem));
  return absl::OkStatus();
}

void HostileWorker::Say(const Round& round, const char* step, const absl::Status& status) const {
  Print(nlohmann::json{{"round", round.opened.round()},
                       {"step", step},
                       {"code", absl::StatusCodeToString(status.code())},
                       {"message", std::string(status.message())}}
            .dump());
}

absl::StatusOr<Round> HostileWorker::RoundOf(const v1::Task& task) const {
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenRecord(task.opened().record()));
  const v1::RoundOpened* opened = record.As<v1::RoundOpened>();
  if (opened == nullptr) {
    return absl::InvalidArgumentError("not a round");
  }
  Round round{task.task_id(), task.upload(), *opened, task.opened().proof().index(), {}};
  for (const v1::RoundMember& member : opened->members()) {
    if (member.worker_id() == enrolled_->identity.worker_id) {
      round.member = member;
    }
  }
  return round;
}

absl::Status HostileWorker::Damage(const fs::path& file) const {
  const std::uint64_t size = fs::file_size(file);
  if (Is("cut")) {
    fs::resize_file(file, size - kCutBytes);
  } else if (Is("bad-last-chunk")) {
    CARNET_ASSIGN_OR_RETURN(Bytes sealed, ReadFile(file, size));
    sealed[sealed.size() - 1] ^= 1;
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(file, sealed));
  }
  return absl::OkStatus();
}

// A sealed delta of `value` everywhere, with what the mode does to it.
absl::StatusOr<Made> HostileWorker::Make(const Round& round, float value) {
  std::vector<float> values(parameters_ - (Is("other-size") ? 1 : 0), value);
  if (Is("nan")) {
    values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  }
  const std::size_t plain_bytes = values.size() * sizeof(float);
  v1::ArtifactHeader fields =
      exchange::DeltaHeader(round.opened, round.member,
                            {.worker_spiffe_id = enrolled_->facts.spiffe_id.ToString(),
                             .layout_sha256 = layout_sha256_,
                             .codec = "fp32",
                             .encoded_bytes = plain_bytes});
  if (Is("wrong-layout")) {
    fields.set_layout_sha256(ToString(crypto::Sha256(AsBytes("another layout"))));
  } else if (Is("wrong-base")) {
    fields.set_base_model_sha256(ToString(crypto::Sha256(AsBytes("another model"))));
  }
  const auto data_key = crypto::SecretBytes::Random(rng_, crypto::kDataKeyBytes);
  crypto::SealedSalt salt;
  rng_.Fill(salt);
  fields.set_salt(ToString(salt));
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519PublicKey round_key,
                          crypto::ToX25519PublicKey(AsBytes(round.opened.round_public_key())));
  CARNET_RETURN_IF_ERROR(exchange::WrapKeyInHeader(data_key, round_key, rng_, &fields));
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header, exchange::MakeHeader(std::move(fields)));
  Made made;
  made.file = state_->root() / ("sealed-" + std::to_string(round.opened.round()) + "-" +
                                std::to_string(done_.size()) + (value == kOrdinary ? "" : "b"));
  const auto plain = [&values](std::uint64_t offset, std::span<std::uint8_t> out) {
    std::memcpy(out.data(), reinterpret_cast<const std::uint8_t*>(values.data()) + offset,
                out.size());
    return absl::OkStatus();
  };
  CARNET_RETURN_IF_ERROR(exchange::SealToFile(header, data_key, salt, plain, made.file).status());
  CARNET_RETURN_IF_ERROR(Damage(made.file));
  CARNET_ASSIGN_OR_RETURN(const Digest sealed_sha256, exchange::FileDigest(made.file));
  made.open.set_artifact_header(header.bytes);
  made.open.set_sealed_bytes(fs::file_size(made.file));
  made.open.set_sealed_sha256(ToString(sealed_sha256));
  made.open.set_signature(
      ToString(exchange::SignArtifact(Key("other-signature"), header.sha256, sealed_sha256)));
  return made;
}

absl::Status HostileWorker::Upload(const Round& round, const Made& made) {
  v1::UploadOpen open = made.open;
  open.set_task_id(round.task_id);
  open.set_ticket_id(round.upload.ticket_id());
  CARNET_ASSIGN_OR_RETURN(const exchange::SendFile file,
                          exchange::SendFile::Open(made.file, open.sealed_bytes()));
  if (Is("truncated")) {
    // The file ends while it is sent, and with it the stream.
    fs::resize_file(made.file, open.sealed_bytes() - kCutBytes);
  }
  const worker::CancelFlag cancel = false;
  return client_->Upload(open, file, cancel);
}

// All but which sealed delta.
v1::Contribution HostileWorker::Draft(const Round& round) const {
  v1::Contribution contribution;
  contribution.set_job_id(round.opened.job_id());
  contribution.set_round(round.opened.round());
  contribution.set_attempt(round.opened.attempt());
  contribution.set_round_opened_index(round.opened_index);
  contribution.set_worker_id(enrolled_->identity.worker_id);
  contribution.set_region(enrolled_->facts.spiffe_id.region());
  contribution.set_supplier(enrolled_->identity.supplier);
  *contribution.mutable_shard_sha256() = round.member.shard_sha256();
  contribution.set_base_model_sha256(round.opened.model_sha256());
  contribution.set_steps(1);
  contribution.set_examples(1);
  (*contribution.mutable_metrics())["loss"] = 1;
  contribution.set_trainer_digest(ToString(Digest{}));
  return contribution;
}

absl::StatusOr<v1::SignedRecord> HostileWorker::Sign(v1::Contribution contribution) {
  contribution.mutable_common()->set_nonce(ToString(RandomBytes(rng_, 32)));
  *contribution.mutable_common()->mutable_at() = ToTimestamp(clock_.Now());
  contribution.mutable_common()->set_request_id(ToString(RandomBytes(rng_, 16)));
  *contribution.mutable_seen() = seen_;
  CARNET_ASSIGN_OR_RETURN(std::string statement, ledger::MakeStatement(contribution));
  return ledger::SignRecord(std::move(statement), Key("other-statement"));
}

absl::StatusOr<v1::SignedRecord> HostileWorker::Sign(const Round& round, const Made& made) {
  v1::Contribution contribution = Draft(round);
  contribution.set_header_sha256(ToString(crypto::Sha256(AsBytes(made.open.artifact_header()))));
  contribution.set_sealed_sha256(made.open.sealed_sha256());
  contribution.set_sealed_bytes(made.open.sealed_bytes());
  return Sign(std::move(contribution));
}

absl::Status HostileWorker::Submit(const Round& round, const v1::SignedRecord& record) {
  v1::SubmitRecordRequest request;
  request.set_request_id(ToString(RandomBytes(rng_, 16)));
  request.set_task_id(round.task_id);
  *request.mutable_record() = record;
  return client_->SubmitContribution(request).status();
}

void HostileWorker::FailTask(const Round& round) {
  v1::FailTaskRequest request;
  request.set_request_id(ToString(RandomBytes(rng_, 16)));
  request.set_task_id(round.task_id);
  request.set_failure(v1::TASK_FAILURE_TRAINER_CRASHED);
  Say(round, "fail", client_->FailTask(request));
}

// Makes, uploads, signs and submits; every answer is said and none stops it.
void HostileWorker::Contribute(const Round& round, float value) {
  const absl::StatusOr<Made> made = Make(round, value);
  if (!made.ok()) {
    Say(round, "make", made.status());
    return;
  }
  Say(round, "upload", Upload(round, *made));
  const absl::StatusOr<v1::SignedRecord> record = Sign(round, *made);
  if (!record.ok()) {
    Say(round, "sign", record.status());
    return;
  }
  Say(round, "submit", Submit(round, *record));
  if (round.opened.round() == 1) {
    first_made_ = *made;
    first_record_ = *record;
  }
}

void HostileWorker::Steal(const Round& round) {
  while (!fs::exists(options_.other_delta)) {
    poll(nullptr, 0, kPollPauseMillis);
  }
  const absl::StatusOr<Bytes> file = ReadFile(options_.other_delta, 4096);
  const auto other = nlohmann::json::parse(file.ok() ? ToString(*file) : "{}");
  const absl::StatusOr<Bytes> sealed = HexDecode(other.value("sealed_sha256", ""));
  const absl::StatusOr<Bytes> header = HexDecode(other.value("header_sha256", ""));
  v1::Contribution contribution = Draft(round);
  contribution.set_sealed_sha256(ToString(sealed.value_or(Bytes())));
  contribution.set_header_sha256(ToString(header.value_or(Bytes())));
  contribution.set_sealed_bytes(other.value("sealed_bytes", std::uint64_t{0}));
  const absl::StatusOr<v1::SignedRecord> record = Sign(std::move(contribution));
  Say(round, "submit", record.ok() ? Submit(round, *record) : record.status());
}

void HostileWorker::Act(const Round& round) {
  const bool first = round.opened.round() == 1;
  if (Is("idle") && !first) {
    FailTask(round);
  } else if (Is("replayed-upload") && !first) {
    Say(round, "upload", Upload(round, *first_made_));
  } else if (Is("replayed-record") && !first) {
    Say(round, "submit", Submit(round, *first_record_));
  } else if (Is("stolen")) {
    Steal(round);
  } else {
    Contribute(round, Is("norm") ? kFarAboveTheClip : kOrdinary);
    if (Is("second")) {
      Contribute(round, 2 * kOrdinary);
    }
  }
  Say(round, "done", absl::OkStatus());
}

absl::Status HostileWorker::PollOnce() {
  v1::NextTaskRequest request;
  *request.mutable_claims() = {claims_.begin(), claims_.end()};
  CARNET_ASSIGN_OR_RETURN(const v1::NextTaskResponse response,
                          client_->NextTask(request, kPollMax));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedHead head,
                          ledger::verifier::VerifyHead(response.head(), enrolled_->identity.log));
  seen_.set_origin(head.tree.origin);
  seen_.set_size(head.tree.size);
  seen_.set_root(ToString(head.tree.root));
  const v1::Task& task = response.task();
  if (response.has_task() && task.kind() == v1::TASK_KIND_TRAIN &&
      done_.insert(task.task_id()).second) {
    CARNET_ASSIGN_OR_RETURN(const Round round, RoundOf(task));
    Act(round);
  }
  return absl::OkStatus();
}

absl::Status HostileWorker::Run() {
  worker::AllowTls13Only();
  CARNET_RETURN_IF_ERROR(Join());
  bool said_ready = false;
  for (;;) {
    const absl::Status status = PollOnce();
    if (status.ok() && !std::exchange(said_ready, true)) {
      Print(R"({"step":"ready"})");
    }
    if (!status.ok() && !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) {
      return status;
    }
    // A task that was answered stays offered until its round ends: no need to ask faster.
    poll(nullptr, 0, kPollPauseMillis);
  }
}

int Main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) {
    given[argv[i]] = argv[i + 1];
  }
  Options options{given["--join"],        given["--state"], given["--model"], given["--other-keys"],
                  given["--other-delta"], given["--data"],  given["--mode"]};
  if (std::find(std::begin(kModes), std::end(kModes), options.mode) == std::end(kModes) ||
      options.join.empty() || options.state.empty() || options.model.empty() ||
      options.data.empty()) {
    std::cerr << "hostile_worker: see the head of hostile_worker.cc\n";
    return 2;
  }
  const absl::Status status = HostileWorker(std::move(options)).Run();
  std::cerr << "hostile_worker: " << status << '\n';
  return 1;
}

}  // namespace
}  // namespace carnet

int main(int argc, char** argv) {
  return carnet::Main(argc, argv);
}
