#include "crypto/secret_bytes.h"

#include <catch2/catch.hpp>
#include <type_traits>
#include <utility>

#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);

TEST_CASE("Secret memory: starts as zeros and is its holder's alone") {
  SecretBytes secret(3);
  CHECK(HexOf(secret) == "000000");
  secret.Mutable()[1] = 0xAB;
  const SecretBytes copy = secret.Clone();
  secret.Mutable()[1] = 0xCD;
  CHECK(HexOf(copy) == "00ab00");
  CHECK(HexOf(secret) == "00cd00");
}

TEST_CASE("Secret memory: moving leaves nothing behind") {
  SecretBytes from = SecretHex("0102");
  SecretBytes to = std::move(from);
  CHECK(from.empty());  // NOLINT(bugprone-use-after-move): what the contract promises.
  CHECK(HexOf(to) == "0102");
  SecretBytes other = SecretHex("030405");
  other = std::move(to);
  CHECK(HexOf(other) == "0102");
  CHECK(to.empty());  // NOLINT(bugprone-use-after-move)
  SecretBytes& alias = other;
  other = std::move(alias);
  CHECK(HexOf(other) == "0102");
}

TEST_CASE("Secret memory: empty secrets are legal") {
  CHECK(SecretBytes(0).empty());
  CHECK(SecretBytes::Copy({}).empty());
  CHECK(SecretBytes().Clone().empty());
  Wipe({});
}

TEST_CASE("Secret memory: random secrets come from the given generator") {
  CountingRng rng(1);
  CHECK(HexOf(SecretBytes::Random(rng, 4)) == "01020304");
}

TEST_CASE("Constant-time comparison: equal bytes and equal lengths only") {
  CHECK(ConstantTimeEquals(Hex("0102"), Hex("0102")));
  CHECK(ConstantTimeEquals({}, {}));
  CHECK_FALSE(ConstantTimeEquals(Hex("0102"), Hex("0103")));
  CHECK_FALSE(ConstantTimeEquals(Hex("0102"), Hex("010200")));
  CHECK_FALSE(ConstantTimeEquals({}, Hex("00")));
}

}  // namespace
}  // namespace carnet::crypto
