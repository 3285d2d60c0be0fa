// ECDSA on P-256 with SHA-256 (FIPS 186-4), by OpenSSL: the keys of TLS certificates. OpenSSL takes
// the randomness for keys and for signatures from its own generator; it cannot be given from
// outside.
#ifndef CARNET_CRYPTO_P256_H_
#define CARNET_CRYPTO_P256_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/openssl_ptr.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

// A SubjectPublicKeyInfo of an uncompressed P-256 point is 91 bytes of DER.
inline constexpr std::size_t kP256SpkiBytes = 91;
inline constexpr std::size_t kP256SignatureBytesMax = 72;
inline constexpr std::size_t kP256PemBytesMax = 4096;

// A private key. Move-only. Const members are thread-safe.
class P256Key {
 public:
  // Error INTERNAL: OpenSSL failed.
  static absl::StatusOr<P256Key> Generate();
  // PKCS#8 in PEM, unencrypted, one block and nothing else.
  // Error INVALID_ARGUMENT: anything else, another kind of key, or a key whose public half does not
  // match.
  static absl::StatusOr<P256Key> FromPem(const SecretBytes& pem);

  // What FromPem reads; also what gRPC and OpenSSL read.
  absl::StatusOr<SecretBytes> ToPem() const;
  // SubjectPublicKeyInfo, DER, kP256SpkiBytes.
  const Bytes& spki() const { return spki_; }
  // SHA-256 of spki(): the pin of this key.
  const Digest& spki_sha256() const { return spki_sha256_; }
  // A DER signature of `message`, different at each call. Error INTERNAL: OpenSSL failed.
  absl::StatusOr<Bytes> Sign(ByteView message) const;

  // For this room only.
  EVP_PKEY* raw() const { return key_.get(); }

 private:
  P256Key(EvpPkeyPtr key, Bytes spki);
  EvpPkeyPtr key_;
  Bytes spki_;
  Digest spki_sha256_;
};

// Whether `signature` (DER) is one of `message` under `spki`. A key that is not a named P-256 point
// in the 91-byte form fails. A signature has a second form (r, n - s) that verifies as well: never
// use its bytes as an identity.
[[nodiscard]] bool P256Verify(ByteView spki, ByteView message, ByteView signature);

namespace p256_internal {
// The key in an SPKI. Error INVALID_ARGUMENT: not a P-256 key in the 91-byte form.
absl::StatusOr<EvpPkeyPtr> ParseSpki(ByteView spki);
// The 91-byte form. Error INVALID_ARGUMENT: not a P-256 key.
absl::StatusOr<Bytes> SpkiOf(EVP_PKEY* key);
}  // namespace p256_internal

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_P256_H_
