// Who this worker is and whom it trusts, as established once at enrolment from the join token
// alone: the token names the CA's key, the log's key and the hash of record 0; everything else
// follows by proofs. Pure.
#ifndef CARNET_WORKER_CORE_IDENTITY_H_
#define CARNET_WORKER_CORE_IDENTITY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "crypto/ed25519.h"
#include "crypto/spiffe.h"
#include "crypto/x25519.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/key_history.h"

namespace carnet::worker {

// What a token says, without its secret: kept for the life of the worker.
struct FederationFacts {
  std::string trust_domain;
  std::vector<std::string> addresses;        // gRPC
  std::vector<std::string> https_addresses;  // enrolment and renewal
  Digest ca_spki_sha256{};
  std::string log_vkey;
  Digest genesis_leaf{};
  crypto::SpiffeId spiffe_id;

  explicit FederationFacts(crypto::SpiffeId id) : spiffe_id(std::move(id)) {}
};

struct OwnPublicKeys {
  Bytes tls_spki;
  crypto::Ed25519PublicKey statement{};
  crypto::X25519PublicKey wrapping{};
};

// Everything that later checks compare with.
struct Identity {
  std::string worker_id;
  crypto::SpiffeId spiffe_id;
  std::string supplier;  // as in the record: empty for the home organisation
  std::string home_jurisdiction;
  ledger::verifier::VerifierKey log;
  // Who signs the coordinator's records; always set by EstablishIdentity. Grows while the worker
  // runs, on the thread that checks tasks; nobody else reads it.
  std::optional<ledger::verifier::KeyHistory> keys;

  explicit Identity(crypto::SpiffeId id) : spiffe_id(std::move(id)) {}
};

// Checks the answer to Enroll, or the stored one: the head is the log's; genesis is its record 0
// with the token's leaf hash, and names this log, trust domain and CA; worker-enrolled is signed by
// the coordinator's key of that time (key-rotated records come along) and names this worker and its
// three keys; the token's CA is the one of genesis or one that it gave way to; the certificate is
// of one of these, which counts at `at`, for this worker's key and SPIFFE id. `at` is when the
// certificate must hold; absl::InfinitePast(): not looked at (a stored one may be due for renewal).
// Errors: UNAUTHENTICATED, saying what does not hold; do not retry.
absl::StatusOr<Identity> EstablishIdentity(const FederationFacts& facts, const OwnPublicKeys& keys,
                                           const v1::EnrollResponse& answer, absl::Time at);

// `log` with the keys that the records hand it over to; others are passed over. Each handover was
// signed by a key that counts already, which only makes a head believable: that the records are in
// the log is for the caller to check, under a head of the result. Error UNAUTHENTICATED: a record
// is none.
absl::StatusOr<ledger::verifier::VerifierKey> FollowLog(
    ledger::verifier::VerifierKey log,
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations);

// Follows the key-rotated records that came with a poll, in their order; those that it knows are
// passed over, proven like the others. head: verified, and an extension of every head that this
// worker saw. Error UNAUTHENTICATED: one is not proven, or no handover from the key in force.
absl::Status FollowRotations(const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
                             const ledger::verifier::TreeHead& head,
                             ledger::verifier::KeyHistory* keys);

// The certificate part alone, for renewals. history: what this worker followed.
absl::Status CheckCertificate(const FederationFacts& facts, const OwnPublicKeys& keys,
                              const ledger::verifier::KeyHistory& history,
                              const v1::EnrollResponse& answer, absl::Time at);

// Whether both say the same of every key: the coordinator's, the log's and the authorities.
bool SameKeys(const ledger::verifier::KeyHistory& a, const ledger::verifier::KeyHistory& b);

// What a connection is checked with.
struct Roots {
  std::string pem;                            // of every authority that counts, never empty
  absl::Time until = absl::InfiniteFuture();  // when the first of them ends
};
// Error FAILED_PRECONDITION: the records name none with its certificate.
absl::StatusOr<Roots> RootsAt(const ledger::verifier::KeyHistory& history, absl::Time now);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_IDENTITY_H_
