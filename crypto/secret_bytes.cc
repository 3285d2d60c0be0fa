#include "crypto/secret_bytes.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "base/status.h"

namespace carnet::crypto {
namespace {

void EnsureSodium() {
  static const int result = sodium_init();
  CARNET_CHECK(result >= 0);
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes == 0) {
    return;
  }
  EnsureSodium();
  data_ = static_cast<std::uint8_t*>(sodium_malloc(size_bytes));
  CARNET_CHECK(data_ != nullptr);
  // sodium_malloc fills with 0xdb; callers may rely on zeros.
  std::fill_n(data_, size_bytes, std::uint8_t{0});
}

SecretBytes::~SecretBytes() {
  sodium_free(data_);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
  }
  return *this;
}

SecretBytes SecretBytes::Copy(ByteView bytes) {
  SecretBytes copy(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data_);
  return copy;
}

SecretBytes SecretBytes::Random(Rng& rng, std::size_t size_bytes) {
  SecretBytes random(size_bytes);
  rng.Fill(random.Mutable());
  return random;
}

bool ConstantTimeEquals(ByteView a, ByteView b) {
  // sodium_memcmp must not be given null pointers, which empty views may hold.
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void Wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) {
    sodium_memzero(bytes.data(), bytes.size());
  }
}

}  // namespace carnet::crypto
