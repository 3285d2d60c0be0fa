#include "ledger/verifier/record_ids.h"

#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

constexpr char kMark = '\x01';
constexpr absl::string_view kNonceMember = "\"nonce\":\"";
constexpr std::size_t kNonceTextBytes = 44;
constexpr std::size_t kNonceBytes = 32;
constexpr int kNumberBytesMax = 5;  // of a LEB128
constexpr std::size_t kRandomBytes = 10;

absl::Status Bad(absl::string_view why) {
  return BadEvidence(absl::StrCat("manifest: an id that was left out: ", why));
}

absl::StatusOr<Bytes> FirstNonce(absl::string_view text) {
  const std::size_t at = text.find(kNonceMember);
  const absl::StatusOr<Bytes> nonce =
      at == absl::string_view::npos
          ? absl::NotFoundError("")
          : Base64Decode(text.substr(at + kNonceMember.size(), kNonceTextBytes));
  if (!nonce.ok() || nonce->size() != kNonceBytes) {
    return Bad("there is no nonce that it could follow from");
  }
  return *nonce;
}

// Base32 of RFC 4648 §6 in lower case: 10 bytes are 16 characters.
std::string Base32(ByteView bytes) {
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = held << 8 | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) {
      text.push_back(kAlphabet[(held >> (bits - 5)) & 31]);
    }
  }
  return text;
}

std::string IdOf(const Bytes& nonce, char prefix, std::uint64_t number) {
  std::array<std::uint8_t, kNonceBytes + 8> text{};
  std::copy(nonce.begin(), nonce.end(), text.begin());
  for (std::size_t i = 0; i < 8; ++i) {
    text[kNonceBytes + i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  const Digest digest = crypto::Sha256(text);
  return absl::StrCat(std::string(1, prefix), "-", Base32(ByteView(digest).first(kRandomBytes)));
}

// Takes a LEB128 off the front.
bool TakeNumber(absl::string_view* text, std::uint64_t* number) {
  *number = 0;
  for (int i = 0; i < kNumberBytesMax && !text->empty(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text->front());
    text->remove_prefix(1);
    *number |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      return byte != 0 || i == 0;  // in as few bytes as it takes
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> RestoreIds(absl::string_view shortened, std::size_t bytes_max) {
  std::size_t mark = shortened.find(kMark);
  if (mark == absl::string_view::npos) {
    return std::string(shortened);
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes nonce, FirstNonce(shortened));
  std::string text;
  std::uint64_t next_decision = 0;
  std::uint64_t next_ticket = 0;
  for (; mark != absl::string_view::npos; mark = shortened.find(kMark)) {
    absl::StrAppend(&text, shortened.substr(0, mark));
    shortened.remove_prefix(mark + 1);
    const char prefix = shortened.empty() ? '\0' : shortened.front();
    shortened.remove_prefix(shortened.empty() ? 0 : 1);
    std::uint64_t gap = 0;
    if ((prefix != 'd' && prefix != 't') || !TakeNumber(&shortened, &gap)) {
      return Bad("its mark is damaged");
    }
    std::uint64_t& next = prefix == 'd' ? next_decision : next_ticket;
    text += IdOf(nonce, prefix, next + gap);
    next += gap + 1;
    if (text.size() > bytes_max) {
      return Bad("its statement is too long");
    }
  }
  absl::StrAppend(&text, shortened);
  return text.size() > bytes_max ? absl::StatusOr<std::string>(Bad("its statement is too long"))
                                 : text;
}

}  // namespace carnet::ledger::verifier
