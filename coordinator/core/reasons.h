// Closed lists of reasons that records carry and peers see. Stable: officers filter by them, tests
// name them.
#ifndef CARNET_COORDINATOR_CORE_REASONS_H_
#define CARNET_COORDINATOR_CORE_REASONS_H_

namespace carnet::coordinator::reasons {

// Why a contribution was rejected.
inline constexpr char kWrongLayout[] = "wrong-layout";
inline constexpr char kNotFinite[] = "not-finite";
inline constexpr char kBadChunk[] = "bad-chunk";
inline constexpr char kTruncated[] = "truncated";
inline constexpr char kNormAboveClip[] = "norm-above-clip";
inline constexpr char kWrongBaseModel[] = "wrong-base-model";
inline constexpr char kWrongHeader[] = "wrong-header";
inline constexpr char kWrongDigest[] = "wrong-digest";
inline constexpr char kWrongSignature[] = "wrong-signature";
inline constexpr char kWrongTrainer[] = "wrong-trainer";
inline constexpr char kWrongShards[] = "wrong-shards";
inline constexpr char kUnnamedMetric[] = "unnamed-metric";
inline constexpr char kReplayed[] = "replayed";
inline constexpr char kSecondContribution[] = "second-contribution";
inline constexpr char kSeenContradicts[] = "seen-contradicts-log";
inline constexpr char kLate[] = "late";
inline constexpr char kRefused[] = "refused";
inline constexpr char kStorageFault[] = "storage-fault";

// Why a worker is not in a round, or not in its result.
inline constexpr char kNoShard[] = "no-shard";
inline constexpr char kNotLive[] = "not-live";
inline constexpr char kOverTarget[] = "over-target";
inline constexpr char kStraggler[] = "straggler";
inline constexpr char kRejected[] = "rejected";
inline constexpr char kTaskFailed[] = "task-failed";
inline constexpr char kRevoked[] = "revoked";
inline constexpr char kHeld[] = "held";
inline constexpr char kObligationsConflict[] = "obligations-conflict";
inline constexpr char kUnregisteredRows[] = "no-registered-rows";
inline constexpr char kCut[] = "cut";
inline constexpr char kShardWithdrawn[] = "shard-withdrawn";

// Why a transfer was cut: also kRefused and kShardWithdrawn.
inline constexpr char kWorkerRevoked[] = "worker-revoked";

// Why a round, an evaluation, a staging or a job ended.
inline constexpr char kTooFewContributions[] = "too-few-contributions";
inline constexpr char kNotCombinable[] = "not-combinable";
inline constexpr char kJobStopped[] = "job-stopped";
inline constexpr char kDeadline[] = "deadline";
inline constexpr char kRoundsDone[] = "rounds-done";
inline constexpr char kMetricReached[] = "metric-reached";
inline constexpr char kPatience[] = "patience";
inline constexpr char kBudget[] = "budget";
inline constexpr char kAsked[] = "asked";

}  // namespace carnet::coordinator::reasons

#endif  // CARNET_COORDINATOR_CORE_REASONS_H_
