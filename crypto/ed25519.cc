#include "crypto/ed25519.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "base/status.h"

namespace carnet::crypto {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == kEd25519PublicKeyBytes);
static_assert(crypto_sign_SEEDBYTES == kEd25519SeedBytes);
static_assert(crypto_sign_BYTES == kEd25519SignatureBytes);

// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes } (RFC 8410 §4).
constexpr std::array<std::uint8_t, 12> kSpkiPrefix = {0x30, 0x2A, 0x30, 0x05, 0x06, 0x03,
                                                      0x2B, 0x65, 0x70, 0x03, 0x21, 0x00};
static_assert(kSpkiPrefix.size() + kEd25519PublicKeyBytes == kEd25519SpkiBytes);

}  // namespace

Ed25519KeyPair::Ed25519KeyPair(SecretBytes secret_key, const Ed25519PublicKey& public_key)
    : secret_key_(std::move(secret_key)), public_key_(public_key) {}

Ed25519KeyPair Ed25519KeyPair::Generate(Rng& rng) {
  return *FromSeed(SecretBytes::Random(rng, kEd25519SeedBytes));
}

absl::StatusOr<Ed25519KeyPair> Ed25519KeyPair::FromSeed(const SecretBytes& seed) {
  if (seed.size() != kEd25519SeedBytes) {
    return absl::InvalidArgumentError("ed25519: a seed is 32 bytes");
  }
  SecretBytes secret_key(crypto_sign_SECRETKEYBYTES);
  Ed25519PublicKey public_key;
  CARNET_CHECK(crypto_sign_seed_keypair(public_key.data(), secret_key.Mutable().data(),
                                        seed.View().data()) == 0);
  return Ed25519KeyPair(std::move(secret_key), public_key);
}

Ed25519Signature Ed25519KeyPair::Sign(ByteView message) const {
  CARNET_CHECK(!secret_key_.empty());  // A moved-from pair.
  Ed25519Signature signature;
  CARNET_CHECK(crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                                    secret_key_.View().data()) == 0);
  return signature;
}

SecretBytes Ed25519KeyPair::seed() const {
  CARNET_CHECK(!secret_key_.empty());
  return SecretBytes::Copy(secret_key_.View().first(kEd25519SeedBytes));
}

bool Ed25519Verify(const Ed25519PublicKey& public_key, ByteView message, ByteView signature) {
  return signature.size() == kEd25519SignatureBytes &&
         crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     public_key.data()) == 0;
}

absl::StatusOr<Ed25519PublicKey> ToEd25519PublicKey(ByteView bytes) {
  if (bytes.size() != kEd25519PublicKeyBytes) {
    return absl::InvalidArgumentError("ed25519: a public key is 32 bytes");
  }
  Ed25519PublicKey key;
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

std::array<std::uint8_t, kEd25519SpkiBytes> Ed25519SpkiEncode(const Ed25519PublicKey& public_key) {
  std::array<std::uint8_t, kEd25519SpkiBytes> der;
  std::copy(kSpkiPrefix.begin(), kSpkiPrefix.end(), der.begin());
  std::copy(public_key.begin(), public_key.end(), der.begin() + kSpkiPrefix.size());
  return der;
}

absl::StatusOr<Ed25519PublicKey> Ed25519SpkiDecode(ByteView der) {
  if (der.size() != kEd25519SpkiBytes ||
      !std::equal(kSpkiPrefix.begin(), kSpkiPrefix.end(), der.begin())) {
    return absl::InvalidArgumentError("ed25519: not a SubjectPublicKeyInfo of an Ed25519 key");
  }
  return ToEd25519PublicKey(der.subspan(kSpkiPrefix.size()));
}

}  // namespace carnet::crypto
