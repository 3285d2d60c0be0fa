#include "crypto/p256.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "crypto/openssl_error.h"

namespace carnet::crypto {
namespace {

// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of an uncompressed point } (RFC
// 5480 §2).
constexpr std::array<std::uint8_t, 27> kSpkiPrefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
    0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
static_assert(kSpkiPrefix.size() + 64 == kP256SpkiBytes);

constexpr char kPemHeader[] = "-----BEGIN PRIVATE KEY-----\n";

bool IsSpkiForm(ByteView spki) {
  return spki.size() == kP256SpkiBytes &&
         std::equal(kSpkiPrefix.begin(), kSpkiPrefix.end(), spki.begin());
}

absl::Status NotAKey() {
  return absl::InvalidArgumentError("p256: not a P-256 private key in PEM");
}

// For OpenSSL's PEM reader, which would otherwise ask for a pass phrase on the terminal.
int NoPassPhrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

}  // namespace

namespace p256_internal {

absl::StatusOr<EvpPkeyPtr> ParseSpki(ByteView spki) {
  const ErrorQueueScope errors;
  if (!IsSpkiForm(spki)) {
    return absl::InvalidArgumentError("p256: not a SubjectPublicKeyInfo of a P-256 key");
  }
  const std::uint8_t* position = spki.data();
  // Checks that the point is on the curve.
  EvpPkeyPtr key(d2i_PUBKEY(nullptr, &position, static_cast<long>(spki.size())));
  if (key == nullptr || position != spki.data() + spki.size()) {
    return absl::InvalidArgumentError("p256: not a point of the curve");
  }
  return key;
}

absl::StatusOr<Bytes> SpkiOf(EVP_PKEY* key) {
  const ErrorQueueScope errors;
  std::uint8_t* encoded = nullptr;
  const int size = key == nullptr ? -1 : i2d_PUBKEY(key, &encoded);
  Bytes spki;
  if (size > 0) {
    spki.assign(encoded, encoded + size);
  }
  OPENSSL_free(encoded);
  if (!IsSpkiForm(spki)) {
    return absl::InvalidArgumentError("p256: not a P-256 key");
  }
  return spki;
}

}  // namespace p256_internal

P256Key::P256Key(EvpPkeyPtr key, Bytes spki)
    : key_(std::move(key)), spki_(std::move(spki)), spki_sha256_(Sha256(spki_)) {}

absl::StatusOr<P256Key> P256Key::Generate() {
  const ErrorQueueScope errors;
  EvpPkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) {
    return absl::InternalError("p256: OpenSSL could not make a key");
  }
  CARNET_ASSIGN_OR_RETURN(Bytes spki, p256_internal::SpkiOf(key.get()));
  return P256Key(std::move(key), std::move(spki));
}

absl::StatusOr<P256Key> P256Key::FromPem(const SecretBytes& pem) {
  const ErrorQueueScope errors;
  if (pem.size() > kP256PemBytesMax || !absl::StartsWith(AsText(pem.View()), kPemHeader)) {
    return NotAKey();
  }
  const BioPtr bio(BIO_new_mem_buf(pem.View().data(), static_cast<int>(pem.size())));
  if (bio == nullptr) {
    return absl::InternalError("p256: out of memory");
  }
  EvpPkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassPhrase, nullptr));
  auto spki = p256_internal::SpkiOf(key.get());
  if (!spki.ok()) {
    return NotAKey();
  }
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (context == nullptr || EVP_PKEY_pairwise_check(context.get()) != 1) {
    return absl::InvalidArgumentError("p256: the two halves of the key do not belong together");
  }
  P256Key loaded(std::move(key), *std::move(spki));
  // One key has one text: nothing before, between or after.
  CARNET_ASSIGN_OR_RETURN(const SecretBytes canonical, loaded.ToPem());
  if (!ConstantTimeEquals(canonical.View(), pem.View())) {
    return NotAKey();
  }
  return loaded;
}

absl::StatusOr<SecretBytes> P256Key::ToPem() const {
  const ErrorQueueScope errors;
  // OpenSSL wipes what a memory BIO held when it grows and when it is freed.
  const BioPtr bio(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return absl::InternalError("p256: OpenSSL could not write the key");
  }
  const long size = BIO_get_mem_data(bio.get(), &text);
  if (size <= 0) {
    return absl::InternalError("p256: OpenSSL could not write the key");
  }
  return SecretBytes::Copy(AsBytes(absl::string_view(text, static_cast<std::size_t>(size))));
}

absl::StatusOr<Bytes> P256Key::Sign(ByteView message) const {
  CARNET_CHECK(key_ != nullptr);  // A moved-from key.
  const ErrorQueueScope errors;
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  Bytes signature(kP256SignatureBytesMax);
  std::size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key_.get(),
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return absl::InternalError("p256: OpenSSL could not sign");
  }
  signature.resize(size);
  return signature;
}

bool P256Verify(ByteView spki, ByteView message, ByteView signature) {
  const ErrorQueueScope errors;
  const auto key = p256_internal::ParseSpki(spki);
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  return key.ok() && context != nullptr && !signature.empty() &&
         signature.size() <= kP256SignatureBytesMax &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key->get(),
                                 nullptr) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace carnet::crypto
