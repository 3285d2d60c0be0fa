// `carnet ledger succeed`: a new log in the place of one that lost records. It begins with a
// genesis that names the old log, the newest head whose records are still there and the newest head
// that anybody showed, and registers again what is needed to go on.
//
// Carried over, as of the newest head that is held: people with the roles that counted and their
// keys, the policies in force, suppliers, regions, datasets, evidence in force, the certificate
// authority, people's credentials and names. Not carried over: jobs, models, blobs, counters (the
// policies take them as unknown until an officer opens them), duties, stagings. Workers enrol anew.
#ifndef CARNET_COORDINATOR_SUCCEED_H_
#define CARNET_COORDINATOR_SUCCEED_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/rng.h"

namespace carnet::coordinator {

// In a state folder whose log was succeeded: where to, as text. The coordinator starts there no
// more.
inline constexpr char kSucceededFileName[] = "succeeded";

struct SucceedOptions {
  std::filesystem::path state_dir;   // of the log that lost records; nothing runs on it
  std::filesystem::path lost_after;  // file with the newest head of that log that anybody holds
  // Where that head is signed by a key that the records held do not name: a worker's file
  // `log-keys`, whose records hand over to it. Empty: none.
  std::filesystem::path handovers;
  std::filesystem::path out_dir;   // must not exist
  std::filesystem::path join_dir;  // join/<slot>.token go here; empty: `join` beside out_dir
};

struct SucceedReport {
  std::string old_origin;
  std::string origin;
  std::string log_vkey;
  std::uint64_t held = 0;   // records of the old log that are carried on from
  std::uint64_t known = 0;  // size of the newest head that anybody showed
  std::uint64_t records = 0;
  std::vector<std::filesystem::path> tokens;
  std::vector<std::string> left_out;  // settings that name the old log
};

// Everything is made in a folder beside `out_dir` and moved there whole; before that, the old state
// is marked as succeeded. Apart from that mark nothing in it changes. A crash leaves nothing, or a
// mark without an `out_dir`, and the next call makes both.
//
// Errors: FAILED_PRECONDITION nothing is lost (the old log extends the head), not even genesis is
// held, or a process runs on the old state. UNAUTHENTICATED the head is none of the old log.
// ALREADY_EXISTS `out_dir` exists. Those of the store, of keys and of base/files.h.
absl::StatusOr<SucceedReport> SucceedLog(const SucceedOptions& options, Clock& clock, Rng& rng);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_SUCCEED_H_
