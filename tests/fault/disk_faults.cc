// A library for LD_PRELOAD between a program and one folder: it counts every operation that changes
// the folder, makes the n-th one fail or end the process, and can write down all of them, so that a
// power cut at any point can be played back (tests/fault/power_loss.py). The program under test
// knows nothing of it.
//
//   CARNET_DISK_ROOT     the folder, an absolute path without links
//   CARNET_DISK_FAULT    N ; kill-before|kill-after|kill-half|eio|enospc|short
//                        kill-half and short do half of a write; short is no error
//   CARNET_DISK_JOURNAL  file that gets a line for each operation; what was written goes to
//                        JOURNAL.data. Lines: OP PATH [OFFSET SIZE DATA-OFFSET] or OP FROM TO.
//                        `said` stands for a write to standard output.
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

struct Rule {
  long number = 0;  // 0: none
  std::string kind;
};

// A rule that cannot be understood ends the process: a test would else pass without its fault.
Rule ReadRule() {
  const std::string text = Environment("CARNET_DISK_FAULT");
  if (text.empty()) {
    return {};
  }
  const std::size_t semicolon = text.find(';');
  Rule rule;
  rule.number = std::atol(text.c_str());
  rule.kind = semicolon == std::string::npos ? "" : text.substr(semicolon + 1);
  for (const char* kind : {"kill-before", "kill-after", "kill-half", "eio", "enospc", "short"}) {
    if (rule.kind == kind && rule.number > 0) {
      return rule;
    }
  }
  std::fputs("CARNET_DISK_FAULT is malformed\n", stderr);
  std::abort();
}

const Rule& TheRule() {
  static const Rule rule = ReadRule();
  return rule;
}

const std::string& Root() {
  static const std::string root = Environment("CARNET_DISK_ROOT");
  return root;
}

bool Below(const std::string& path) {
  return !Root().empty() && path.rfind(Root(), 0) == 0;
}

std::string PathOf(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(link.c_str(), path, sizeof(path));
  return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}

// The journal's two files, opened once. They lie outside of the folder.
class Journal {
 public:
  Journal() {
    const std::string path = Environment("CARNET_DISK_JOURNAL");
    if (!path.empty()) {
      lines_ = std::fopen(path.c_str(), "w");
      data_ = std::fopen((path + ".data").c_str(), "w");
    }
  }
  void Line(const std::string& line) {
    if (lines_ != nullptr) {
      std::fputs((line + "\n").c_str(), lines_);
      std::fflush(lines_);
    }
  }
  void Written(const std::string& path, const void* bytes, std::size_t size, off64_t offset) {
    if (lines_ == nullptr || data_ == nullptr) {
      return;
    }
    Line("write " + path + " " + std::to_string(offset) + " " + std::to_string(size) + " " +
         std::to_string(std::ftell(data_)));
    std::fwrite(bytes, 1, size, data_);
    std::fflush(data_);
  }

 private:
  FILE* lines_ = nullptr;
  FILE* data_ = nullptr;
};

Journal& TheJournal() {
  static auto* const journal = new Journal();
  return *journal;
}

std::atomic<long> operations{0};

// What the rule says of the operation that comes now; empty: nothing.
std::string Fault() {
  return operations.fetch_add(1) + 1 == TheRule().number ? TheRule().kind : std::string();
}

[[noreturn]] void Die() {
  kill(getpid(), SIGKILL);
  for (;;) {
    pause();
  }
}

// An operation that is done or not: a sync, a rename, a cut.
template <typename Call>
int Change(const std::string& line, Call real) {
  const std::string fault = Fault();
  if (fault == "kill-before" || fault == "kill-half") {
    Die();
  }
  if (fault == "eio" || fault == "enospc") {
    errno = fault == "eio" ? EIO : ENOSPC;
    return -1;
  }
  const int result = real();
  if (result == 0) {
    TheJournal().Line(line);
  }
  if (fault == "kill-after") {
    Die();
  }
  return result;
}

