#include "crypto/x25519.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "base/status.h"

namespace carnet::crypto {

static_assert(crypto_scalarmult_BYTES == kX25519KeyBytes);
static_assert(crypto_scalarmult_SCALARBYTES == kX25519KeyBytes);

X25519KeyPair::X25519KeyPair(SecretBytes private_key, const X25519PublicKey& public_key)
    : private_key_(std::move(private_key)), public_key_(public_key) {}

X25519KeyPair X25519KeyPair::Generate(Rng& rng) {
  return *FromPrivateKey(SecretBytes::Random(rng, kX25519KeyBytes));
}

absl::StatusOr<X25519KeyPair> X25519KeyPair::FromPrivateKey(const SecretBytes& private_key) {
  if (private_key.size() != kX25519KeyBytes) {
    return absl::InvalidArgumentError("x25519: a private key is 32 bytes");
  }
  X25519PublicKey public_key;
  CARNET_CHECK(crypto_scalarmult_base(public_key.data(), private_key.View().data()) == 0);
  return X25519KeyPair(private_key.Clone(), public_key);
}

absl::StatusOr<SecretBytes> X25519KeyPair::SharedSecret(const X25519PublicKey& peer) const {
  CARNET_CHECK(!private_key_.empty());  // A moved-from pair.
  SecretBytes secret(kX25519KeyBytes);
  // Fails where the result is all zero, which is where the peer's key has low order.
  if (crypto_scalarmult(secret.Mutable().data(), private_key_.View().data(), peer.data()) != 0) {
    return absl::InvalidArgumentError("x25519: the peer's public key has low order");
  }
  return secret;
}

absl::StatusOr<X25519PublicKey> ToX25519PublicKey(ByteView bytes) {
  if (bytes.size() != kX25519KeyBytes) {
    return absl::InvalidArgumentError("x25519: a public key is 32 bytes");
  }
  X25519PublicKey key;
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

}  // namespace carnet::crypto
