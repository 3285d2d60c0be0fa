// What leaves home for people: models (flow release_model) and statements of the log (flow
// read_log). Each is decided with today's facts, is on record before its first byte, and counts for
// a day; whatever moves later is decided again. Pure.
#ifndef CARNET_COORDINATOR_CORE_RELEASE_H_
#define CARNET_COORDINATOR_CORE_RELEASE_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

inline constexpr absl::Duration kReleaseLife = absl::Hours(24);
inline constexpr absl::Duration kReadingLife = absl::Hours(24);

// The result of a finished round; round 0: the newest. Error NOT_FOUND.
absl::StatusOr<const RoundResult*> ResultOfRound(const Job& job, std::uint32_t round);
// The job, if its models may go to the user at all: he submitted it, or is an operator or admin.
// Errors: NOT_FOUND no such job; PERMISSION_DENIED.
absl::StatusOr<const Job*> ExportableJob(const State& state, const std::string& user_id,
                                         const std::string& job_id);

// Home to where the person works, for whom the person works: one flow for each class that a label
// of the model's whole lineage makes, as it was when the shards were trained on and as it is
// registered today. A withdrawn shard has unknown labels: nobody vouches for them any more.
std::vector<FlowContext> ReleaseModelFlows(const State& state, const Job& job,
                                           ByteView model_sha256, const User& user);
std::vector<FlowContext> ReadLogFlows(const State& state, const User& user);

// "dataset/shard" of those of the model's lineage that were withdrawn, each with the index of its
// record.
std::map<std::string, std::uint64_t> WithdrawnIn(const State& state, ByteView model_sha256);

// A release is the ticket of its model's bytes, named after its record: "release-57".
std::string ReleaseTicket(std::uint64_t index);
bool IsReleaseTicket(const std::string& ticket_id);
// The release of that ticket, if it is the newest one of its model to its person, whatever became
// of it. Null: it is not.
const ReleaseOnRecord* ReleaseOfTicket(const State& state, const std::string& ticket_id);

// On record, not expired at `at`, not cut, and for the place and organisation that the person has
// now. Null: none. Whether policies still allow it is another question.
const ReleaseOnRecord* LiveRelease(const State& state, const std::string& user_id,
                                   ByteView model_sha256, absl::Time at);
const ReadingOnRecord* LiveReading(const State& state, const std::string& user_id, absl::Time at);

// Whether statements may go to the user at `at`: a live reading, and today's policies and facts
// allow it too.
bool MayReadLog(const State& state, const std::string& user_id, absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_RELEASE_H_
