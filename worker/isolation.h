// Starting a program that must not reach the network, this worker's keys, or anything that it was
// not given: own process group and session, own user, network, process, mount and IPC namespaces
// (loopback only), no capabilities, no new privileges, data read-only, bounded memory and file
// sizes.
#ifndef CARNET_WORKER_ISOLATION_H_
#define CARNET_WORKER_ISOLATION_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"

namespace carnet::worker {

enum class Isolation {
  kNone,            // own process group, limits and environment only
  kNamespaces,      // all of the above; needs root
  kUserNamespaces,  // all of the above, without privileges
};

struct ProgramOptions {
  std::vector<std::string> command;      // at least one; an absolute path first
  std::vector<std::string> environment;  // NAME=value; nothing else is handed on
  std::filesystem::path working_directory;
  Isolation isolation = Isolation::kNone;
  std::vector<std::filesystem::path> read_only;  // files and folders that must not be written to
  std::vector<std::filesystem::path> hidden;     // folders that must not be seen
  std::uint64_t memory_bytes_max = 0;  // private writable memory of each process; 0: no limit
  std::uint64_t file_bytes_max = 0;    // of each file it writes; 0: no limit
  int stdin_fd = -1;                   // handed on as descriptors 0, 1 and 2; others are closed
  int stdout_fd = -1;
  int stderr_fd = -1;
};

// Starts the program; it is killed when the calling thread ends. The caller reaps it (waitpid) and
// kills it by KillProgram. Errors: FAILED_PRECONDITION the kernel refused a step, which the
// operator's detail names; nothing runs. NOT_FOUND, PERMISSION_DENIED the program cannot be
// executed.
absl::StatusOr<pid_t> StartProgram(const ProgramOptions& options);

// Kills the program's process group, and with namespaces everything it ever started. Does not wait.
void KillProgram(pid_t pid);

// The strongest isolation that this machine gives: each is tried by starting a program in it that
// does nothing.
Isolation ProbeIsolation();

}  // namespace carnet::worker

#endif  // CARNET_WORKER_ISOLATION_H_
