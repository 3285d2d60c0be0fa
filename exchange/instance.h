// How a process of a worker says which one it is, in the metadata of its calls (docs/protocol.md).
#ifndef CARNET_EXCHANGE_INSTANCE_H_
#define CARNET_EXCHANGE_INSTANCE_H_

#include <cstddef>

namespace carnet::exchange {

// In the metadata of every NextTask, Download and Upload: kInstanceBytes random bytes that the
// process made when it started. No secret: whoever holds the worker's keys can say any.
inline constexpr char kInstanceMetadata[] = "carnet-instance-bin";
// In the initial metadata of each answer to NextTask, and in that of the process's next poll: what
// shows that the process was there to read the answer.
inline constexpr char kTurnMetadata[] = "carnet-turn-bin";
inline constexpr std::size_t kInstanceBytes = 16;
inline constexpr std::size_t kTurnBytes = 16;

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_INSTANCE_H_
