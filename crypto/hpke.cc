#include "crypto/hpke.h"

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "base/status.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace carnet::crypto {
namespace {

static_assert(kHpkeTagBytes == kGcmTagBytes);

constexpr std::uint8_t kModeBase = 0x00;
constexpr std::size_t kSharedSecretBytes = 32;  // Nsecret of DHKEM(X25519, HKDF-SHA256)

// RFC 9180 §4: the two labelled forms of HKDF, for one suite id.
class LabeledHkdf {
 public:
  explicit LabeledHkdf(Bytes suite_id) : suite_id_(std::move(suite_id)) {}

  SecretBytes Extract(ByteView salt, absl::string_view label, ByteView input_key) const {
    const std::array<ByteView, 4> parts = {AsBytes(kVersion), suite_id_, AsBytes(label), input_key};
    return HkdfExtractSha256Parts(salt, parts);
  }

  // `context` comes in up to three parts.
  SecretBytes Expand(const SecretBytes& key, absl::string_view label,
                     const std::array<ByteView, 3>& context, std::size_t size_bytes) const {
    const std::array<std::uint8_t, 2> size = {static_cast<std::uint8_t>(size_bytes >> 8U),
                                              static_cast<std::uint8_t>(size_bytes & 0xFFU)};
    const std::array<ByteView, 7> info = {size,       AsBytes(kVersion), suite_id_, AsBytes(label),
                                          context[0], context[1],        context[2]};
    return HkdfExpandSha256Parts(key.View(), info, size_bytes);
  }

 private:
  static constexpr char kVersion[] = "HPKE-v1";
  Bytes suite_id_;
};

LabeledHkdf KemHkdf() {
  return LabeledHkdf({'K', 'E', 'M', 0x00, 0x20});
}

LabeledHkdf HpkeHkdf(HpkeAead aead) {
  const auto id = static_cast<std::uint16_t>(aead);
  return LabeledHkdf({'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01,
                      static_cast<std::uint8_t>(id >> 8U), static_cast<std::uint8_t>(id & 0xFFU)});
}

// §4.1, ExtractAndExpand with kem_context = enc || pkRm.
SecretBytes SharedSecret(const SecretBytes& dh, const HpkeEncapsulated& encapsulated,
                         const X25519PublicKey& recipient) {
  const LabeledHkdf hkdf = KemHkdf();
  return hkdf.Expand(hkdf.Extract({}, "eae_prk", dh.View()), "shared_secret",
                     {encapsulated, recipient, ByteView()}, kSharedSecretBytes);
}

struct MessageKey {
  SecretBytes key;
  GcmNonce nonce;  // base_nonce: a single shot is message 0, whose nonce it is (§5.2).
};

// §5.1, KeySchedule in base mode: no pre-shared key, hence empty psk and psk_id.
MessageKey KeySchedule(const SecretBytes& shared_secret, ByteView info, HpkeAead aead) {
  const LabeledHkdf hkdf = HpkeHkdf(aead);
  const SecretBytes psk_id_hash = hkdf.Extract({}, "psk_id_hash", {});
  const SecretBytes info_hash = hkdf.Extract({}, "info_hash", info);
  const std::array<ByteView, 3> context = {ByteView(&kModeBase, 1), psk_id_hash.View(),
                                           info_hash.View()};
  const SecretBytes secret = hkdf.Extract(shared_secret.View(), "secret", {});
  const std::size_t key_bytes = aead == HpkeAead::kAes128Gcm ? kAes128KeyBytes : kAes256KeyBytes;
  MessageKey message{hkdf.Expand(secret, "key", context, key_bytes), {}};
  const SecretBytes nonce = hkdf.Expand(secret, "base_nonce", context, kGcmNonceBytes);
  std::copy(nonce.View().begin(), nonce.View().end(), message.nonce.begin());
  return message;
}

absl::Status CheckSizes(ByteView info, ByteView associated_data, std::size_t plain_bytes) {
  if (info.size() > kHpkePlaintextBytesMax || associated_data.size() > kHpkePlaintextBytesMax ||
      plain_bytes > kHpkePlaintextBytesMax) {
    return absl::InvalidArgumentError("hpke: the message is too large");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HpkeSealed> HpkeSeal(const X25519PublicKey& recipient, ByteView info,
                                    ByteView associated_data, ByteView plaintext, Rng& rng,
                                    HpkeAead aead) {
  CARNET_RETURN_IF_ERROR(CheckSizes(info, associated_data, plaintext.size()));
  const X25519KeyPair ephemeral = X25519KeyPair::Generate(rng);
  CARNET_ASSIGN_OR_RETURN(const SecretBytes dh, ephemeral.SharedSecret(recipient));
  HpkeSealed sealed;
  sealed.encapsulated = ephemeral.public_key();
  const MessageKey message =
      KeySchedule(SharedSecret(dh, sealed.encapsulated, recipient), info, aead);
  CARNET_ASSIGN_OR_RETURN(
      sealed.ciphertext, AesGcmSeal(message.key.View(), message.nonce, associated_data, plaintext));
  return sealed;
}

absl::StatusOr<SecretBytes> HpkeOpen(const X25519KeyPair& recipient,
                                     const HpkeEncapsulated& encapsulated, ByteView info,
                                     ByteView associated_data, ByteView ciphertext, HpkeAead aead) {
  if (ciphertext.size() < kHpkeTagBytes) {
    return absl::InvalidArgumentError("hpke: the ciphertext is shorter than its tag");
  }
  CARNET_RETURN_IF_ERROR(CheckSizes(info, associated_data, ciphertext.size() - kHpkeTagBytes));
  CARNET_ASSIGN_OR_RETURN(const SecretBytes dh, recipient.SharedSecret(encapsulated));
  const MessageKey message =
      KeySchedule(SharedSecret(dh, encapsulated, recipient.public_key()), info, aead);
  return AesGcmOpen(message.key.View(), message.nonce, associated_data, ciphertext);
}

}  // namespace carnet::crypto
