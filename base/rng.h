// Randomness as a parameter. Pure code takes bytes that were already drawn; only edges hold an Rng.
#ifndef CARNET_BASE_RNG_H_
#define CARNET_BASE_RNG_H_

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace carnet {

class Rng {
 public:
  virtual ~Rng() = default;
  // Fills all of `out` with random bytes.
  virtual void Fill(std::span<std::uint8_t> out) = 0;
};

// The kernel's generator (getrandom(2)), fit for keys. Thread-safe. Waits at boot until the kernel
// is seeded; aborts the process if the kernel cannot give randomness, since nothing sound can
// follow.
class SystemRng final : public Rng {
 public:
  void Fill(std::span<std::uint8_t> out) override;
};

// `size_bytes` bytes from `rng`. For ids and nonces; secrets go straight into secret memory by
// Fill.
Bytes RandomBytes(Rng& rng, std::size_t size_bytes);
// 64 random bits, for jitter.
std::uint64_t RandomUint64(Rng& rng);

}  // namespace carnet

#endif  // CARNET_BASE_RNG_H_
