// A library for LD_PRELOAD that shows a process another wall clock: CARNET_CLOCK_SHIFT seconds
// later than the machine's. Clocks that only measure durations stay as they are, so nothing is seen
// to step. Waits that end at a time of the wall clock are shifted back.
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

time_t ReadShift() {
  const char* const text = std::getenv("CARNET_CLOCK_SHIFT");
  char* end = nullptr;
  const long long seconds = text == nullptr ? 0 : std::strtoll(text, &end, 10);
  if (text != nullptr && (end == text || *end != '\0' || seconds < 0)) {
    std::fputs("CARNET_CLOCK_SHIFT is malformed\n", stderr);
    std::abort();
  }
  return static_cast<time_t>(seconds);
}

time_t Shift() {
  static const time_t shift = ReadShift();
  return shift;
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool IsWallClock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  static const auto real = Next<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, now);
  if (result == 0 && IsWallClock(clock)) {
    now->tv_sec += Shift();
  }
  return result;
}

int gettimeofday(timeval* now, void* zone) {
  static const auto real = Next<int (*)(timeval*, void*)>("gettimeofday");
  const int result = real(now, zone);
  if (result == 0) {
    now->tv_sec += Shift();
  }
  return result;
}

time_t time(time_t* out) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  static const auto real =
      Next<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  // A time that only the shifted clock can have shown. One of a clock since boot is far before it.
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  timespec shifted = *until;
  if (until->tv_sec > now.tv_sec - Shift() / 2) {
    shifted.tv_sec -= Shift();
  }
  return real(condition, mutex, &shifted);
}

// Abseil waits on futexes of its own.
long syscall(long number, ...) {
  static const auto real = Next<long (*)(long, ...)>("syscall");
  va_list arguments;
  va_start(arguments, number);
  long values[6];
  for (long& value : values) {
    value = va_arg(arguments, long);
  }
  va_end(arguments);
  timespec until;
  if (number == SYS_futex && (values[1] & FUTEX_CLOCK_REALTIME) != 0 && values[3] != 0) {
    until = *reinterpret_cast<const timespec*>(values[3]);
    until.tv_sec -= Shift();
    values[3] = reinterpret_cast<long>(&until);
  }
  return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

}  // extern "C"
