// What a job may ask for. Called by `carnet job check` and submit, and again by Decide, so a job on
// record is one that this version can do exactly as written. Pure.
#ifndef CARNET_COORDINATOR_CORE_JOB_SPEC_H_
#define CARNET_COORDINATOR_CORE_JOB_SPEC_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/config.pb.h"

namespace carnet::coordinator {

inline constexpr std::uint32_t kCohortMax = 128;
inline constexpr std::uint32_t kRoundsMax = 100000;
inline constexpr std::uint32_t kLocalStepsMax = 1000000;
inline constexpr int kJobMetricsMax = 32;
inline constexpr int kJobDataMax = 256;
inline constexpr int kJobTagsMax = 64;
inline constexpr int kJobSettingsMax = 64;
inline constexpr std::size_t kJobTextBytesMax = 256;
inline constexpr std::int64_t kRoundDeadlineMillisMin = 1000;
inline constexpr std::int64_t kRoundDeadlineMillisMax = std::int64_t{7} * 24 * 3600 * 1000;

// The spec with every default written out, so that two readers of the record agree on it.
v1::JobSpec WithDefaults(v1::JobSpec spec);

// Error INVALID_ARGUMENT, naming the field, what was found and what is allowed; UNIMPLEMENTED, "not
// in this version", for what the design has and this version cannot do. `spec` has its defaults.
absl::Status ValidateJob(const v1::JobSpec& spec);

// SHA-256 of the canonical JSON of `spec`. Seeds of a job are derived from it (crypto: HKDF), so
// equal specs train equal models.
absl::StatusOr<Digest> JobSpecDigest(const v1::JobSpec& spec);

// A loss is better when it is lower; every other metric when it is higher.
bool LowerIsBetter(absl::string_view metric);

// How many contributions close a round: the number in close.when, or all of `members`.
std::uint32_t CloseCount(const v1::JobSpec& spec, std::uint32_t members);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_JOB_SPEC_H_
