// What answers carry beside their messages.
#ifndef CARNET_COORDINATOR_RPC_METADATA_H_
#define CARNET_COORDINATOR_RPC_METADATA_H_

#include <cstddef>

namespace carnet::coordinator {

// In the initial metadata of GetRecord(0): indexes of the key-rotated records, ascending, with
// commas between them; the newest kRotationsTold. For callers that know an earlier key of the log
// or of the coordinator.
inline constexpr char kRotationsMetadata[] = "carnet-key-rotated";
inline constexpr std::size_t kRotationsTold = 256;

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_METADATA_H_
