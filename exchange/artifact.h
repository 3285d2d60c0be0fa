// A sealed artifact: a model, delta or shard on the move, as {header, ciphertext}. The header says
// what the artifact is and for whom; SHA-256 of its bytes is the context of the sealing, so a
// ciphertext opens only under its own header (docs/formats.md, "Sealed artifacts").
//
// Header rules, checked when a header is made and when one is parsed:
//   every kind    version 1; digests have 32 bytes; sender is a SPIFFE id of the trust domain,
//   recipient
//                 one or empty; jurisdictions are codes in ascending order, joined by ','
//   model         its data key is wrapped outside the header, once per reader: fields 17 to 19 are
//   empty delta, shard  sealed to one reader: `encapsulated` (32 bytes), `wrapped_key` (48) and
//   `salt` (24) are
//                 set, and the recipient is named
#ifndef CARNET_EXCHANGE_ARTIFACT_H_
#define CARNET_EXCHANGE_ARTIFACT_H_

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "crypto/ed25519.h"
#include "crypto/secret_bytes.h"
#include "crypto/x25519.h"

namespace carnet {
class Rng;
}

namespace carnet::exchange {

inline constexpr std::size_t kArtifactHeaderBytesMax = std::size_t{16} * 1024;
inline constexpr std::uint32_t kArtifactVersion = 1;
inline constexpr char kKindModel[] = "model";
inline constexpr char kKindDelta[] = "delta";
inline constexpr char kKindShard[] = "shard";
// Ciphertext of a wrapped 32-byte data key: the key and the AEAD's tag.
inline constexpr std::size_t kWrappedKeyBytes = 48;

// A header, its one serialisation and the SHA-256 of that: the upload's id and the sealing's
// context.
struct Header {
  v1::ArtifactHeader fields;
  std::string bytes;
  Digest sha256{};
};

// Serialises `fields`. Error INVALID_ARGUMENT, naming the field: a rule above is broken.
absl::StatusOr<Header> MakeHeader(v1::ArtifactHeader fields);

// Parses exactly what MakeHeader writes. Error INVALID_ARGUMENT: more than kArtifactHeaderBytesMax,
// malformed, an unknown field, any other serialisation of the same fields, a broken rule.
absl::StatusOr<Header> ParseHeader(ByteView bytes);

// Compares field by field, in the order of their numbers, skipping the field numbers in `skip`.
// Error FAILED_PRECONDITION naming the first field that differs (its name only, no values). For the
// fields that only the sealer can choose, give kSealerFields.
absl::Status CompareHeaders(const v1::ArtifactHeader& expected, const v1::ArtifactHeader& got,
                            std::span<const int> skip);
// encapsulated, wrapped_key, salt.
inline constexpr int kSealerFields[] = {17, 18, 19};

// ---- the data key -------------------------------------------------------------------------------
//
// HPKE base mode to the reader's X25519 key; info = "carnet/dek/v1" || SHA-256(header without
// fields 17 and 18), aad = key_id. For a model that digest is the header's own, since both are
// empty.

// Fills fields 17 and 18 of a delta's or shard's header, whose other fields are final.
// Errors INVALID_ARGUMENT: a key of another size or of low order.
absl::Status WrapKeyInHeader(const crypto::SecretBytes& data_key,
                             const crypto::X25519PublicKey& recipient, Rng& rng,
                             v1::ArtifactHeader* header);
// Errors: INVALID_ARGUMENT fields of a wrong size. DATA_LOSS not wrapped for this key under this
// header.
absl::StatusOr<crypto::SecretBytes> UnwrapKeyInHeader(const v1::ArtifactHeader& header,
                                                      const crypto::X25519KeyPair& recipient);
// For a model: the same key for each reader.
absl::StatusOr<v1::WrappedKey> WrapKeyFor(const v1::ArtifactHeader& header,
                                          const crypto::SecretBytes& data_key,
                                          const crypto::X25519PublicKey& recipient, Rng& rng);
// Errors: INVALID_ARGUMENT a wrong size, or `wrapped` names another key. DATA_LOSS as above.
absl::StatusOr<crypto::SecretBytes> UnwrapKey(const v1::ArtifactHeader& header,
                                              const v1::WrappedKey& wrapped,
                                              const crypto::X25519KeyPair& recipient);

// ---- the sender's signature ---------------------------------------------------------------------

// Ed25519 over "carnet/artifact/v1" || header_sha256 || sealed_sha256. Nothing is opened before it
// verifies.
crypto::Ed25519Signature SignArtifact(const crypto::Ed25519KeyPair& sender,
                                      const Digest& header_sha256, const Digest& sealed_sha256);
// Error UNAUTHENTICATED: not the sender's signature of these two.
absl::Status VerifyArtifactSignature(const crypto::Ed25519PublicKey& sender,
                                     const Digest& header_sha256, const Digest& sealed_sha256,
                                     ByteView signature);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_ARTIFACT_H_
