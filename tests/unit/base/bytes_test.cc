#include "base/bytes.h"

#include <catch2/catch.hpp>

namespace carnet {
namespace {

TEST_CASE("Hex: encodes lower case and decodes only what it would encode") {
  const Bytes bytes = {0x00, 0xAB, 0xFF};
  CHECK(HexEncode(bytes) == "00abff");
  REQUIRE(HexDecode("00abff").ok());
  CHECK(*HexDecode("00abff") == bytes);
  for (const char* bad : {"0", "00AB", "0g", " 00", "00 "}) {
    CAPTURE(bad);
    CHECK(HexDecode(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

// RFC 4648 §10.
TEST_CASE("Base64: gives the test vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& vector : vectors) {
    CAPTURE(vector.first);
    CHECK(Base64Encode(AsBytes(vector.first)) == vector.second);
    REQUIRE(Base64Decode(vector.second).ok());
    CHECK(ToString(*Base64Decode(vector.second)) == vector.first);
  }
}

TEST_CASE("Base64: refuses every other text for the same bytes") {
  // Missing padding, stray bits, white space, the other alphabet, trailing bytes.
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zg==\n", " Zg==", "Zm9-", "Zg==Zg==", "====", "Z",
                          "Zg..", "Zg= ", "YQ  ", "Z g=", "Zm9vZh=="}) {
    CAPTURE(bad);
    CHECK(Base64Decode(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Base64url: uses the URL-safe alphabet without padding") {
  const Bytes bytes = {0xFB, 0xFF, 0xFE, 0x00};
  CHECK(Base64UrlEncode(bytes) == "-__-AA");
  REQUIRE(Base64UrlDecode("-__-AA").ok());
  CHECK(*Base64UrlDecode("-__-AA") == bytes);
  for (const char* bad : {"-__-AA==", "+//+AA", "-__-AB", "-__-A", "-__-AA "}) {
    CAPTURE(bad);
    CHECK(Base64UrlDecode(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Digest: is exactly 32 bytes") {
  CHECK(DigestFromHex(std::string(64, '0')).ok());
  CHECK_FALSE(DigestFromHex(std::string(62, '0')).ok());
  CHECK_FALSE(DigestFromHex(std::string(66, '0')).ok());
  CHECK_FALSE(ToDigest(Bytes(31)).ok());
  CHECK_FALSE(ToDigest(Bytes(33)).ok());
}

}  // namespace
}  // namespace carnet
