// `carnet worker accept-log`: this site's own word that a log may take the place of the one that it
// knows, which lost records. Nothing else makes a worker follow another log.
#ifndef CARNET_WORKER_ACCEPT_LOG_H_
#define CARNET_WORKER_ACCEPT_LOG_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "carnet/v1/federation.pb.h"
#include "worker/state_dir.h"

namespace carnet::worker {

struct AcceptedLog {
  std::string old_origin;
  std::uint64_t old_size = 0;  // of the newest head that this worker verified
  std::string origin;          // of the log that takes its place
  std::filesystem::path kept;  // what this worker holds of the old log, receipts and evidence too
};

// Puts what the worker knows of its log aside, durably, so that the next `carnet worker run` enrols
// anew with the token, and remembers what it knew: that enrolment is taken only where the new log's
// genesis names the old one and admits everything that this worker saw (CheckAccepted). Tasks under
// way are dropped. A crash leaves the old membership, or none and the word; the next call, or the
// next enrolment, goes on. A member of a successor may accept another one in its place: of the log
// that it is a member of, or of the one that it left for that.
//
// Errors: FAILED_PRECONDITION never a member, the worker runs, or the token is of the log that it
// knows. INVALID_ARGUMENT the token is damaged, has expired, or is of another federation or slot.
// Those of base/files.h.
absl::StatusOr<AcceptedLog> AcceptLog(const std::filesystem::path& state_dir,
                                      const std::filesystem::path& join_token, absl::Time now);

// For a worker that is no member: what an AcceptLog that a crash cut off did not put aside, it
// does. Else nothing of the old log may be left when the worker enrols with the new one.
// Idempotent, and fine where nobody said a word. Errors: DATA_LOSS the word is damaged. Those of
// base/files.h.
absl::Status FinishAccepted(const StateDir& state);

// For an enrolment that was verified: whether its genesis succeeds a log that this worker left.
// OK too where it left none. Errors: UNAUTHENTICATED another log than the accepted one, or one that
// succeeds nothing. DATA_LOSS, IsFork: this worker verified a newer head of the old log than the
// new genesis admits; both are in the error.
absl::Status CheckAccepted(const StateDir& state, const v1::EnrollResponse& answer);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_ACCEPT_LOG_H_
