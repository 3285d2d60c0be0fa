#include "crypto/hash.h"

#include <catch2/catch.hpp>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

TEST_CASE("SHA-256: known answers of FIPS 180-4") {
  CHECK(HexEncode(Sha256(AsBytes("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(HexEncode(Sha256({})) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("SHA-256: a stream hashes its pieces as one message and starts anew after Finish") {
  Sha256Stream stream;
  stream.Update(AsBytes("a"));
  stream.Update({});
  stream.Update(AsBytes("bc"));
  CHECK(stream.Finish() == Sha256(AsBytes("abc")));
  CHECK(stream.Finish() == Sha256({}));
  stream.Update(AsBytes("xyz"));
  Sha256Stream moved = std::move(stream);
  CHECK(moved.Finish() == Sha256(AsBytes("xyz")));
}

TEST_CASE("HMAC-SHA-256: known answer of RFC 4231 §4.3") {
  CHECK(HexEncode(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("HKDF-SHA-256: known answer of RFC 5869 A.1") {
  const Bytes input_key(22, 0x0B);
  const Bytes salt = Hex("000102030405060708090a0b0c");
  const Bytes info = Hex("f0f1f2f3f4f5f6f7f8f9");
  const SecretBytes pseudorandom_key = HkdfExtractSha256(salt, input_key);
  CHECK(HexOf(pseudorandom_key) ==
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  const std::string expected =
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
  CHECK(HexOf(HkdfExpandSha256(pseudorandom_key.View(), info, 42)) == expected);
  CHECK(HexOf(HkdfSha256(salt, input_key, info, 42)) == expected);
  Bytes out(42);
  HkdfSha256(salt, input_key, info, out);
  CHECK(HexEncode(out) == expected);
}

TEST_CASE("HKDF-SHA-256: known answer of RFC 5869 A.3, empty salt and info") {
  const Bytes input_key(22, 0x0B);
  CHECK(HexOf(HkdfExtractSha256({}, input_key)) ==
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  CHECK(HexOf(HkdfSha256({}, input_key, {}, 42)) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_CASE("HKDF: shorter output is a prefix of longer output, up to the limit") {
  const Bytes key(32, 7);
  const Bytes info(3000, 9);  // OpenSSL's own HKDF would refuse it.
  Bytes all(kHkdfSha256BytesMax);
  HkdfExpandSha256(key, info, all);
  Bytes some(100);
  HkdfExpandSha256(key, info, some);
  CHECK(std::equal(some.begin(), some.end(), all.begin()));
  const SecretBytes none = HkdfExpandSha256(key, info, 0);
  CHECK(none.empty());
}

}  // namespace
}  // namespace carnet::crypto
