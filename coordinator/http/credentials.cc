#include "coordinator/http/credentials.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kNotBeforeSkew = absl::Minutes(5);

}  // namespace

absl::StatusOr<Authorities::Issued> IssueToClient(const Services& services, const Bytes& spki,
                                                  const crypto::SpiffeId& id, absl::Time until) {
  return services.authorities.Issue({.spki = spki,
                                     .id = id,
                                     .client = true,
                                     .validity = {services.clock.Now() - kNotBeforeSkew, until}});
}

}  // namespace carnet::coordinator
