// What a member takes home from an enrolment or a renewal: a certificate, and the records that
// prove which federation it is of.
#ifndef CARNET_COORDINATOR_HTTP_CREDENTIALS_H_
#define CARNET_COORDINATOR_HTTP_CREDENTIALS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/status.h"
#include "coordinator/rpc/key_admin.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/task_message.h"
#include "crypto/certificates.h"

namespace carnet::coordinator {

// A client's certificate of `spki` for `id`: from a little before now, for clocks that run late,
// until `until` or the end of the authority, whichever is first. Errors: those of
// Authorities::Issue.
absl::StatusOr<Authorities::Issued> IssueToClient(const Services& services, const Bytes& spki,
                                                  const crypto::SpiffeId& id, absl::Time until);

// Fills in genesis, every rotation, and the head that they are proven under, which is returned: the
// log's newest, taken after the rotations, so that it covers them and whatever was durable when
// this was called. Blocks on the log and the engine. Errors: those of RotationIndexes and
// ProveUnder.
template <typename Response>
absl::StatusOr<ledger::SignedHead> ProveFederation(const Services& services, Response* response) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> rotations, RotationIndexes(services));
  const ledger::SignedHead head = services.log.Head();
  CARNET_ASSIGN_OR_RETURN(*response->mutable_genesis(), ProveUnder(services.log, 0, head));
  for (const std::uint64_t rotation : rotations) {
    CARNET_ASSIGN_OR_RETURN(*response->add_rotations(), ProveUnder(services.log, rotation, head));
  }
  response->set_head(head.note);
  return head;
}

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HTTP_CREDENTIALS_H_