// A write at `offset`; `real` writes the first `size` bytes.
template <typename Call>
ssize_t Write(const std::string& path, const void* data, std::size_t size, off64_t offset,
              Call real) {
  const std::string fault = Fault();
  if (fault == "kill-before") {
    Die();
  }
  if (fault == "eio" || fault == "enospc") {
    errno = fault == "eio" ? EIO : ENOSPC;
    return -1;
  }
  const bool half = (fault == "short" || fault == "kill-half") && size > 1;
  const ssize_t written = real(half ? size / 2 : size);
  if (written > 0) {
    TheJournal().Written(path, data, static_cast<std::size_t>(written), offset);
  }
  if (fault == "kill-half" || fault == "kill-after") {
    Die();
  }
  return written;
}

template <typename Call>
ssize_t WriteAt(int fd, const void* data, std::size_t size, off64_t offset, Call real) {
  const std::string path = PathOf(fd);
  return Below(path) ? Write(path, data, size, offset, real) : real(size);
}

int Sync(int fd, int (*real)(int)) {
  const std::string path = PathOf(fd);
  return Below(path) ? Change("sync " + path, [&] { return real(fd); }) : real(fd);
}

int Cut(int fd, off64_t size, int (*real)(int, off64_t)) {
  const std::string path = PathOf(fd);
  return Below(path)
             ? Change("cut " + path + " " + std::to_string(size), [&] { return real(fd, size); })
             : real(fd, size);
}

// Opens that make a file are written down: its name is not durable before its folder is synced.
template <typename Call>
int Open(const char* path, int flags, Call real) {
  struct stat64 before;
  const bool makes = (flags & O_CREAT) != 0 && Below(path) && stat64(path, &before) != 0;
  const int fd = real();
  if (fd >= 0 && makes) {
    TheJournal().Line(std::string("create ") + path);
  }
  return fd;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  static const auto real = Real<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return Open(path, flags, [&] { return real(path, flags, mode); });
}
int open64(const char* path, int flags, ...) {
  static const auto real = Real<int(const char*, int, ...)>("open64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return Open(path, flags, [&] { return real(path, flags, mode); });
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static const auto real = Real<decltype(pwrite)>("pwrite");
  return WriteAt(fd, data, size, offset, [&](size_t n) { return real(fd, data, n, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static const auto real = Real<decltype(pwrite64)>("pwrite64");
  return WriteAt(fd, data, size, offset, [&](size_t n) { return real(fd, data, n, offset); });
}
ssize_t write(int fd, const void* data, size_t size) {
  static const auto real = Real<decltype(write)>("write");
  if (fd == STDOUT_FILENO) {
    std::string text(static_cast<const char*>(data), size);
    TheJournal().Line("said " + text.substr(0, text.find('\n')));
    return real(fd, data, size);
  }
  return WriteAt(fd, data, size, lseek64(fd, 0, SEEK_CUR),
                 [&](size_t n) { return real(fd, data, n); });
}

int ftruncate(int fd, off_t size) {
  static const auto real = Real<decltype(ftruncate)>("ftruncate");
  return Cut(fd, size, real);
}
int ftruncate64(int fd, off64_t size) {
  static const auto real = Real<decltype(ftruncate64)>("ftruncate64");
  return Cut(fd, size, real);
}
int fdatasync(int fd) {
  static const auto real = Real<decltype(fdatasync)>("fdatasync");
  return Sync(fd, real);
}
int fsync(int fd) {
  static const auto real = Real<decltype(fsync)>("fsync");
  return Sync(fd, real);
}

int rename(const char* from, const char* to) {
  static const auto real = Real<decltype(rename)>("rename");
  return Below(to)
             ? Change(std::string("rename ") + from + " " + to, [&] { return real(from, to); })
             : real(from, to);
}
int link(const char* from, const char* to) {
  static const auto real = Real<decltype(link)>("link");
  return Below(to) ? Change(std::string("link ") + from + " " + to, [&] { return real(from, to); })
                   : real(from, to);
}
int unlink(const char* path) {
  static const auto real = Real<decltype(unlink)>("unlink");
  return Below(path) ? Change(std::string("unlink ") + path, [&] { return real(path); })
                     : real(path);
}
int mkdir(const char* path, mode_t mode) {
  static const auto real = Real<decltype(mkdir)>("mkdir");
  return Below(path) ? Change(std::string("mkdir ") + path, [&] { return real(path, mode); })
                     : real(path, mode);
}

}  // extern "C"
