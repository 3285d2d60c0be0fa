// Every seed of a worker follows from the job, the round and its own name, so that a round that is
// run again gives the same bytes: HKDF-SHA256(salt "carnet/seed/v1", key = job spec digest, info =
// purpose || 0x00 || round as 4 bytes, big endian || SPIFFE path [|| 0x00 || block as 8 bytes, big
// endian]). Pure.
#ifndef CARNET_WORKER_CORE_SEEDS_H_
#define CARNET_WORKER_CORE_SEEDS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "model/codec.h"

namespace carnet::worker {

// What a trainer gets as `seed`, purpose "fit": the first 53 bits, so that every JSON reader keeps
// it exact.
std::uint64_t FitSeed(const Digest& spec_sha256, std::uint32_t round,
                      absl::string_view spiffe_path);

// The random stream of the int8 codec, purpose "stochastic-rounding". A block's stream is
// HKDF-Expand-SHA512 of its 32-byte key with info = piece number as 4 bytes, big endian, in pieces
// of 16320 bytes. Thread-safe.
model::BlockRandom RoundingRandom(const Digest& spec_sha256, std::uint32_t round,
                                  absl::string_view spiffe_path);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_SEEDS_H_
