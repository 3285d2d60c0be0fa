#include "crypto/hash.h"

#include <sodium.h>

#include <algorithm>

#include "base/status.h"

namespace carnet::crypto {
namespace {

// Fetched once: OpenSSL 3 looks an algorithm up by name at every use of EVP_sha256(), which costs
// more than hashing a Merkle node. Kept to the end of the process on purpose.
const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CARNET_CHECK(algorithm != nullptr);
  return algorithm;
}

void Start(EVP_MD_CTX* context) {
  CARNET_CHECK(EVP_DigestInit_ex2(context, Sha256Algorithm(), nullptr) == 1);
}

struct HmacSha256Traits {
  using State = crypto_auth_hmacsha256_state;
  static constexpr std::size_t kBytes = crypto_auth_hmacsha256_BYTES;
  static constexpr auto kInit = crypto_auth_hmacsha256_init;
  static constexpr auto kUpdate = crypto_auth_hmacsha256_update;
  static constexpr auto kFinal = crypto_auth_hmacsha256_final;
};

struct HmacSha512Traits {
  using State = crypto_auth_hmacsha512_state;
  static constexpr std::size_t kBytes = crypto_auth_hmacsha512_BYTES;
  static constexpr auto kInit = crypto_auth_hmacsha512_init;
  static constexpr auto kUpdate = crypto_auth_hmacsha512_update;
  static constexpr auto kFinal = crypto_auth_hmacsha512_final;
};

template <typename Hmac>
class HmacStream {
 public:
  explicit HmacStream(ByteView key) { Hmac::kInit(&state_, key.data(), key.size()); }
  ~HmacStream() { sodium_memzero(&state_, sizeof(state_)); }
  HmacStream(const HmacStream&) = delete;
  HmacStream& operator=(const HmacStream&) = delete;

  void Update(ByteView part) { Hmac::kUpdate(&state_, part.data(), part.size()); }
  void Update(std::span<const ByteView> parts) {
    for (const ByteView part : parts) {
      Update(part);
    }
  }
  void Finish(std::span<std::uint8_t, Hmac::kBytes> out) { Hmac::kFinal(&state_, out.data()); }

 private:
  typename Hmac::State state_;
};

// RFC 5869 §2.3: T(i) = HMAC(prk, T(i-1) || info || i). OpenSSL 3.0's HKDF is not used: it refuses
// an info of more than 2048 bytes, and an empty input key.
template <typename Hmac>
void Expand(ByteView pseudorandom_key, std::span<const ByteView> info,
            std::span<std::uint8_t> out) {
  CARNET_CHECK(out.size() <= 255 * Hmac::kBytes);
  std::array<std::uint8_t, Hmac::kBytes> block;
  ByteView previous;
  std::uint8_t counter = 0;
  while (!out.empty()) {
    ++counter;
    HmacStream<Hmac> hmac(pseudorandom_key);
    hmac.Update(previous);
    hmac.Update(info);
    hmac.Update(ByteView(&counter, 1));
    hmac.Finish(block);
    previous = block;
    const std::size_t size = std::min(out.size(), block.size());
    std::copy_n(block.begin(), size, out.begin());
    out = out.subspan(size);
  }
  Wipe(block);
}

}  // namespace

Digest Sha256(ByteView bytes) {
  thread_local const EvpMdCtxPtr context(EVP_MD_CTX_new());
  CARNET_CHECK(context != nullptr);
  Digest digest;
  Start(context.get());
  CARNET_CHECK(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1);
  CARNET_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  CARNET_CHECK(context_ != nullptr);
  Start(context_.get());
}

void Sha256Stream::Update(ByteView bytes) {
  CARNET_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256Stream::Finish() {
  Digest digest;
  CARNET_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  Start(context_.get());
  return digest;
}

Digest HmacSha256(ByteView key, ByteView message) {
  Digest tag;
  HmacStream<HmacSha256Traits> hmac(key);
  hmac.Update(message);
  hmac.Finish(tag);
  return tag;
}

SecretBytes HkdfExtractSha256(ByteView salt, ByteView input_key) {
  return HkdfExtractSha256Parts(salt, std::span(&input_key, 1));
}

SecretBytes HkdfExtractSha256Parts(ByteView salt, std::span<const ByteView> input_key) {
  // HMAC pads its key with zeros, so that an empty salt already means the 32 zero bytes of §2.2.
  SecretBytes pseudorandom_key(kDigestBytes);
  HmacStream<HmacSha256Traits> hmac(salt);
  hmac.Update(input_key);
  hmac.Finish(pseudorandom_key.Mutable().first<kDigestBytes>());
  return pseudorandom_key;
}

void HkdfExpandSha256(ByteView pseudorandom_key, ByteView info, std::span<std::uint8_t> out) {
  Expand<HmacSha256Traits>(pseudorandom_key, std::span(&info, 1), out);
}

SecretBytes HkdfExpandSha256(ByteView pseudorandom_key, ByteView info, std::size_t size_bytes) {
  return HkdfExpandSha256Parts(pseudorandom_key, std::span(&info, 1), size_bytes);
}

SecretBytes HkdfExpandSha256Parts(ByteView pseudorandom_key, std::span<const ByteView> info,
                                  std::size_t size_bytes) {
  SecretBytes out(size_bytes);
  Expand<HmacSha256Traits>(pseudorandom_key, info, out.Mutable());
  return out;
}

void HkdfExpandSha512(ByteView pseudorandom_key, ByteView info, std::span<std::uint8_t> out) {
  Expand<HmacSha512Traits>(pseudorandom_key, std::span(&info, 1), out);
}

SecretBytes HkdfExpandSha512(ByteView pseudorandom_key, ByteView info, std::size_t size_bytes) {
  SecretBytes out(size_bytes);
  HkdfExpandSha512(pseudorandom_key, info, out.Mutable());
  return out;
}

void HkdfSha256(ByteView salt, ByteView input_key, ByteView info, std::span<std::uint8_t> out) {
  HkdfExpandSha256(HkdfExtractSha256(salt, input_key).View(), info, out);
}

SecretBytes HkdfSha256(ByteView salt, ByteView input_key, ByteView info, std::size_t size_bytes) {
  return HkdfExpandSha256(HkdfExtractSha256(salt, input_key).View(), info, size_bytes);
}

}  // namespace carnet::crypto
