#include "worker/isolation.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

constexpr int kDescriptorsMax = 1024;
constexpr int kCapabilityLast = 63;

// What the child does, in order; the first that fails is reported to the parent.
enum Stage : int {
  kUserMap,
  kLoopback,
  kMounts,
  kHide,
  kReadOnly,
  kCapabilities,
  kLimits,
  kDescriptors,
  kDirectory,
  kExecute,
};
constexpr const char* kStageNames[] = {
    "map the user",       "bring up the loopback device", "make the mounts private",
    "hide a folder",      "make data read-only",          "drop capabilities",
    "set limits",         "hand on descriptors",          "enter the working directory",
    "execute the program"};

struct Failure {
  int stage = 0;
  int error = 0;
};

// Everything the child needs, made before the fork: after it, only system calls are safe, because
// other threads of this process may have held any lock.
struct ChildPlan {
  const char* path = nullptr;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* working_directory = nullptr;
  Isolation isolation = Isolation::kNone;
  std::vector<const char*> hidden;
  struct Bind {
    const char* path = nullptr;
    unsigned long remount_flags = 0;
  };
  std::vector<Bind> read_only;
  std::string uid_map;
  std::string gid_map;
  rlimit memory = {RLIM_INFINITY, RLIM_INFINITY};
  rlimit file = {RLIM_INFINITY, RLIM_INFINITY};
  int descriptors[3] = {-1, -1, -1};
  int report_fd = -1;
};

[[noreturn]] void Fail(const ChildPlan& plan, Stage stage) {
  const Failure failure{stage, errno};
  // Nobody is left to tell when this write fails.
  (void)!::write(plan.report_fd, &failure, sizeof(failure));
  ::_exit(127);
}

bool WriteText(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const bool good = ::write(fd, text, size) == static_cast<ssize_t>(size);
  ::close(fd);
  return good;
}

bool BringUpLoopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return false;
  }
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool good = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  return good;
}

void EnterNamespaces(const ChildPlan& plan) {
  if (plan.isolation == Isolation::kUserNamespaces &&
      (!WriteText("/proc/self/setgroups", "deny", 4) ||
       !WriteText("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size()) ||
       !WriteText("/proc/self/gid_map", plan.gid_map.data(), plan.gid_map.size()))) {
    Fail(plan, kUserMap);
  }
  if (!BringUpLoopback()) {
    Fail(plan, kLoopback);
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Fail(plan, kMounts);
  }
  for (const char* path : plan.hidden) {
    if (::mount("none", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                "size=4k,mode=0500") != 0) {
      Fail(plan, kHide);
    }
  }
  for (const ChildPlan::Bind& bind : plan.read_only) {
    if (::mount(bind.path, bind.path, nullptr, MS_BIND | MS_REC, nullptr) != 0 ||
        ::mount(nullptr, bind.path, nullptr, MS_BIND | MS_REMOUNT | bind.remount_flags, nullptr) !=
            0) {
      Fail(plan, kReadOnly);
    }
  }
}

// Also keeps an executed program from gaining any: the bounding set limits what execve gives to
// root.
bool DropCapabilities() {
  for (int capability = 0; capability <= kCapabilityLast; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
      return false;
    }
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  return ::syscall(SYS_capset, &header, data) == 0;
}

bool SetLimits(const ChildPlan& plan) {
  const rlimit none = {0, 0};
  const rlimit descriptors = {kDescriptorsMax, kDescriptorsMax};
  return ::setrlimit(RLIMIT_DATA, &plan.memory) == 0 &&
         ::setrlimit(RLIMIT_FSIZE, &plan.file) == 0 && ::setrlimit(RLIMIT_CORE, &none) == 0 &&
         ::setrlimit(RLIMIT_NOFILE, &descriptors) == 0;
}

// Puts the three descriptors at 0, 1 and 2; every other one of this process is close-on-exec or
// closed here.
bool PlaceDescriptors(const ChildPlan& plan) {
  for (int i = 0; i < 3; ++i) {
    // The parent keeps its own three above 2, so that none is overwritten before its turn.
    if (::dup2(plan.descriptors[i], i) < 0) {
      return false;
    }
  }
  // CLOSE_RANGE_CLOEXEC keeps the report pipe until execve. Older kernels lack it; Carnet opens
  // everything with O_CLOEXEC anyway.
#if defined(SYS_close_range)
  ::syscall(SYS_close_range, 3U, ~0U, 1U << 2);
#endif
  return true;
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (plan.isolation != Isolation::kNone) {
    EnterNamespaces(plan);
    if (!DropCapabilities()) {
      Fail(plan, kCapabilities);
    }
  }
  if (!SetLimits(plan) || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    Fail(plan, kLimits);
  }
  // Blocked and ignored signals are inherited over execve.
  sigset_t nothing;
  ::sigemptyset(&nothing);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (!PlaceDescriptors(plan)) {
    Fail(plan, kDescriptors);
  }
  if (::chdir(plan.working_directory) != 0) {
    Fail(plan, kDirectory);
  }
  if (plan.path != nullptr) {
    ::execve(plan.path, plan.arguments.data(), plan.environment.data());
    Fail(plan, kExecute);
  }
  ::_exit(0);
}

void Carry(unsigned long from, unsigned long flag, unsigned long as, unsigned long* to) {
  if ((from & flag) != 0) {
    *to |= as;
  }
}

// Flags of the file system below `path` that a remount in a user namespace must repeat.
absl::StatusOr<unsigned long> RemountFlags(const std::filesystem::path& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) {
    return FileError(errno, "examine", path);
  }
  unsigned long flags = MS_RDONLY;
  Carry(info.f_flag, ST_NOSUID, MS_NOSUID, &flags);
  Carry(info.f_flag, ST_NODEV, MS_NODEV, &flags);
  Carry(info.f_flag, ST_NOEXEC, MS_NOEXEC, &flags);
  Carry(info.f_flag, ST_NOATIME, MS_NOATIME, &flags);
  Carry(info.f_flag, ST_NODIRATIME, MS_NODIRATIME, &flags);
  Carry(info.f_flag, ST_RELATIME, MS_RELATIME, &flags);
  return flags;
}

