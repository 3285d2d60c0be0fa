// The header that is stored beside a sealed blob, parsed.
#ifndef CARNET_COORDINATOR_BLOBS_SEALED_HEADER_H_
#define CARNET_COORDINATOR_BLOBS_SEALED_HEADER_H_

#include "absl/status/statusor.h"
#include "coordinator/blobs/blobs.h"
#include "exchange/artifact.h"

namespace carnet::coordinator {

// Blocks on the file. Errors: NOT_FOUND the blob has no header, or is of a kind that has none;
// those of ReadFile; INVALID_ARGUMENT it is none that exchange::MakeHeader wrote.
absl::StatusOr<exchange::Header> ReadSealedHeader(const Blobs& blobs, const BlobId& id);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_BLOBS_SEALED_HEADER_H_
