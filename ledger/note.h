// C2SP signed notes (signed-note v1.0.0) with Ed25519 signatures. Pure.
#ifndef CARNET_LEDGER_NOTE_H_
#define CARNET_LEDGER_NOTE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"

namespace carnet::ledger {

inline constexpr std::size_t kNoteBytesMax = std::size_t{16} * 1024;
inline constexpr std::size_t kNoteSignaturesMax = 64;
inline constexpr std::size_t kNoteNameBytesMax = 255;

// A key that signs notes: known by name and id together.
struct NoteKey {
  std::string name;
  crypto::Ed25519PublicKey public_key{};
  std::uint32_t id() const;
  // SHA-256(name || 0x0A || 0x01 || public key): its first four bytes are the id; whole, it is
  // Sigstore's log id.
  Digest FullId() const;
  // `name+hex8(id)+base64(0x01 || public key)`.
  std::string Vkey() const;
};

// Error INVALID_ARGUMENT: empty, over 255 bytes, not UTF-8, with a space (any of Unicode's), a
// control character or '+'.
absl::Status ValidateNoteName(absl::string_view name);

// Error INVALID_ARGUMENT: anything but what Vkey writes, a key id that is not the key's included.
absl::StatusOr<NoteKey> ParseVkey(absl::string_view vkey);

// `text`, an empty line, one signature line. Error INVALID_ARGUMENT: the text is empty, does not
// end with a line feed, holds other control characters or is not UTF-8; a bad name; over
// kNoteBytesMax in all.
absl::StatusOr<std::string> SignNote(absl::string_view text, absl::string_view name,
                                     const crypto::Ed25519KeyPair& key);

// The text of a note that `key` signed. Lines of keys that are not `key` are ignored, but must be
// well formed. Errors: INVALID_ARGUMENT malformed (base64 that is not canonical included).
// UNAUTHENTICATED no line of `key`, two of them, or a signature that does not verify.
absl::StatusOr<std::string> OpenNote(absl::string_view note, const NoteKey& key);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_NOTE_H_
