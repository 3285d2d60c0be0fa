// The keys that the log was handed over to, as this worker followed them: the file `log-keys`, one
// a line with the record that hands over to it. They count like the key that the join token names.
#ifndef CARNET_WORKER_LOG_KEYS_H_
#define CARNET_WORKER_LOG_KEYS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/heads.h"
#include "worker/core/identity.h"

namespace carnet::worker {

struct FollowedLog {
  ledger::verifier::VerifierKey log;        // its successors are among those of the file
  std::vector<v1::SignedRecord> handovers;  // of the file, oldest first
};

// `log` with what the file at `path` says; without a file, `log` alone. Errors: DATA_LOSS the file
// is damaged. Those of base/files.h.
absl::StatusOr<FollowedLog> ReadFollowed(ledger::verifier::VerifierKey log,
                                         const std::filesystem::path& path);

struct FollowedKey {
  std::string vkey;
  v1::SignedRecord handover;
};
// Adds these keys, oldest first. Durable on return. Errors: RESOURCE_EXHAUSTED the file would grow
// over 8 MiB. Those of base/files.h.
absl::Status KeepFollowed(const std::vector<FollowedKey>& keys, const std::filesystem::path& path);

// The log's key with every one that this worker knows it was handed over to: by records that came
// with its enrolment, and by those that it followed since. Reads beside a running worker. Errors:
// DATA_LOSS a file is damaged. Those of base/files.h.
absl::StatusOr<ledger::verifier::VerifierKey> LogKeyOf(const std::filesystem::path& state_dir,
                                                       const FederationFacts& facts);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_LOG_KEYS_H_
