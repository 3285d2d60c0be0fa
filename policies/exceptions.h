// Exceptions that persons approve: whom each asks for, and what they sign. Pure; thread-safe.
#ifndef CARNET_POLICIES_EXCEPTIONS_H_
#define CARNET_POLICIES_EXCEPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "policies/bundle.h"

namespace carnet::policies {

// An exception, and who must say yes before it lifts anything: whom it names itself, else whom the
// approvals of its policy name.
struct ApprovedException {
  std::string name;               // <policy>/<exception>
  std::uint32_t need = 0;         // persons, at least 1
  std::vector<std::string> from;  // roles, sorted
  // SHA-256 of ExceptionTerms: the subject of its approvals. The same text in another bundle has
  // the same subject; any other text has another, so nobody's yes moves to what he did not read.
  Digest subject{};
  absl::Time valid_from;
  absl::Time valid_to;  // exclusive
};

// Every exception of the bundle, by policy, in their order there. As long as the bundle.
inline const std::vector<ApprovedException>& ExceptionsOf(const Bundle& bundle) {
  return bundle.exceptions();
}
// The same, for a bundle in the making: a text and a digest for each.
std::vector<ApprovedException> ReadExceptions(const BundleSource& source,
                                              const CompiledBundle& compiled);

// By its name; null: the bundle has no such exception.
std::optional<ApprovedException> FindException(const Bundle& bundle, absl::string_view name);

// Canonical JSON {"exception": as it is written, "policy": its name} of any exception. Error
// NOT_FOUND.
absl::StatusOr<std::string> ExceptionTerms(const Bundle& bundle, absl::string_view name);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_EXCEPTIONS_H_
