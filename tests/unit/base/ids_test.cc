#include "base/ids.h"

#include <array>
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/rng.h"

namespace carnet {
namespace {

std::array<std::uint8_t, kIdRandomBytes> Filled(std::uint8_t byte) {
  std::array<std::uint8_t, kIdRandomBytes> bytes{};
  bytes.fill(byte);
  return bytes;
}

TEST_CASE("Ids: are the prefix and base32 of the random bytes") {
  CHECK(MakeId("w", Filled(0x00)) == "w-aaaaaaaaaaaaaaaa");
  CHECK(MakeId("job", Filled(0xFF)) == "job-7777777777777777");
  // RFC 4648 §10: base32("foobarfoob") by its vectors for "fooba" and the same five bytes again.
  const std::array<std::uint8_t, kIdRandomBytes> text = {'f', 'o', 'o', 'b', 'a',
                                                         'f', 'o', 'o', 'b', 'a'};
  CHECK(MakeId("w", text) == "w-mzxw6ytbmzxw6ytb");
}

TEST_CASE("Ids: only the canonical text is one") {
  CHECK(IsId("w", MakeId("w", Filled(0x5A))));
  for (const char* bad :
       {"", "w-", "w-aaaaaaaaaaaaaaa", "w-aaaaaaaaaaaaaaaaa", "w-AAAAAAAAAAAAAAAA",
        "w-aaaaaaaaaaaaaaa1", "waaaaaaaaaaaaaaaaa", "j-aaaaaaaaaaaaaaaa", "w-aaaaaaaaaaaaaaa/"}) {
    CAPTURE(bad);
    CHECK_FALSE(IsId("w", bad));
  }
}

TEST_CASE("Names: take a-z, 0-9 and hyphens within their length") {
  for (const char* good : {"sg-1", "a", "0", "home", "a--b", "a-"}) {
    CAPTURE(good);
    CHECK(ValidateSlotName(good).ok());
    CHECK(ValidateRegionName(good).ok());
    CHECK(ValidateJobName(good).ok());
  }
  CHECK(ValidateSlotName(std::string(32, 'a')).ok());
  CHECK_FALSE(ValidateSlotName(std::string(33, 'a')).ok());
  CHECK(ValidateJobName(std::string(63, 'a')).ok());
  CHECK_FALSE(ValidateJobName(std::string(64, 'a')).ok());
}

TEST_CASE("Names: refuse whatever means something elsewhere, without repeating it") {
  for (const char* bad :
       {"", "-a", "A", "a_b", "a/b", "..", "a b", "a\n", "é", "a.b", "a\x1b[0m"}) {
    CAPTURE(bad);
    const absl::Status status = ValidateSlotName(bad);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() ==
          "worker name: expected 1 to 32 characters of a-z, 0-9 and '-', not starting with '-'");
    CHECK_FALSE(ValidateDatasetName(bad).ok());
    CHECK_FALSE(ValidateSupplierName(bad).ok());
    CHECK_FALSE(ValidateFederationName(bad).ok());
    CHECK_FALSE(ValidateShardName(bad).ok());
    CHECK_FALSE(ValidateTrainerName(bad).ok());
  }
}

TEST_CASE("Trust domains: are lower-case DNS names") {
  for (const char* good : {"digits.acme.example", "a", "a-1.b"}) {
    CAPTURE(good);
    CHECK(ValidateTrustDomain(good).ok());
  }
  const std::string long_label(64, 'a');
  for (const std::string& bad :
       {std::string(), std::string("a..b"), std::string(".a"), std::string("a."),
        std::string("A.b"), std::string("-a.b"), std::string("a-.b"), std::string("a_b"),
        std::string("a/b"), long_label, std::string(256, 'a')}) {
    CAPTURE(bad);
    CHECK_FALSE(ValidateTrustDomain(bad).ok());
  }
}

TEST_CASE("SystemRng: fills every byte and does not repeat itself") {
  SystemRng rng;
  std::set<Bytes> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(RandomBytes(rng, 16));
  }
  CHECK(seen.size() == 100);
  // A buffer larger than one getrandom call gives without interruption. A run of 32 zero bytes at
  // the end has probability 2^-256.
  const Bytes large = RandomBytes(rng, std::size_t{1} << 20);
  CHECK(Bytes(large.end() - 32, large.end()) != Bytes(32, 0));
  CHECK(RandomBytes(rng, 0).empty());
  CHECK(RandomUint64(rng) != RandomUint64(rng));
}

TEST_CASE("SystemClock: the monotonic clock does not go back") {
  const SystemClock clock;
  absl::Duration last = clock.MonotonicNow();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.MonotonicNow();
    CHECK(now >= last);
    last = now;
  }
  CHECK(clock.Now() > absl::FromUnixSeconds(1'700'000'000));
}

TEST_CASE("Timestamps: are UTC with six decimals") {
  CHECK(FormatTimestamp(absl::FromUnixMicros(0)) == "1970-01-01T00:00:00.000000Z");
  CHECK(FormatTimestamp(absl::FromUnixMicros(1'795'251'600'123'456)) ==
        "2026-11-21T09:00:00.123456Z");
}

}  // namespace
}  // namespace carnet
