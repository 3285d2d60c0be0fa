// What administrators do to the coordinator's own keys and to the vault: the part of
// carnet.v1.Admin that touches files.
#ifndef CARNET_COORDINATOR_RPC_KEY_ADMIN_H_
#define CARNET_COORDINATOR_RPC_KEY_ADMIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

// Makes the new key durable, then asks for its record: key-rotated by the old key. After a crash in
// between, the file is one that no record names and goes at the next start. Finishes `reactor`;
// request and response live until then. Errors besides those of Decide: INVALID_ARGUMENT an unknown
// kind; those of crypto/key_files.h.
void RotateKeyFor(const Services& services, const std::string& user_id,
                  const v1::RotateKeyRequest* request, v1::RotateKeyResponse* response,
                  grpc::ServerUnaryReactor* reactor);

// Of every key-rotated, ascending. Blocks on the engine. Error UNAVAILABLE: the coordinator is
// stopping.
absl::StatusOr<std::vector<std::uint64_t>> RotationIndexes(const Services& services);

// For kRotationsMetadata: the newest of them. Blocks on the engine. Error as above.
absl::StatusOr<std::string> RotationsOnRecord(const Services& services);

// Whether the record at `index` is a key-rotated. Blocks on the engine. Error as above.
absl::StatusOr<bool> IsRotation(const Services& services, std::uint64_t index);

// Orders the erasure of what the vault holds for the record; Reconcile does it. Errors besides
// those of Decide: OUT_OF_RANGE no such record; FAILED_PRECONDITION it has nothing in the vault.
void EraseFor(const Services& services, const std::string& user_id, const v1::EraseRequest* request,
              v1::EraseResponse* response, grpc::ServerUnaryReactor* reactor);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_KEY_ADMIN_H_
