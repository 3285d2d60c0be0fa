// The exceptions of a bundle, and how an approval names one. Pure; thread-safe.
#ifndef CARNET_POLICIES_EXCEPTIONS_H_
#define CARNET_POLICIES_EXCEPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "policies/bundle.h"

namespace carnet::policies {

struct ExceptionTerms {
  std::string policy;
  std::string id;                  // as decisions name it
  std::vector<std::string> roles;  // whose approvals it needs; sorted
  std::uint32_t need = 0;          // persons; 0: nobody
  absl::Time from;
  absl::Time to;  // exclusive
};
// By policy, in their order there.
std::vector<ExceptionTerms> ExceptionsOf(const Bundle& bundle);

// The subject of an approval of kind exception: SHA-256 of {"exception":id,"policy":policy} as
// RFC 8785 JSON (records.proto, Approval).
Digest ExceptionDigest(absl::string_view policy, absl::string_view id);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_EXCEPTIONS_H_
