#include "crypto/chunk_cipher.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "crypto/openssl_error.h"
#include "crypto/sealed.h"

namespace carnet::crypto::sealed_internal {
namespace {

const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

absl::Status OpenSslFailed() {
  ERR_clear_error();
  return absl::InternalError("sealed: OpenSSL failed");
}

// An empty last chunk has nothing to update with. Chunk sizes fit an int.
bool Update(EVP_CIPHER_CTX* context, std::uint8_t* out, ByteView in) {
  int written = 0;
  return in.empty() ||
         EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

}  // namespace

ChunkCipher::ChunkCipher(SecretBytes key, const Nonce& base_nonce, bool seal)
    : key_(std::move(key)), base_nonce_(base_nonce), seal_(seal) {}

absl::StatusOr<std::unique_ptr<ChunkCipher>> ChunkCipher::Create(SecretBytes key,
                                                                 const Nonce& base_nonce,
                                                                 bool seal) {
  CARNET_CHECK(key.size() == kDataKeyBytes);
  // Not make_unique: the constructor is private.
  std::unique_ptr<ChunkCipher> cipher(new ChunkCipher(std::move(key), base_nonce, seal));
  EvpCipherCtxPtr context = cipher->Borrow();
  if (context == nullptr) {
    return OpenSslFailed();
  }
  cipher->Return(std::move(context));
  return cipher;
}

EvpCipherCtxPtr ChunkCipher::Borrow() const {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      EvpCipherCtxPtr context = std::move(idle_.back());
      idle_.pop_back();
      return context;
    }
  }
  EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (context == nullptr || Aes256Gcm() == nullptr ||
      EVP_CipherInit_ex2(context.get(), Aes256Gcm(), key_.View().data(), nullptr, seal_ ? 1 : 0,
                         nullptr) != 1) {
    return nullptr;
  }
  return context;
}

void ChunkCipher::Return(EvpCipherCtxPtr context) const {
  const MutexLock lock(mutex_);
  idle_.push_back(std::move(context));
}

ChunkCipher::Nonce ChunkCipher::NonceOf(std::uint64_t index) const {
  Nonce nonce = base_nonce_;
  for (std::size_t i = nonce.size(); index != 0; index >>= 8U) {
    --i;
    nonce[i] = static_cast<std::uint8_t>(nonce[i] ^ (index & 0xFFU));
  }
  return nonce;
}

absl::Status ChunkCipher::Seal(std::uint64_t index, ByteView in,
                               std::span<std::uint8_t> out) const {
  CARNET_CHECK(seal_ && in.size() <= kChunkPlainBytes && out.size() == in.size() + kChunkTagBytes);
  EvpCipherCtxPtr context = Borrow();
  const Nonce nonce = NonceOf(index);
  std::uint8_t* const tag = out.data() + in.size();
  int written = 0;
  // A context that failed is not given back.
  if (context == nullptr ||
      EVP_CipherInit_ex2(context.get(), nullptr, nullptr, nonce.data(), -1, nullptr) != 1 ||
      !Update(context.get(), out.data(), in) ||
      EVP_CipherFinal_ex(context.get(), tag, &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kChunkTagBytes, tag) != 1) {
    return OpenSslFailed();
  }
  Return(std::move(context));
  return absl::OkStatus();
}

absl::Status ChunkCipher::Open(std::uint64_t index, ByteView in,
                               std::span<std::uint8_t> out) const {
  CARNET_CHECK(!seal_ && out.size() <= kChunkPlainBytes &&
               in.size() == out.size() + kChunkTagBytes);
  EvpCipherCtxPtr context = Borrow();
  const Nonce nonce = NonceOf(index);
  std::array<std::uint8_t, kChunkTagBytes> tag;  // OpenSSL wants it to be writable.
  std::copy_n(in.end() - kChunkTagBytes, kChunkTagBytes, tag.begin());
  if (context == nullptr ||
      EVP_CipherInit_ex2(context.get(), nullptr, nullptr, nonce.data(), -1, nullptr) != 1 ||
      !Update(context.get(), out.data(), in.first(out.size())) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kChunkTagBytes, tag.data()) != 1) {
    Wipe(out);
    return OpenSslFailed();
  }
  std::array<std::uint8_t, kChunkTagBytes> nothing;  // GCM keeps nothing back for its last call.
  int written = 0;
  if (EVP_CipherFinal_ex(context.get(), nothing.data(), &written) != 1) {
    // OpenSSL wrote plaintext before it could check the tag.
    Wipe(out);
    ERR_clear_error();
    return absl::DataLossError("sealed: a chunk is not what was sealed");
  }
  Return(std::move(context));
  return absl::OkStatus();
}

}  // namespace carnet::crypto::sealed_internal
