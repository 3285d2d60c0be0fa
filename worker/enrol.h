// Enrolment over HTTPS: how a join token becomes keys, a certificate and an identity, and how the
// certificate is renewed. Everything is on disk before it is used, so a worker that was killed
// anywhere goes on where it was: the same keys and the same request get the same answer.
#ifndef CARNET_WORKER_ENROL_H_
#define CARNET_WORKER_ENROL_H_

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/http_client.h"
#include "base/rng.h"
#include "carnet/v1/federation.pb.h"
#include "exchange/join_token.h"
#include "exchange/member_keys.h"
#include "worker/core/identity.h"
#include "worker/state_dir.h"

namespace carnet::worker {

struct OwnKeys : exchange::MemberKeys {
  OwnPublicKeys PublicKeys() const;
};

// A worker that is a member: everything that the rest of its life needs.
struct Enrolled {
  FederationFacts facts;
  OwnKeys keys;
  Identity identity;
  v1::EnrollResponse answer;  // with the newest certificate
};

struct EnrolParts {
  const StateDir& state;
  const Clock& clock;
  Rng& rng;
  // HttpCall, or a test's own.
  std::function<absl::StatusOr<HttpResponse>(const HttpCallOptions&, const HttpRequest&)> call;
};

// Reads what is on disk, or enrols with the token in `token_path`, which is read only while it is
// needed. Errors: FAILED_PRECONDITION not enrolled and no token. INVALID_ARGUMENT the token is
// malformed or expired, or of another federation than the one that this state directory belongs to.
// UNAUTHENTICATED the coordinator is not the token's, or what it answered does not hold.
// UNAVAILABLE nobody answered: retry. Others from the coordinator: ALREADY_EXISTS or
// FAILED_PRECONDITION the token was used by another worker; PERMISSION_DENIED it has expired.
absl::StatusOr<Enrolled> LoadOrEnrol(const EnrolParts& parts,
                                     const std::optional<std::filesystem::path>& token_path,
                                     const v1::WorkerStatement& statement);

// The token of a file. Errors: INVALID_ARGUMENT it is malformed or expired; those of base/files.h.
absl::StatusOr<exchange::JoinToken> ReadJoinToken(const std::filesystem::path& path,
                                                  absl::Time now);

// Whether a third of the certificate's life has passed, or its authority is giving way to another
// that this worker followed. Error INVALID_ARGUMENT: it does not parse.
absl::StatusOr<bool> RenewalDue(const Enrolled& enrolled, absl::Time now);
// Asks for a fresh certificate and keeps it. One of another authority is kept together with the
// records that lead to it, in one file: a restart knows both or neither. Errors: UNAVAILABLE retry;
// PERMISSION_DENIED revoked, or the lease has ended: a new invitation is needed. UNAUTHENTICATED
// the coordinator is not known by any authority that this worker followed, or what it answered does
// not hold.
absl::Status Renew(const EnrolParts& parts, Enrolled* enrolled);

// Whether the coordinator that answers is the one that this worker can know, when polls fail
// without saying why. Errors: UNAUTHENTICATED, with what to do: it shows another authority.
// UNAVAILABLE: nobody answers.
absl::Status ProbeCoordinator(const EnrolParts& parts, const Enrolled& enrolled);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_ENROL_H_