rlimit LimitOf(std::uint64_t bytes) {
  const rlim_t limit = bytes == 0 ? RLIM_INFINITY : static_cast<rlim_t>(bytes);
  return {limit, limit};
}

absl::StatusOr<ChildPlan> MakePlan(const ProgramOptions& options) {
  ChildPlan plan;
  plan.isolation = options.isolation;
  plan.working_directory = options.working_directory.c_str();
  for (const std::string& argument : options.command) {
    plan.arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  plan.path = options.command.empty() ? nullptr : options.command.front().c_str();
  plan.arguments.push_back(nullptr);
  for (const std::string& variable : options.environment) {
    plan.environment.push_back(const_cast<char*>(variable.c_str()));
  }
  plan.environment.push_back(nullptr);
  for (const std::filesystem::path& path : options.hidden) {
    plan.hidden.push_back(path.c_str());
  }
  for (const std::filesystem::path& path : options.read_only) {
    CARNET_ASSIGN_OR_RETURN(const unsigned long flags, RemountFlags(path));
    plan.read_only.push_back({.path = path.c_str(), .remount_flags = flags});
  }
  // The same user inside as outside, and no other.
  plan.uid_map = absl::StrCat(::geteuid(), " ", ::geteuid(), " 1");
  plan.gid_map = absl::StrCat(::getegid(), " ", ::getegid(), " 1");
  plan.memory = LimitOf(options.memory_bytes_max);
  plan.file = LimitOf(options.file_bytes_max);
  return plan;
}

unsigned long CloneFlags(Isolation isolation) {
  constexpr unsigned long kSpaces = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC;
  switch (isolation) {
    case Isolation::kNone:
      return 0;
    case Isolation::kNamespaces:
      return kSpaces;
    case Isolation::kUserNamespaces:
      return kSpaces | CLONE_NEWUSER;
  }
  return 0;
}

absl::Status StageError(const Failure& failure, const ProgramOptions& options) {
  CARNET_CHECK(failure.stage >= 0 && failure.stage <= kExecute);
  if (failure.stage == kExecute) {
    return FileError(failure.error, "execute", options.command.front());
  }
  return WithOperatorDetail(
      absl::FailedPreconditionError("program: the system refused to set it apart"),
      absl::StrCat("could not ", kStageNames[failure.stage], ": ", std::strerror(failure.error)));
}

// A descriptor above 2, so that placing 0, 1 and 2 overwrites none that is still needed.
absl::StatusOr<UniqueFd> Raised(int fd) {
  UniqueFd raised(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!raised.valid()) {
    return FileError(errno, "duplicate", "a descriptor");
  }
  return raised;
}

}  // namespace

absl::StatusOr<pid_t> StartProgram(const ProgramOptions& options) {
  CARNET_ASSIGN_OR_RETURN(ChildPlan plan, MakePlan(options));
  UniqueFd handed[3];
  const int given[3] = {options.stdin_fd, options.stdout_fd, options.stderr_fd};
  for (int i = 0; i < 3; ++i) {
    CARNET_ASSIGN_OR_RETURN(handed[i], Raised(given[i]));
    plan.descriptors[i] = handed[i].get();
  }
  int report[2] = {-1, -1};
  if (::pipe2(report, O_CLOEXEC) != 0) {
    return FileError(errno, "make", "a pipe");
  }
  const UniqueFd report_read(report[0]);
  UniqueFd report_write(report[1]);
  plan.report_fd = report_write.get();
  // The raw call: glibc's fork cannot make namespaces, and the child does nothing but system calls.
  const long child = ::syscall(SYS_clone, CloneFlags(options.isolation) | SIGCHLD, nullptr, nullptr,
                               nullptr, nullptr);
  if (child == 0) {
    RunChild(plan);
  }
  if (child < 0) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("program: the system refused to set it apart"),
        absl::StrCat("could not make namespaces: ", std::strerror(errno)));
  }
  const pid_t pid = static_cast<pid_t>(child);
  report_write.Reset();
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(report_read.get(), &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof(failure))) {
    ::waitpid(pid, nullptr, 0);
    return StageError(failure, options);
  }
  return pid;
}

void KillProgram(pid_t pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);
}

Isolation ProbeIsolation() {
  for (const Isolation isolation : {Isolation::kUserNamespaces, Isolation::kNamespaces}) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ProgramOptions options;
    options.working_directory = "/";
    options.isolation = isolation;
    // A tmpfs and a read-only bind are tried as well: both are part of the promise.
    options.hidden = {"/tmp"};
    options.read_only = {"/usr"};
    options.stdin_fd = options.stdout_fd = options.stderr_fd = null.get();
    const auto pid = StartProgram(options);
    int status = -1;
    if (pid.ok() && ::waitpid(*pid, &status, 0) == *pid && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0) {
      return isolation;
    }
  }
  return Isolation::kNone;
}

}  // namespace carnet::worker
