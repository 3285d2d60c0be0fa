// Cosignatures of heads (C2SP tlog-cosignature, type 0x04: timestamped Ed25519). One says: at this
// time, this was the largest tree that the witness had seen, and it extends every one before.
// Verifying them is ledger/verifier/heads.h. Pure.
#ifndef CARNET_LEDGER_COSIGNATURE_H_
#define CARNET_LEDGER_COSIGNATURE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"

namespace carnet::ledger {

// A key that cosigns. It serves one name only: what it signs does not bind the name.
struct CosignerKey {
  std::string name;
  crypto::Ed25519PublicKey public_key{};
  // The first four bytes of SHA-256(name || 0x0A || 0x04 || public key), big-endian.
  std::uint32_t id() const;
  // `name+hex8(id)+base64(0x04 || public key)`.
  std::string Vkey() const;
};

// The signature line of `name` for a note's text, line feed included. unix_seconds: at most
// 253402300799 (the year 9999). Error INVALID_ARGUMENT: a bad name or time, or a text that does not
// end with a line feed.
absl::StatusOr<std::string> Cosign(absl::string_view note_text, absl::string_view name,
                                   const crypto::Ed25519KeyPair& key, std::uint64_t unix_seconds);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_COSIGNATURE_H_
