#include "crypto/ed25519.h"

#include <catch2/catch.hpp>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

struct KnownAnswer {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032 §7.1, TEST 1 to 3.
constexpr KnownAnswer kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

Ed25519PublicKey Key(const char* hex) {
  return HexArray<kEd25519PublicKeyBytes>(hex);
}

TEST_CASE("Ed25519: known answers of RFC 8032") {
  for (const KnownAnswer& known : kRfc8032) {
    CAPTURE(known.message);
    const auto pair = Ed25519KeyPair::FromSeed(SecretHex(known.seed));
    REQUIRE(pair.ok());
    CHECK(HexEncode(pair->public_key()) == known.public_key);
    CHECK(HexEncode(pair->Sign(Hex(known.message))) == known.signature);
    CHECK(Ed25519Verify(Key(known.public_key), Hex(known.message), Hex(known.signature)));
    CHECK(HexOf(pair->seed()) == known.seed);
  }
}

TEST_CASE("Ed25519: any flipped bit of key, message or signature is refused") {
  const KnownAnswer& known = kRfc8032[2];
  for (int bit = 0; bit < 512; ++bit) {
    CAPTURE(bit);
    const auto flip = [bit](auto bytes) {
      const std::size_t at = static_cast<std::size_t>(bit / 8) % bytes.size();
      bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << (bit % 8)));
      return bytes;
    };
    const Bytes message = Hex(known.message);
    const Bytes signature = Hex(known.signature);
    CHECK_FALSE(Ed25519Verify(Key(known.public_key), message, flip(signature)));
    CHECK_FALSE(Ed25519Verify(Key(known.public_key), flip(message), signature));
    CHECK_FALSE(Ed25519Verify(flip(Key(known.public_key)), message, signature));
  }
}

TEST_CASE("Ed25519: a signature of another length is refused") {
  const KnownAnswer& known = kRfc8032[0];
  Bytes signature = Hex(known.signature);
  signature.push_back(0);
  CHECK_FALSE(Ed25519Verify(Key(known.public_key), {}, signature));
  signature.resize(63);
  CHECK_FALSE(Ed25519Verify(Key(known.public_key), {}, signature));
  CHECK_FALSE(Ed25519Verify(Key(known.public_key), {}, {}));
}

TEST_CASE("Ed25519: a second form of a signature, S plus the group order, is refused") {
  // RFC 8032 §5.1.7 demands S < L; without it anybody could make a second signature of a record.
  const KnownAnswer& known = kRfc8032[0];
  Bytes signature = Hex(known.signature);
  const Bytes order = Hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += signature[32 + i] + static_cast<unsigned>(order[i]);
    signature[32 + i] = static_cast<std::uint8_t>(carry & 0xFFU);
    carry >>= 8U;
  }
  REQUIRE(carry == 0);
  CHECK_FALSE(Ed25519Verify(Key(known.public_key), {}, signature));
}

TEST_CASE("Ed25519: keys of small order verify nothing") {
  // The identity: every message has a valid equation under it with R = identity and S = 0.
  Ed25519PublicKey identity{};
  identity[0] = 1;
  Bytes signature(64, 0);
  signature[0] = 1;
  CHECK_FALSE(Ed25519Verify(identity, AsBytes("anything"), signature));
  CHECK_FALSE(Ed25519Verify(Ed25519PublicKey{}, AsBytes("anything"), Bytes(64, 0)));
}

TEST_CASE("Ed25519: generation takes its seed from the generator") {
  CountingRng rng(0);
  const Ed25519KeyPair pair = Ed25519KeyPair::Generate(rng);
  CHECK(HexOf(pair.seed()) == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  CHECK(CodeOf(Ed25519KeyPair::FromSeed(SecretBytes(31))) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(Ed25519KeyPair::FromSeed(SecretBytes(64))) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Ed25519: SPKI is the form of RFC 8410 and nothing else") {
  // RFC 8410 §10.1.
  const auto der = Base64Decode("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
  REQUIRE(der.ok());
  const auto key = Ed25519SpkiDecode(*der);
  REQUIRE(key.ok());
  CHECK(HexEncode(*key) == "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
  const auto encoded = Ed25519SpkiEncode(*key);
  CHECK(Bytes(encoded.begin(), encoded.end()) == *der);

  Bytes longer = *der;
  longer.push_back(0);
  CHECK(CodeOf(Ed25519SpkiDecode(longer)) == absl::StatusCode::kInvalidArgument);
  Bytes other_algorithm = *der;
  other_algorithm[8] = 0x6E;  // X25519
  CHECK(CodeOf(Ed25519SpkiDecode(other_algorithm)) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(Ed25519SpkiDecode({})) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(ToEd25519PublicKey(Bytes(31))) == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace carnet::crypto
