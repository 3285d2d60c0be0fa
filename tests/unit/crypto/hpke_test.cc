#include "crypto/hpke.h"

#include <catch2/catch.hpp>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

struct KnownAnswer {
  HpkeAead aead;
  const char* recipient_private;
  const char* recipient_public;
  const char* ephemeral_private;
  const char* encapsulated;
  const char* ciphertext;
};

constexpr KnownAnswer kKnown[] = {
    // RFC 9180 A.1.1.1, sequence number 0.
    {HpkeAead::kAes128Gcm, "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
     "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
     "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
     "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
     "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"},
    // The RFC has none for X25519 with AES-256-GCM. Made with pyhpke 0.6.5 (over pyca/cryptography
    // 50), private keys
    // SHA-256 of "carnet hpke recipient" and "carnet hpke ephemeral", the other inputs as in
    // A.1.1.1.
    {HpkeAead::kAes256Gcm, "6c89d475bef7f4db2ef268bf5bad5d5b339460fded92da2b3b3a98a98a23decf",
     "5edbb52359a0231ae79a0764dfbcea5475f654322be5aab7fa05429e788a756d",
     "4e91a2ee40dd7eca51883d167da876bc45c6adb1cd8618edc65e037c36ecc6b9",
     "6767667436c52ae30390657470665697d43fcae714e43718b5f4e61209b4e945",
     "15f65908e8de97873e69a51a310f95a3d6e192dcf451194d7a06f66697b3942f29923ff544442674e414f686dd"},
};

constexpr char kInfo[] = "Ode on a Grecian Urn";
constexpr char kAssociatedData[] = "Count-0";
constexpr char kPlaintext[] = "Beauty is truth, truth beauty";

X25519KeyPair Recipient(const KnownAnswer& known) {
  return *X25519KeyPair::FromPrivateKey(SecretHex(known.recipient_private));
}

TEST_CASE("HPKE: seals as RFC 9180 says") {
  for (const KnownAnswer& known : kKnown) {
    KnownRng rng(Hex(known.ephemeral_private));
    const X25519KeyPair recipient = Recipient(known);
    CHECK(HexEncode(recipient.public_key()) == known.recipient_public);
    const auto sealed = HpkeSeal(recipient.public_key(), AsBytes(kInfo), AsBytes(kAssociatedData),
                                 AsBytes(kPlaintext), rng, known.aead);
    REQUIRE(sealed.ok());
    CHECK(HexEncode(sealed->encapsulated) == known.encapsulated);
    CHECK(HexEncode(sealed->ciphertext) == known.ciphertext);
  }
}

TEST_CASE("HPKE: opens what RFC 9180 sealed") {
  for (const KnownAnswer& known : kKnown) {
    const auto opened =
        HpkeOpen(Recipient(known), HexArray<kHpkeEncapsulatedBytes>(known.encapsulated),
                 AsBytes(kInfo), AsBytes(kAssociatedData), Hex(known.ciphertext), known.aead);
    REQUIRE(opened.ok());
    CHECK(AsText(opened->View()) == kPlaintext);
  }
}

TEST_CASE("HPKE: any other key, encapsulation, info, associated data, suite or byte is refused") {
  CountingRng rng;
  const X25519KeyPair recipient = X25519KeyPair::Generate(rng);
  const X25519KeyPair other = X25519KeyPair::Generate(rng);
  const Bytes info = ToBytes("info");
  const Bytes data = ToBytes("kid");
  const auto sealed = HpkeSeal(recipient.public_key(), info, data, Bytes(32, 9), rng);
  REQUIRE(sealed.ok());
  const Bytes& text = sealed->ciphertext;
  const HpkeEncapsulated& encapsulated = sealed->encapsulated;
  REQUIRE(HpkeOpen(recipient, encapsulated, info, data, text).ok());

  const auto lost = absl::StatusCode::kDataLoss;
  CHECK(CodeOf(HpkeOpen(other, encapsulated, info, data, text)) == lost);
  CHECK(CodeOf(HpkeOpen(recipient, encapsulated, data, data, text)) == lost);
  CHECK(CodeOf(HpkeOpen(recipient, encapsulated, info, info, text)) == lost);
  CHECK(CodeOf(HpkeOpen(recipient, other.public_key(), info, data, text)) == lost);
  CHECK(CodeOf(HpkeOpen(recipient, encapsulated, info, data, text, HpkeAead::kAes128Gcm)) == lost);
  for (std::size_t at = 0; at < text.size(); ++at) {
    Bytes bad = text;
    bad[at] ^= 1U;
    CHECK(CodeOf(HpkeOpen(recipient, encapsulated, info, data, bad)) == lost);
  }
  const ByteView cut = ByteView(text).first(text.size() - 1);
  CHECK(CodeOf(HpkeOpen(recipient, encapsulated, info, data, cut)) == lost);
}

TEST_CASE("HPKE: the form of the encapsulated key is bound, not only its point") {
  // X25519 ignores the top bit of a public key; the key schedule does not.
  CountingRng rng;
  const X25519KeyPair recipient = X25519KeyPair::Generate(rng);
  const auto sealed = HpkeSeal(recipient.public_key(), {}, {}, Bytes(32, 9), rng);
  REQUIRE(sealed.ok());
  HpkeEncapsulated twin = sealed->encapsulated;
  twin[31] ^= 0x80U;
  CHECK(CodeOf(HpkeOpen(recipient, twin, {}, {}, sealed->ciphertext)) ==
        absl::StatusCode::kDataLoss);
}

TEST_CASE("HPKE: keys of low order and messages out of bounds are refused") {
  CountingRng rng;
  const X25519KeyPair recipient = X25519KeyPair::Generate(rng);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(CodeOf(HpkeSeal(X25519PublicKey{}, {}, {}, Bytes(32), rng)) == invalid);
  CHECK(CodeOf(HpkeOpen(recipient, HpkeEncapsulated{}, {}, {}, Bytes(48))) == invalid);
  CHECK(CodeOf(HpkeOpen(recipient, recipient.public_key(), {}, {}, Bytes(15))) == invalid);
  const Bytes large(kHpkePlaintextBytesMax + 1);
  CHECK(CodeOf(HpkeSeal(recipient.public_key(), {}, {}, large, rng)) == invalid);
  CHECK(CodeOf(HpkeSeal(recipient.public_key(), large, {}, {}, rng)) == invalid);
  CHECK(CodeOf(HpkeSeal(recipient.public_key(), {}, large, {}, rng)) == invalid);
}

}  // namespace
}  // namespace carnet::crypto
