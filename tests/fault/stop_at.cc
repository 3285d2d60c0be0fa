// A library for LD_PRELOAD that ends or halts a process at one named point of its own work: the
// n-th call of one kind on files whose path holds a text, or the n-th record of one kind on its way
// into the ledger. What a kill there leaves is what a power cut or the kernel's memory killer
// leaves, and the same seed gives the same point. The program under test knows nothing of it.
//
//   CARNET_STOP_AT      pwrite|pread|fdatasync|rename|record ; TEXT ; N ; before|after ; kill|stop
//                       TEXT is part of the path (of either path for rename); for `record` it is
//                       part of the statement, and `after` means: once the write-ahead log that
//                       holds it was fdatasynced
//   CARNET_STOP_AT_LOG  file that gets one line just before the signal
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Rule {
  std::string call;
  std::string text;
  long count = 0;
  bool after = false;
  int signal = 0;
};

std::string Field(const char** rest) {
  const char* const end = std::strchr(*rest, ';');
  std::string field = end == nullptr ? std::string(*rest) : std::string(*rest, end);
  *rest = end == nullptr ? *rest + field.size() : end + 1;
  return field;
}

// A rule that cannot be understood ends the process: a test would else pass without its fault.
Rule ReadRule() {
  Rule rule;
  const char* rest = std::getenv("CARNET_STOP_AT");
  if (rest == nullptr) {
    return rule;
  }
  rule.call = Field(&rest);
  rule.text = Field(&rest);
  rule.count = std::atol(Field(&rest).c_str());
  const std::string when = Field(&rest);
  const std::string action = Field(&rest);
  rule.after = when == "after";
  rule.signal = action == "kill" ? SIGKILL : action == "stop" ? SIGSTOP : 0;
  if (rule.count < 1 || rule.signal == 0 || (when != "after" && when != "before")) {
    std::fputs("CARNET_STOP_AT is malformed\n", stderr);
    std::abort();
  }
  return rule;
}

const Rule& TheRule() {
  static const Rule rule = ReadRule();
  return rule;
}

std::atomic<long> calls{0};
std::atomic<bool> record_bound{false};

void Act(const std::string& where) {
  if (const char* const log = std::getenv("CARNET_STOP_AT_LOG"); log != nullptr) {
    const std::string line = TheRule().call + " " + where + "\n";
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
      (void)!::write(fd, line.data(), line.size());
      close(fd);
    }
  }
  kill(getpid(), TheRule().signal);
}

// Whether this is the call that the rule names.
bool Counts(const char* call, const std::string& path) {
  const Rule& rule = TheRule();
  return rule.call == call && path.find(rule.text) != std::string::npos &&
         calls.fetch_add(1) + 1 == rule.count;
}

std::string PathOf(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(link.c_str(), path, sizeof(path));
  return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Runs `real` with the rule's signal before or after it, if this call is the one.
template <typename Call>
auto Around(const char* call, int fd, Call real) {
  if (TheRule().call != call) {
    return real();
  }
  const std::string path = PathOf(fd);
  const bool now = Counts(call, path);
  if (now && !TheRule().after) {
    Act(path);
  }
  const auto result = real();
  if (now && TheRule().after) {
    Act(path);
  }
  return result;
}

void OnRecord(const void* data, std::uint64_t size) {
  const Rule& rule = TheRule();
  if (rule.call != "record" || data == nullptr ||
      memmem(data, size, rule.text.data(), rule.text.size()) == nullptr ||
      calls.fetch_add(1) + 1 != rule.count) {
    return;
  }
  if (rule.after) {
    record_bound.store(true);
  } else {
    Act(rule.text + ", not durable yet");
  }
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static const auto real = Real<decltype(pwrite)>("pwrite");
  return Around("pwrite", fd, [&] { return real(fd, data, size, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static const auto real = Real<decltype(pwrite64)>("pwrite64");
  return Around("pwrite", fd, [&] { return real(fd, data, size, offset); });
}
ssize_t write(int fd, const void* data, size_t size) {
  static const auto real = Real<decltype(write)>("write");
  return Around("pwrite", fd, [&] { return real(fd, data, size); });
}
ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  static const auto real = Real<decltype(pread)>("pread");
  return Around("pread", fd, [&] { return real(fd, data, size, offset); });
}
ssize_t pread64(int fd, void* data, size_t size, off64_t offset) {
  static const auto real = Real<decltype(pread64)>("pread64");
  return Around("pread", fd, [&] { return real(fd, data, size, offset); });
}

int fdatasync(int fd) {
  static const auto real = Real<decltype(fdatasync)>("fdatasync");
  return Around("fdatasync", fd, [&] { return real(fd); });
}
int fsync(int fd) {
  static const auto real = Real<decltype(fsync)>("fsync");
  return Around("fdatasync", fd, [&] { return real(fd); });
}

int rename(const char* from, const char* to) {
  static const auto real = Real<decltype(rename)>("rename");
  const std::string paths = std::string(from) + " " + to;
  const bool now = Counts("rename", paths);
  if (now && !TheRule().after) {
    Act(paths);
  }
  const int result = real(from, to);
  if (now && TheRule().after) {
    Act(paths);
  }
  return result;
}

// The ledger's store binds each statement exactly once.
int sqlite3_bind_blob64(void* statement, int index, const void* data, std::uint64_t size,
                        void (*destructor)(void*)) {
  using Bind = int(void*, int, const void*, std::uint64_t, void (*)(void*));
  static const auto real = Real<Bind>("sqlite3_bind_blob64");
  OnRecord(data, size);
  return real(statement, index, data, size, destructor);
}

// COMMIT returns when the write-ahead log is fsynced.
int sqlite3_exec(void* database, const char* sql, int (*row)(void*, int, char**, char**),
                 void* argument, char** error) {
  using Exec = int(void*, const char*, int (*)(void*, int, char**, char**), void*, char**);
  static const auto real = Real<Exec>("sqlite3_exec");
  const int result = real(database, sql, row, argument, error);
  if (result == 0 && std::strcmp(sql, "COMMIT") == 0 && record_bound.exchange(false)) {
    Act(TheRule().text + ", durable");
  }
  return result;
}

}  // extern "C"
