// Memory for secrets: keys, seeds, tokens, derived keys.
#ifndef CARNET_CRYPTO_SECRET_BYTES_H_
#define CARNET_CRYPTO_SECRET_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace carnet {
class Rng;
}

namespace carnet::crypto {

// Owns secret bytes on pages of their own (libsodium's sodium_malloc): guard pages and a canary
// around them, locked against swapping as far as RLIMIT_MEMLOCK allows, left out of core dumps,
// wiped when freed. Move-only; it has no operator== (use ConstantTimeEquals) and no way to be
// printed. A moved-from object is empty. Costs whole pages and several system calls: for keys,
// never for bulk data. Out of memory aborts the process. Thread-compatible.
class SecretBytes {
 public:
  SecretBytes() = default;
  // `size_bytes` zero bytes.
  explicit SecretBytes(std::size_t size_bytes);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  bool operator==(const SecretBytes&) const = delete;

  // The caller wipes its own copy where it has one.
  static SecretBytes Copy(ByteView bytes);
  static SecretBytes Random(Rng& rng, std::size_t size_bytes);
  SecretBytes Clone() const { return Copy(View()); }

  ByteView View() const { return {data_, size_bytes_}; }
  std::span<std::uint8_t> Mutable() { return {data_, size_bytes_}; }
  std::size_t size() const { return size_bytes_; }
  bool empty() const { return size_bytes_ == 0; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

// Compares in time that depends on the lengths alone. Different lengths are unequal.
[[nodiscard]] bool ConstantTimeEquals(ByteView a, ByteView b);

// Overwrites with zeros in a way that the compiler keeps.
void Wipe(std::span<std::uint8_t> bytes);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_SECRET_BYTES_H_
