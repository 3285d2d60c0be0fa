#include "ledger/record_ids.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/hash.h"

namespace carnet::ledger {
namespace {

constexpr absl::string_view kNonceKey = R"("nonce":")";
constexpr std::size_t kNonceChars = 44;  // 32 bytes in base64
constexpr std::size_t kShortIdChars = 2 + kIdChars;
constexpr char kMark = '\x01';

// The statement's nonce: the first member of that name.
std::optional<Bytes> NonceOf(absl::string_view statement) {
  const std::size_t at = statement.find(kNonceKey);
  if (at == absl::string_view::npos) {
    return std::nullopt;
  }
  const absl::StatusOr<Bytes> nonce =
      Base64Decode(statement.substr(at + kNonceKey.size(), kNonceChars));
  return nonce.ok() && nonce->size() == kDigestBytes ? std::optional<Bytes>(*nonce) : std::nullopt;
}

// The ids of one prefix, whose numbers only grow.
class Numbers {
 public:
  Numbers(char prefix, const Bytes& nonce) : prefix_(1, prefix), nonce_(nonce) {}

  // How many numbers `id` leaves out. None: it does not follow, and no later one is tried.
  std::optional<std::uint64_t> Gap(absl::string_view id) {
    for (const std::uint64_t base : kIdNumberBases) {
      const std::uint64_t first = std::max(base, next_);
      for (std::uint64_t n = first; !stopped_ && n < first + kIdNumberGapMax; ++n) {
        if (Id(n) == id) {
          const std::uint64_t gap = n - next_;
          next_ = n + 1;
          return gap;
        }
      }
    }
    stopped_ = true;
    return std::nullopt;
  }

 private:
  std::string Id(std::uint64_t n) const {
    Bytes text = nonce_;
    for (unsigned shift = 0; shift < 64; shift += 8) {
      text.push_back(static_cast<std::uint8_t>(n >> shift));
    }
    const Digest digest = crypto::Sha256(text);
    return MakeId(prefix_, std::span(digest).first<kIdRandomBytes>());
  }

  const std::string prefix_;
  const Bytes& nonce_;
  std::uint64_t next_ = 0;
  bool stopped_ = false;
};

void AppendLeb128(std::uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) {
    out->push_back(static_cast<char>(0x80 | (value & 0x7f)));
  }
  out->push_back(static_cast<char>(value));
}

}  // namespace

std::string ShortenIds(absl::string_view statement) {
  const std::optional<Bytes> nonce = NonceOf(statement);
  if (!nonce) {
    return std::string(statement);
  }
  Numbers decisions('d', *nonce);
  Numbers tickets('t', *nonce);
  std::string shortened;
  std::size_t done = 0;
  for (std::size_t quote = statement.find('"'); quote != absl::string_view::npos;
       quote = statement.find('"', quote + 1)) {
    const absl::string_view id = statement.substr(quote + 1, kShortIdChars);
    const bool decision = IsId("d", id);
    if (!decision && !IsId("t", id)) {
      continue;
    }
    const std::optional<std::uint64_t> gap = (decision ? decisions : tickets).Gap(id);
    if (gap) {
      absl::StrAppend(&shortened, statement.substr(done, quote + 1 - done));
      shortened.push_back(kMark);
      shortened.push_back(id.front());
      AppendLeb128(*gap, &shortened);
      done = quote + 1 + kShortIdChars;
    }
  }
  absl::StrAppend(&shortened, statement.substr(done));
  return shortened;
}

}  // namespace carnet::ledger
