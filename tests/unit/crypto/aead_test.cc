#include "crypto/aead.h"

#include <catch2/catch.hpp>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

// "The Galois/Counter Mode of Operation", McGrew and Viega, test case 16 (AES-256).
constexpr char kKey[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr char kNonce[] = "cafebabefacedbaddecaf888";
constexpr char kAssociatedData[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
constexpr char kPlaintext[] =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
constexpr char kCiphertext[] =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b";

GcmNonce Nonce() {
  return HexArray<kGcmNonceBytes>(kNonce);
}

TEST_CASE("AES-256-GCM: known answers of its designers") {
  const auto sealed = AesGcmSeal(Hex(kKey), Nonce(), Hex(kAssociatedData), Hex(kPlaintext));
  REQUIRE(sealed.ok());
  CHECK(HexEncode(*sealed) == kCiphertext);
  const auto opened = AesGcmOpen(Hex(kKey), Nonce(), Hex(kAssociatedData), Hex(kCiphertext));
  REQUIRE(opened.ok());
  CHECK(HexOf(*opened) == kPlaintext);
  // Test case 13: everything empty or zero.
  const auto empty = AesGcmSeal(Bytes(32), GcmNonce{}, {}, {});
  REQUIRE(empty.ok());
  CHECK(HexEncode(*empty) == "530f8afbc74536b9a963b4f1c4cb738b");
  const auto opened_empty = AesGcmOpen(Bytes(32), GcmNonce{}, {}, *empty);
  REQUIRE(opened_empty.ok());
  CHECK(opened_empty->empty());
}

TEST_CASE("AES-GCM: a flipped bit anywhere is refused and gives nothing out") {
  const Bytes key = Hex(kKey);
  const Bytes data = Hex(kAssociatedData);
  const Bytes sealed = Hex(kCiphertext);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    CAPTURE(at);
    Bytes bad = sealed;
    bad[at] ^= 0x80U;
    CHECK(CodeOf(AesGcmOpen(key, Nonce(), data, bad)) == absl::StatusCode::kDataLoss);
  }
  Bytes bad_data = data;
  bad_data[0] ^= 1U;
  CHECK(CodeOf(AesGcmOpen(key, Nonce(), bad_data, sealed)) == absl::StatusCode::kDataLoss);
  CHECK(CodeOf(AesGcmOpen(key, Nonce(), {}, sealed)) == absl::StatusCode::kDataLoss);
  CHECK(CodeOf(AesGcmOpen(key, GcmNonce{}, data, sealed)) == absl::StatusCode::kDataLoss);
  CHECK(CodeOf(AesGcmOpen(Bytes(32), Nonce(), data, sealed)) == absl::StatusCode::kDataLoss);
  const ByteView cut = ByteView(sealed).first(sealed.size() - 1);
  CHECK(CodeOf(AesGcmOpen(key, Nonce(), data, cut)) == absl::StatusCode::kDataLoss);
}

TEST_CASE("AES-GCM: keys and messages of a wrong size are refused") {
  CHECK(CodeOf(AesGcmSeal(Bytes(24), Nonce(), {}, {})) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(AesGcmSeal(Bytes(32), Nonce(), {}, Bytes(kAeadPlaintextBytesMax + 1))) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(AesGcmSeal(Bytes(32), Nonce(), Bytes(kAeadPlaintextBytesMax + 1), {})) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(AesGcmOpen(Bytes(32), Nonce(), {}, Bytes(kGcmTagBytes - 1))) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(AesGcmSeal(Bytes(32), Nonce(), {}, Bytes(kAeadPlaintextBytesMax)).ok());
}

}  // namespace
}  // namespace carnet::crypto
