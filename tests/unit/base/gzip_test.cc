#include "base/gzip.h"

#include <catch2/catch.hpp>
#include <string>

namespace carnet {
namespace {

// printf hello | gzip -9n, of gzip 1.12.
const std::string kHello(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
    "\x00"
    "\x00",
    25);

TEST_CASE("Gzip: what another program packed is unpacked") {
  CHECK(*Gunzip(kHello, 5) == "hello");
}

TEST_CASE("Gzip: what is packed comes back, whatever its length") {
  const auto size = GENERATE(as<std::size_t>(), 0, 1, 65'535, 65'536, 65'537, 1'000'000);
  std::string text(size, 'x');
  for (std::size_t i = 0; i < text.size(); i += 7) {
    text[i] = static_cast<char>(i * 31 % 251);
  }
  const std::string packed = *Gzip(text);
  CHECK(*Gunzip(packed, size) == text);
  CHECK(packed == *Gzip(text));
  if (size > 0) {
    CHECK(absl::IsResourceExhausted(Gunzip(packed, size - 1).status()));
  }
}

TEST_CASE("Gzip: a small text that unpacks to a large one is refused at the limit") {
  const std::string bomb = *Gzip(std::string(50'000'000, '\0'));
  REQUIRE(bomb.size() < 100'000);
  CHECK(absl::IsResourceExhausted(Gunzip(bomb, 1'000'000).status()));
}

TEST_CASE("Gzip: cut off, changed, or followed by more is refused") {
  for (std::size_t size = 0; size < kHello.size(); ++size) {
    CAPTURE(size);
    CHECK(absl::IsInvalidArgument(Gunzip(kHello.substr(0, size), 100).status()));
  }
  std::string changed = kHello;
  changed[20] = static_cast<char>(changed[20] ^ 1);  // the checksum
  CHECK(absl::IsInvalidArgument(Gunzip(changed, 100).status()));
  CHECK(absl::IsInvalidArgument(Gunzip(kHello + "x", 100).status()));
  CHECK(absl::IsInvalidArgument(Gunzip(kHello + kHello, 100).status()));
  CHECK(absl::IsInvalidArgument(Gunzip("hello", 100).status()));
}

TEST_CASE("Gzip: a peer takes it when it says so with a weight above zero") {
  for (const char* text :
       {"gzip", "GZIP", "deflate, gzip;q=0.5", "br;q=1, gzip; q=1.0", "*", "x-gzip", " gzip "}) {
    CAPTURE(text);
    CHECK(AcceptsGzip(text));
  }
  for (const char* text : {"", "identity", "br", "gzip;q=0", "gzip;q=0.0, *", "*;q=0", "gzip;q=2",
                           "gzip;level=9", "gzipped"}) {
    CAPTURE(text);
    CHECK_FALSE(AcceptsGzip(text));
  }
}

}  // namespace
}  // namespace carnet
