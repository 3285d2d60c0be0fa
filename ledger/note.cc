#include "ledger/note.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "base/utf8.h"
#include "crypto/hash.h"

namespace carnet::ledger {
namespace {

constexpr std::uint8_t kEd25519Type = 0x01;
constexpr char kSignaturePrefix[] = "\xe2\x80\x94 ";  // em dash, space
constexpr std::size_t kKeyIdBytes = 4;

absl::Status BadVkey() {
  return absl::InvalidArgumentError("vkey: not name+id+key of an Ed25519 key");
}
absl::Status BadNote(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("note: ", why));
}

// Unicode's White_Space property, which signed-note forbids in names.
bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

absl::Status ValidateText(absl::string_view text) {
  if (text.empty() || text.back() != '\n') {
    return BadNote("the text does not end with a line feed");
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') {
      return BadNote("a control character in the text");
    }
  }
  return IsUtf8(text) ? absl::OkStatus() : BadNote("the text is not UTF-8");
}

std::uint32_t BigEndian32(ByteView bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

struct SignatureLine {
  absl::string_view name;
  std::uint32_t key_id = 0;
  Bytes signature;
};

absl::StatusOr<SignatureLine> ParseSignatureLine(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, kSignaturePrefix)) {
    return BadNote("a signature line does not start with a dash and a space");
  }
  const std::size_t space = line.find(' ');
  if (space == absl::string_view::npos) {
    return BadNote("a signature line has no signature");
  }
  SignatureLine parsed;
  parsed.name = line.substr(0, space);
  CARNET_RETURN_IF_ERROR(ValidateNoteName(parsed.name));
  const absl::StatusOr<Bytes> blob = Base64Decode(line.substr(space + 1));
  if (!blob.ok() || blob->size() <= kKeyIdBytes) {
    return BadNote("a signature is not base64 of a key id and a signature");
  }
  parsed.key_id = BigEndian32(*blob);
  parsed.signature.assign(blob->begin() + kKeyIdBytes, blob->end());
  return parsed;
}

}  // namespace

Digest NoteKey::FullId() const {
  crypto::Sha256Stream hash;
  hash.Update(AsBytes(name));
  hash.Update(std::array<std::uint8_t, 2>{0x0a, kEd25519Type});
  hash.Update(public_key);
  return hash.Finish();
}

std::uint32_t NoteKey::id() const {
  return BigEndian32(FullId());
}

std::string NoteKey::Vkey() const {
  Bytes key = {kEd25519Type};
  key.insert(key.end(), public_key.begin(), public_key.end());
  return absl::StrCat(name, "+", absl::StrFormat("%08x", id()), "+", Base64Encode(key));
}

absl::Status ValidateNoteName(absl::string_view name) {
  const absl::Status bad = absl::InvalidArgumentError(
      "note name: 1 to 255 bytes of UTF-8 without spaces, control characters and '+' were "
      "expected");
  if (name.empty() || name.size() > kNoteNameBytesMax || absl::StrContains(name, '+')) {
    return bad;
  }
  while (!name.empty()) {
    const std::optional<char32_t> c = TakeCodePoint(name);
    if (!c || *c < 0x20 || *c == 0x7f || IsSpace(*c)) {
      return bad;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<NoteKey> ParseVkey(absl::string_view vkey) {
  if (vkey.size() > kNoteNameBytesMax + 64) {
    return BadVkey();
  }
  // The name has no '+', but base64 may.
  const std::vector<absl::string_view> parts = absl::StrSplit(vkey, absl::MaxSplits('+', 2));
  if (parts.size() != 3 || !ValidateNoteName(parts[0]).ok()) {
    return BadVkey();
  }
  const absl::StatusOr<Bytes> key = Base64Decode(parts[2]);
  if (!key.ok() || key->size() != 1 + crypto::kEd25519PublicKeyBytes || (*key)[0] != kEd25519Type) {
    return BadVkey();
  }
  NoteKey parsed;
  parsed.name = std::string(parts[0]);
  std::copy(key->begin() + 1, key->end(), parsed.public_key.begin());
  if (parsed.Vkey() != vkey) {
    return BadVkey();
  }
  return parsed;
}

absl::StatusOr<std::string> SignNote(absl::string_view text, absl::string_view name,
                                     const crypto::Ed25519KeyPair& key) {
  CARNET_RETURN_IF_ERROR(ValidateText(text));
  CARNET_RETURN_IF_ERROR(ValidateNoteName(name));
  const NoteKey note_key{.name = std::string(name), .public_key = key.public_key()};
  const Digest id = note_key.FullId();
  const crypto::Ed25519Signature signature = key.Sign(AsBytes(text));
  Bytes blob(id.begin(), id.begin() + kKeyIdBytes);
  blob.insert(blob.end(), signature.begin(), signature.end());
  std::string note =
      absl::StrCat(text, "\n", kSignaturePrefix, name, " ", Base64Encode(blob), "\n");
  if (note.size() > kNoteBytesMax) {
    return BadNote("over 16 KiB");
  }
  return note;
}

absl::StatusOr<std::string> OpenNote(absl::string_view note, const NoteKey& key) {
  if (note.size() > kNoteBytesMax) {
    return BadNote("over 16 KiB");
  }
  // The text may hold empty lines; the signatures may not.
  const std::size_t blank = note.rfind("\n\n");
  if (blank == absl::string_view::npos) {
    return BadNote("no empty line before the signatures");
  }
  const absl::string_view text = note.substr(0, blank + 1);
  absl::string_view signatures = note.substr(blank + 2);
  CARNET_RETURN_IF_ERROR(ValidateText(text));
  if (!absl::ConsumeSuffix(&signatures, "\n")) {
    return BadNote("the last line does not end");
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(signatures, '\n');
  if (lines.size() > kNoteSignaturesMax) {
    return BadNote("too many signatures");
  }
  bool verified = false;
  for (const absl::string_view line : lines) {
    CARNET_ASSIGN_OR_RETURN(const SignatureLine parsed, ParseSignatureLine(line));
    if (parsed.name != key.name || parsed.key_id != key.id()) {
      continue;
    }
    if (verified || !crypto::Ed25519Verify(key.public_key, AsBytes(text), parsed.signature)) {
      return absl::UnauthenticatedError("note: the signature does not verify, or there are two");
    }
    verified = true;
  }
  if (!verified) {
    return absl::UnauthenticatedError("note: not signed by this key");
  }
  return std::string(text);
}

}  // namespace carnet::ledger
