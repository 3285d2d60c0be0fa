#include "ledger/cosignature.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/note.h"

namespace carnet::ledger {
namespace {

constexpr std::uint8_t kCosignatureType = 0x04;
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::uint64_t kUnixSecondsMax = 253'402'300'799;

Digest FullId(const CosignerKey& key) {
  crypto::Sha256Stream hash;
  hash.Update(AsBytes(key.name));
  hash.Update(std::array<std::uint8_t, 2>{0x0a, kCosignatureType});
  hash.Update(key.public_key);
  return hash.Finish();
}

}  // namespace

std::uint32_t CosignerKey::id() const {
  const Digest full = FullId(*this);
  return std::uint32_t{full[0]} << 24 | std::uint32_t{full[1]} << 16 | std::uint32_t{full[2]} << 8 |
         full[3];
}

std::string CosignerKey::Vkey() const {
  Bytes key = {kCosignatureType};
  key.insert(key.end(), public_key.begin(), public_key.end());
  return absl::StrCat(name, "+", absl::StrFormat("%08x", id()), "+", Base64Encode(key));
}

absl::StatusOr<std::string> Cosign(absl::string_view note_text, absl::string_view name,
                                   const crypto::Ed25519KeyPair& key, std::uint64_t unix_seconds) {
  CARNET_RETURN_IF_ERROR(ValidateNoteName(name));
  if (!absl::EndsWith(note_text, "\n") || unix_seconds > kUnixSecondsMax) {
    return absl::InvalidArgumentError("cosignature: not a head's text, or not a time");
  }
  const Digest id = FullId({.name = std::string(name), .public_key = key.public_key()});
  const std::string message = absl::StrCat("cosignature/v1\ntime ", unix_seconds, "\n", note_text);
  const crypto::Ed25519Signature signature = key.Sign(AsBytes(message));
  Bytes blob(id.begin(), id.begin() + kKeyIdBytes);
  for (int shift = 56; shift >= 0; shift -= 8) {
    blob.push_back(static_cast<std::uint8_t>((unix_seconds >> shift) & 0xff));
  }
  blob.insert(blob.end(), signature.begin(), signature.end());
  return absl::StrCat("\xe2\x80\x94 ", name, " ", Base64Encode(blob), "\n");
}

}  // namespace carnet::ledger
