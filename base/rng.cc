#include "base/rng.h"

#include <sys/random.h>

#include <array>
#include <bit>
#include <cerrno>

#include "base/status.h"

namespace carnet {

void SystemRng::Fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t count = getrandom(out.data(), out.size(), 0);
    if (count < 0) {
      // A signal may interrupt a long read; every other failure means that there is no generator.
      CARNET_CHECK(errno == EINTR);
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

Bytes RandomBytes(Rng& rng, std::size_t size_bytes) {
  Bytes bytes(size_bytes);
  rng.Fill(bytes);
  return bytes;
}

std::uint64_t RandomUint64(Rng& rng) {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes{};
  rng.Fill(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

}  // namespace carnet
