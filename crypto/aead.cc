#include "crypto/aead.h"

#include <algorithm>

#include "base/status.h"
#include "crypto/openssl_error.h"
#include "crypto/openssl_ptr.h"

namespace carnet::crypto {
namespace {

const EVP_CIPHER* CipherFor(std::size_t key_bytes) {
  static const EVP_CIPHER* const aes128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static const EVP_CIPHER* const aes256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  switch (key_bytes) {
    case kAes128KeyBytes:
      return aes128;
    case kAes256KeyBytes:
      return aes256;
    default:
      return nullptr;
  }
}

absl::Status OpenSslFailed() {
  return absl::InternalError("aead: OpenSSL failed");
}

absl::Status CheckSizes(ByteView key, ByteView associated_data, std::size_t plain_bytes) {
  if (key.size() != kAes128KeyBytes && key.size() != kAes256KeyBytes) {
    return absl::InvalidArgumentError("aead: a key is 16 or 32 bytes");
  }
  if (associated_data.size() > kAeadPlaintextBytesMax || plain_bytes > kAeadPlaintextBytesMax) {
    return absl::InvalidArgumentError("aead: the message is too large");
  }
  return absl::OkStatus();
}

// One call of EVP_CipherUpdate; `out` is null for associated data. Sizes fit an int: CheckSizes.
bool Update(EVP_CIPHER_CTX* context, std::uint8_t* out, ByteView in) {
  int written = 0;
  return in.empty() ||
         EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

EvpCipherCtxPtr Start(ByteView key, const GcmNonce& nonce, ByteView associated_data, bool seal) {
  EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  const EVP_CIPHER* const cipher = CipherFor(key.size());
  if (context == nullptr || cipher == nullptr ||
      EVP_CipherInit_ex2(context.get(), cipher, key.data(), nonce.data(), seal ? 1 : 0, nullptr) !=
          1 ||
      !Update(context.get(), nullptr, associated_data)) {
    return nullptr;
  }
  return context;
}

}  // namespace

absl::StatusOr<Bytes> AesGcmSeal(ByteView key, const GcmNonce& nonce, ByteView associated_data,
                                 ByteView plaintext) {
  CARNET_RETURN_IF_ERROR(CheckSizes(key, associated_data, plaintext.size()));
  const ErrorQueueScope errors;
  const EvpCipherCtxPtr context = Start(key, nonce, associated_data, /*seal=*/true);
  Bytes out(plaintext.size() + kGcmTagBytes);
  int written = 0;
  if (context == nullptr || !Update(context.get(), out.data(), plaintext) ||
      EVP_CipherFinal_ex(context.get(), out.data() + plaintext.size(), &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes,
                          out.data() + plaintext.size()) != 1) {
    return OpenSslFailed();
  }
  return out;
}

absl::StatusOr<SecretBytes> AesGcmOpen(ByteView key, const GcmNonce& nonce,
                                       ByteView associated_data, ByteView ciphertext) {
  if (ciphertext.size() < kGcmTagBytes) {
    return absl::InvalidArgumentError("aead: the ciphertext is shorter than its tag");
  }
  const ByteView body = ciphertext.first(ciphertext.size() - kGcmTagBytes);
  CARNET_RETURN_IF_ERROR(CheckSizes(key, associated_data, body.size()));
  const ErrorQueueScope errors;
  const EvpCipherCtxPtr context = Start(key, nonce, associated_data, /*seal=*/false);
  // OpenSSL wants the tag to be writable.
  std::array<std::uint8_t, kGcmTagBytes> tag;
  std::copy_n(ciphertext.end() - kGcmTagBytes, kGcmTagBytes, tag.begin());
  SecretBytes out(body.size());
  if (context == nullptr || !Update(context.get(), out.Mutable().data(), body) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, tag.data()) != 1) {
    return OpenSslFailed();
  }
  int written = 0;
  std::array<std::uint8_t, kGcmTagBytes> nothing;  // GCM keeps nothing back for its last call.
  if (EVP_CipherFinal_ex(context.get(), nothing.data(), &written) != 1) {
    return absl::DataLossError("aead: the ciphertext is not what was sealed under this key");
  }
  return out;
}

}  // namespace carnet::crypto
