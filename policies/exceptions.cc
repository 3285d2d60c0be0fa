#include "policies/exceptions.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "policies/compiled.h"

namespace carnet::policies {

std::vector<ExceptionTerms> ExceptionsOf(const Bundle& bundle) {
  std::vector<ExceptionTerms> all;
  for (const Policy& policy : bundle.compiled().policies) {
    for (const Exception& exception : policy.exceptions) {
      all.push_back({policy.name, exception.id, exception.approvers.roles, exception.approvers.need,
                     exception.from, exception.to});
    }
  }
  return all;
}

Digest ExceptionDigest(absl::string_view policy, absl::string_view id) {
  const nlohmann::json subject = {{"exception", std::string(id)}, {"policy", std::string(policy)}};
  const absl::StatusOr<std::string> canonical = CanonicalJson(subject);
  CARNET_CHECK(canonical.ok());  // names of a bundle are ASCII
  return crypto::Sha256(AsBytes(*canonical));
}

}  // namespace carnet::policies
