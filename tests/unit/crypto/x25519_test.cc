#include "crypto/x25519.h"

#include <catch2/catch.hpp>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

X25519KeyPair Pair(const char* private_key) {
  return *X25519KeyPair::FromPrivateKey(SecretHex(private_key));
}

TEST_CASE("X25519: known answer of RFC 7748 §5.2") {
  const X25519KeyPair pair =
      Pair("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const auto secret = pair.SharedSecret(HexArray<kX25519KeyBytes>(
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  REQUIRE(secret.ok());
  CHECK(HexOf(*secret) == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST_CASE("X25519: known answer of RFC 7748 §6.1") {
  const X25519KeyPair alice =
      Pair("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const X25519KeyPair bob =
      Pair("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  CHECK(HexEncode(alice.public_key()) ==
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  CHECK(HexEncode(bob.public_key()) ==
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const std::string shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  CHECK(HexOf(*alice.SharedSecret(bob.public_key())) == shared);
  CHECK(HexOf(*bob.SharedSecret(alice.public_key())) == shared);
}

TEST_CASE("X25519: keys of low order are refused") {
  CountingRng rng;
  const X25519KeyPair pair = X25519KeyPair::Generate(rng);
  // https://cr.yp.to/ecdh.html#validate: 0, 1, the two points of order 8, p - 1, p, p + 1.
  for (const char* low : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "0100000000000000000000000000000000000000000000000000000000000000",
           "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
           "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       }) {
    CAPTURE(low);
    CHECK(CodeOf(pair.SharedSecret(HexArray<kX25519KeyBytes>(low))) ==
          absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("X25519: keys of another size are refused") {
  CHECK(CodeOf(X25519KeyPair::FromPrivateKey(SecretBytes(33))) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(ToX25519PublicKey(Bytes(31))) == absl::StatusCode::kInvalidArgument);
  CHECK(ToX25519PublicKey(Bytes(32)).ok());
}

}  // namespace
}  // namespace carnet::crypto
