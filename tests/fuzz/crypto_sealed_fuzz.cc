// A sealed message that was changed in one place or cut never opens; unchanged it opens to what was
// sealed. Input: where to change (4 bytes), what to change there (1), how many bytes to cut (1),
// then the plaintext.
#include <algorithm>

#include "base/status.h"
#include "crypto/sealed.h"

namespace {

using carnet::Bytes;
using carnet::ByteView;
using carnet::crypto::ChunkOpener;
using carnet::crypto::ChunkSealer;
using carnet::crypto::SealedHeader;
using carnet::crypto::SecretBytes;

absl::StatusOr<Bytes> Open(const SecretBytes& key, const Bytes& sealed) {
  SealedHeader header{};
  std::copy_n(sealed.begin(), std::min(sealed.size(), header.size()), header.begin());
  auto opener = ChunkOpener::Create(key, {}, header, sealed.size());
  if (!opener.ok()) {
    return opener.status();
  }
  Bytes plain(opener->plain_size());
  CARNET_RETURN_IF_ERROR(carnet::crypto::OpenAll(*opener, sealed, plain, 1));
  return plain;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  constexpr std::size_t kHeadBytes = 6;
  if (size_bytes < kHeadBytes) {
    return 0;
  }
  const ByteView plain(data + kHeadBytes, size_bytes - kHeadBytes);
  const SecretBytes key(carnet::crypto::kDataKeyBytes);
  const auto sealer = ChunkSealer::Create(key, {}, {});
  CARNET_CHECK(sealer.ok());
  Bytes sealed(*carnet::crypto::SealedSize(plain.size()));
  CARNET_CHECK(carnet::crypto::SealAll(*sealer, plain, sealed, 1).ok());

  const std::size_t at = (data[0] | std::size_t{data[1]} << 8U | std::size_t{data[2]} << 16U |
                          std::size_t{data[3]} << 24U) %
                         sealed.size();
  sealed[at] = static_cast<std::uint8_t>(sealed[at] ^ data[4]);
  sealed.resize(sealed.size() - std::min<std::size_t>(data[5], sealed.size()));
  const bool changed = data[4] != 0 || data[5] != 0;
  const auto opened = Open(key, sealed);
  CARNET_CHECK(opened.ok() != changed);
  CARNET_CHECK(!opened.ok() ||
               std::equal(opened->begin(), opened->end(), plain.begin(), plain.end()));
  return 0;
}
