// Heads: what C2SP tlog-checkpoint calls a checkpoint, so that "checkpoint" always means training
// here. The signed form is a note whose key name is the log's origin. Pure.
#ifndef CARNET_LEDGER_HEAD_H_
#define CARNET_LEDGER_HEAD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "ledger/note.h"

namespace carnet::ledger {

struct Head {
  std::string origin;
  std::uint64_t size = 0;  // at most kTreeSizeMax
  Digest root{};
  bool operator==(const Head&) const = default;
};

// A head and the note that says it.
struct SignedHead {
  Head head;
  std::string note;
};

// Three lines: origin, size in decimal, base64 of the root.
std::string HeadText(const Head& head);
// Error INVALID_ARGUMENT: the origin is no note name, or the size is out of bounds.
absl::StatusOr<SignedHead> SignHead(const Head& head, const crypto::Ed25519KeyPair& key);

// Strict: exactly three lines (no extensions: nothing audits them), origin equal to the key's name,
// a size without sign or leading zero and at most 2^63 - 1, canonical base64 of 32 bytes; the empty
// tree's root for size 0. Errors as OpenNote.
absl::StatusOr<Head> ParseHead(absl::string_view note, const NoteKey& key);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_HEAD_H_
