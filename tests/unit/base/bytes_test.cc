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

}  // namespace
}  // namespace carnet
