// What the tests of this room share: hex, and randomness that is known.
#ifndef CARNET_TESTS_UNIT_CRYPTO_CRYPTO_FIXTURES_H_
#define CARNET_TESTS_UNIT_CRYPTO_CRYPTO_FIXTURES_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

// The bytes of a literal; throws on a malformed one, which fails the test.
inline Bytes Hex(absl::string_view text) {
  auto bytes = HexDecode(text);
  if (!bytes.ok()) {
    throw std::invalid_argument("malformed hex in a test");
  }
  return *std::move(bytes);
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> HexArray(absl::string_view text) {
  const Bytes bytes = Hex(text);
  std::array<std::uint8_t, kSize> array{};
  if (bytes.size() != kSize) {
    throw std::invalid_argument("hex of another size in a test");
  }
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

inline SecretBytes SecretHex(absl::string_view text) {
  return SecretBytes::Copy(Hex(text));
}
inline std::string HexOf(const SecretBytes& secret) {
  return HexEncode(secret.View());
}

// Gives the bytes of a known answer, once.
class KnownRng final : public Rng {
 public:
  explicit KnownRng(Bytes bytes) : bytes_(std::move(bytes)) {}
  void Fill(std::span<std::uint8_t> out) override {
    if (out.size() > bytes_.size()) {
      throw std::out_of_range("more randomness asked for than the test knows");
    }
    std::copy_n(bytes_.begin(), out.size(), out.begin());
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(out.size()));
  }

 private:
  Bytes bytes_;
};

// Counts: every byte differs from the one before.
class CountingRng final : public Rng {
 public:
  explicit CountingRng(std::uint8_t start = 1) : next_(start) {}
  void Fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      byte = next_++;
    }
  }

 private:
  std::uint8_t next_;
};

inline absl::StatusCode CodeOf(const absl::Status& status) {
  return status.code();
}
template <typename T>
absl::StatusCode CodeOf(const absl::StatusOr<T>& result) {
  return result.status().code();
}

}  // namespace carnet::crypto

#endif  // CARNET_TESTS_UNIT_CRYPTO_CRYPTO_FIXTURES_H_
