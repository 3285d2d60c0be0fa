// `carnet init`: a federation from one file. Keys, certificate authority, genesis, people, regions,
// data, invitations.
#ifndef CARNET_COORDINATOR_INIT_H_
#define CARNET_COORDINATOR_INIT_H_

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/rng.h"
#include "carnet/v1/config.pb.h"

namespace carnet::coordinator {

struct InitOptions {
  std::filesystem::path federation_file;
  std::filesystem::path state_dir;  // must not exist
  std::filesystem::path join_dir;   // join/<worker>.token go here; empty: `join` beside state_dir
};

struct InitReport {
  std::string federation;
  std::string origin;
  std::string log_vkey;
  std::string bundle_sha256;
  std::vector<std::string> policies;
  std::vector<std::string> people;
  std::vector<std::string> keys_made;  // names of those whose keys were made here, to be taken away
  std::vector<std::string> certified;  // "NAME ed25519 HEX" of those who brought their own keys
  // "supplier lion", "region sg", "dataset digits": registered, and unknown until somebody signs
  // them whose keys are not here.
  std::vector<std::string> unstated;
  absl::Time policies_until;  // exclusive
  // The roles of each person who must be enrolled before `policies_until`, or nothing crosses after
  // it; where they work. Empty but for a federation of one person, who is everything.
  std::vector<std::set<std::string>> needed;
  std::string jurisdiction;
  std::string organisation;
  std::vector<std::filesystem::path> tokens;
  std::uint64_t records = 0;
};

// Errors in the federation file, each with the field and what is allowed. Pure.
absl::Status ValidateFederation(const v1::FederationConfig& federation);

// Everything is made in a folder beside `state_dir` and moved there whole at the end: a failure
// leaves nothing. Errors: ALREADY_EXISTS the state folder exists; those of the federation file, its
// policies and base/files.h.
absl::StatusOr<InitReport> InitFederation(const InitOptions& options, Clock& clock, Rng& rng);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_INIT_H_
