// What `carnet doctor` looks at: whether a state folder is as it should be. Reads only; the daemon
// may be running.
#ifndef CARNET_CLI_DOCTOR_H_
#define CARNET_CLI_DOCTOR_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace carnet::cli {

enum class Health { kOk, kWarn, kFail };

struct Finding {
  std::string check;  // its name, e.g. "head-file"
  Health health = Health::kOk;
  std::string what;    // one line
  std::string remedy;  // what to do; empty for kOk
};

// A coordinator's state folder, with a request to each witness that its policy names. In the order
// of the page docs/operating.md.
std::vector<Finding> ExamineCoordinator(const std::filesystem::path& state, absl::Time now);

// A worker's state folder.
std::vector<Finding> ExamineWorker(const std::filesystem::path& state, absl::Time now);

// ---- shared by both ----

// The folder and everything in it is the user's own, and nobody else's to read.
Finding CheckPrivate(const std::string& check, const std::filesystem::path& folder);
// Room on the folder's file system.
Finding CheckSpace(const std::filesystem::path& folder);
// How much memory the process may lock, for secrets.
Finding CheckLockedMemory();
// `pem` is valid at `now`, and for `ahead` longer.
Finding CheckCertificateLife(const std::string& check, const std::string& pem, absl::Time now,
                             absl::Duration ahead, const std::string& remedy);
// Whether a daemon holds the folder's lock.
Finding CheckLock(const std::filesystem::path& lock);

}  // namespace carnet::cli

#endif  // CARNET_CLI_DOCTOR_H_
