// Whether a task is what the ledger says and what this site allows, decided before anything is done
// for it. Pure. The coordinator's word alone starts nothing: every task comes with the record that
// opened it, proven under a head that this worker's history contains.
#ifndef CARNET_WORKER_CORE_TASK_CHECK_H_
#define CARNET_WORKER_CORE_TASK_CHECK_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "exchange/artifact.h"
#include "worker/core/identity.h"

namespace carnet::worker {

// Longest task id, in bytes.
inline constexpr std::size_t kTaskIdBytesMax = 256;

// What this site will do: from worker.yaml and from what is on its disk. The coordinator cannot
// widen it.
struct Site {
  std::map<std::string, Digest> trainers;  // name -> digest
  v1::PrivacyMode weakest_mode = v1::PRIVACY_MODE_TRUSTED;
  std::uint32_t k_min = 1;
  std::map<std::string, Digest> shards;  // dataset/shard -> digest
};

// The parts of a job that a worker needs, from the record that its submitter signed.
struct CheckedJob {
  v1::JobSpec spec;
  Digest spec_sha256{};
  Digest trainer_digest{};
};

struct TrainTask {
  v1::RoundOpened opened;
  std::uint64_t opened_index = 0;
  v1::RoundMember member;
  CheckedJob job;
  exchange::Header model;
};
struct EvaluateTask {
  v1::EvaluationOpened opened;
  std::uint64_t opened_index = 0;
  CheckedJob job;
  exchange::Header model;
};
struct SendShardTask {
  v1::StagingOrdered ordered;
  Digest shard_sha256{};
  v1::WorkerEnrolled recipient;
};
struct ReceiveShardTask {
  v1::StagingOrdered ordered;
  Digest shard_sha256{};
  v1::WorkerEnrolled sender;
  exchange::Header shard;
};

struct CheckedTask {
  std::string task_id;
  v1::Ticket download;
  v1::Ticket upload;
  v1::WrappedKey key;
  absl::Time deadline;
  std::variant<TrainTask, EvaluateTask, SendShardTask, ReceiveShardTask> work;
};

// Why a task is not done. `status` is for this site's log; `failure` is all that is told home.
struct TaskRefusal {
  absl::Status status;
  v1::TaskFailure failure = v1::TASK_FAILURE_ARTIFACT_INVALID;
};

// head: verified, and an extension of every head that this worker saw. now: wall clock.
// Refused: a record that is not proven, not the coordinator's, or of another kind; another worker's
// task; tickets other than those on record, or expired; a deadline that passed; a job not signed by
// its enrolled submitter or with another spec digest; a mode below the job's or the site's
// (REFUSED_BY_SITE); a second job or user beside the first; a trainer that is not named here with
// the job's digest (TRAINER_UNKNOWN); a shard that is not here with the recorded digest
// (SHARD_MISSING); an artifact header that is not the recorded one, or says anything else than the
// record (ARTIFACT_INVALID).
std::variant<CheckedTask, TaskRefusal> CheckTask(const v1::Task& task, const Identity& identity,
                                                 const ledger::verifier::TreeHead& head,
                                                 const Site& site, absl::Time now);

// The shards ("dataset/shard") that the task reads or moves, and their digests (raw) on record.
std::map<std::string, std::string> ShardDigests(const CheckedTask& task);

// SHA-256 of the canonical JSON of a job spec.
absl::StatusOr<Digest> SpecDigest(const v1::JobSpec& spec);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_TASK_CHECK_H_
