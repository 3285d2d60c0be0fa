// federation.json in a worker's state directory: what its join token said, without the secret.
// Pure.
#ifndef CARNET_WORKER_FEDERATION_FILE_H_
#define CARNET_WORKER_FEDERATION_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "exchange/join_token.h"
#include "worker/core/identity.h"

namespace carnet::worker {

inline constexpr std::size_t kFederationFileBytesMax = std::size_t{16} * 1024;

// Error INVALID_ARGUMENT: region, supplier or slot make no SPIFFE id.
absl::StatusOr<FederationFacts> FactsOf(const exchange::JoinToken& token);
absl::StatusOr<std::string> FederationJson(const FederationFacts& facts);
// Error INVALID_ARGUMENT: anything but what FederationJson writes.
absl::StatusOr<FederationFacts> ParseFederationJson(absl::string_view text);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_FEDERATION_FILE_H_
