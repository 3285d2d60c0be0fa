// The first people of a federation: those of federation.yaml, or one who is everything
// (`bootstrap`). Part of init.
#ifndef CARNET_COORDINATOR_INIT_PEOPLE_H_
#define CARNET_COORDINATOR_INIT_PEOPLE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/rng.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/records.pb.h"
#include "coordinator/speakers.h"
#include "coordinator/state_dir.h"
#include "crypto/certificates.h"
#include "policies/bundle.h"

namespace carnet::coordinator {

// `people` of federation.yaml by itself. Nobody is an admin and decides about policies. Error
// INVALID_ARGUMENT: the field, and what is allowed. Pure.
absl::Status ValidatePeople(const v1::FederationConfig& federation);

// The people of federation.yaml can change and renew `bundle`, an author never counting among those
// who approve: else nothing would cross after its last day, with no way out. And somebody is
// data-steward, somebody compliance, dpo or legal, and somebody admin: else nothing could ever be
// trained. Without `people` nothing is asked. Error INVALID_ARGUMENT, with the lines to add as its
// remedy. Pure.
absl::Status CheckApprovers(const v1::FederationConfig& federation, const policies::Bundle& bundle);

struct PeopleOrder {
  const v1::FederationConfig& federation;
  const policies::Bundle& bundle;
  const crypto::CertificateAuthority& ca;
  std::filesystem::path base;  // of the files that federation.yaml names
  StateDir dir;
  std::string log_vkey;
};

struct FirstPeople {
  std::vector<v1::UserEnrolled> records;  // by name
  std::vector<std::string> names;
  std::vector<std::string> keys_made;  // names of those whose keys were made here
  std::vector<std::string> certified;  // "NAME ed25519 HEX" of those who brought their own
  bool alone = false;                  // one person, who holds every role
};

// Writes what each takes away: people/NAME/ and operator/, with keys unless `request` names those
// that the person made; those whose keys are made here are added to `speakers`. Errors
// INVALID_ARGUMENT: a request that does not hold, is of another name, or of a key that somebody
// else has; those of base/files.h.
absl::StatusOr<FirstPeople> MakeFirstPeople(const PeopleOrder& order, Clock& clock, Rng& rng,
                                            Speakers* speakers);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_INIT_PEOPLE_H_
