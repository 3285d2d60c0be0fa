// Errors and invariants. Nothing of ours throws: functions that can fail return absl::Status or
// absl::StatusOr. Two audiences read an error: `message()` may cross a border and holds only fixed
// words and ids; details for the operator of this machine travel as a payload that never leaves the
// process.
#ifndef CARNET_BASE_STATUS_H_
#define CARNET_BASE_STATUS_H_

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace carnet {

// Payloads that stay on this machine: where it happened (a path, a library's own words) and what to
// do.
inline constexpr char kOperatorDetailUrl[] = "carnet/operator-detail";
inline constexpr char kRemedyUrl[] = "carnet/remedy";

// `status` with a detail or a remedy for the operator; an OK status stays as it is. Never a secret.
inline absl::Status WithOperatorDetail(absl::Status status, absl::string_view detail) {
  status.SetPayload(kOperatorDetailUrl, absl::Cord(detail));
  return status;
}
inline absl::Status WithRemedy(absl::Status status, absl::string_view remedy) {
  status.SetPayload(kRemedyUrl, absl::Cord(remedy));
  return status;
}
// The detail or remedy of `status`; empty where there is none.
inline std::string OperatorDetail(const absl::Status& status) {
  return std::string(status.GetPayload(kOperatorDetailUrl).value_or(absl::Cord()));
}
inline std::string Remedy(const absl::Status& status) {
  return std::string(status.GetPayload(kRemedyUrl).value_or(absl::Cord()));
}
// For this machine's operator only: up to three lines, what, where and what to do. No newline at
// the end.
inline std::string DescribeForOperator(const absl::Status& status) {
  std::string text(status.message());
  for (const std::string& line : {OperatorDetail(status), Remedy(status)}) {
    if (!line.empty()) {
      text.append("\n").append(line);
    }
  }
  return text;
}

}  // namespace carnet

namespace carnet::status_internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: CARNET_CHECK(%s) failed: a bug in Carnet\n", file, line, condition);
  std::abort();
}

inline absl::Status ToStatus(absl::Status status) {
  return status;
}
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

}  // namespace carnet::status_internal

// Aborts when `condition` is false, in every build. Only for our own bugs, never for what a peer, a
// file or a user can cause.
#define CARNET_CHECK(condition)                                               \
  do {                                                                        \
    if (!(condition)) {                                                       \
      ::carnet::status_internal::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                                         \
  } while (false)

// Returns the error of `expression` (a Status or StatusOr) from the enclosing function, if it is
// one.
#define CARNET_RETURN_IF_ERROR(expression)                                        \
  do {                                                                            \
    absl::Status carnet_status = ::carnet::status_internal::ToStatus(expression); \
    if (!carnet_status.ok()) {                                                    \
      return carnet_status;                                                       \
    }                                                                             \
  } while (false)

#define CARNET_STATUS_CONCAT_INNER(a, b) a##b
#define CARNET_STATUS_CONCAT(a, b) CARNET_STATUS_CONCAT_INNER(a, b)
#define CARNET_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.ok()) {                                            \
    return std::move(result).status();                           \
  }                                                              \
  target = std::move(result).value()

// `target` may be a declaration: CARNET_ASSIGN_OR_RETURN(const auto key, ReadKey(path));
#define CARNET_ASSIGN_OR_RETURN(target, expression) \
  CARNET_ASSIGN_OR_RETURN_IMPL(CARNET_STATUS_CONCAT(carnet_result_, __LINE__), target, expression)

#endif  // CARNET_BASE_STATUS_H_
