// What a founder shows of keys of his own.
#include "exchange/person_keys.h"

#include <catch2/catch.hpp>

#include "base/json.h"
#include "base/rng.h"
#include "crypto/x25519.h"

namespace carnet::exchange {
namespace {

struct Keys {
  SystemRng rng;
  crypto::Ed25519KeyPair statement = crypto::Ed25519KeyPair::Generate(rng);
  crypto::X25519KeyPair wrapping = crypto::X25519KeyPair::Generate(rng);
  crypto::P256Key tls = *crypto::P256Key::Generate();
  std::string Request(const std::string& name) const {
    return *MakePersonKeys(name, statement, wrapping.public_key(), tls);
  }
};

TEST_CASE("Person keys: what was made is read, and holds no secret") {
  const Keys mine;
  const std::string text = mine.Request("ann");
  CHECK(text.size() <= kPersonKeysBytesMax);
  const auto keys = ReadPersonKeys(text);
  INFO(keys.status().ToString());
  REQUIRE(keys.ok());
  CHECK(keys->name() == "ann");
  CHECK(keys->public_key() == AsText(mine.statement.public_key()));
  CHECK(keys->wrapping_public_key() == AsText(mine.wrapping.public_key()));
  CHECK(keys->tls_spki() == AsText(mine.tls.spki()));
}

TEST_CASE("Person keys: a name, a key or a proof that somebody changed is refused") {
  const Keys mine;
  const Keys other;
  v1::PersonKeys keys = *ReadPersonKeys(mine.Request("ann"));
  const v1::PersonKeys theirs = *ReadPersonKeys(other.Request("ann"));
  SECTION("the name") {
    SUCCEED();
    keys.set_name("bea");
  }
  SECTION("the statement key") {
    SUCCEED();
    keys.set_public_key(theirs.public_key());
  }
  SECTION("the statement key, with its proof") {
    SUCCEED();
    keys.set_public_key(theirs.public_key());
    keys.set_proof(theirs.proof());
  }
  SECTION("the key of the certificate") {
    SUCCEED();
    keys.set_tls_spki(theirs.tls_spki());
  }
  SECTION("the key to wrap for") {
    SUCCEED();
    keys.set_wrapping_public_key(theirs.wrapping_public_key());
  }
  SECTION("no proof of the key of the certificate") {
    SUCCEED();
    keys.clear_tls_proof();
  }
  SECTION("a key of another length") {
    SUCCEED();
    keys.set_public_key(std::string(31, 'k'));
  }
  CHECK(absl::IsInvalidArgument(ReadPersonKeys(*MessageToJson(keys)).status()));
}

TEST_CASE("Person keys: what is no such file is refused") {
  for (const char* text : {"", "{}", "carnet ed25519 v1", "{\"name\":\"ann\",\"more\":1}"}) {
    CAPTURE(text);
    CHECK(absl::IsInvalidArgument(ReadPersonKeys(text).status()));
  }
  const Keys mine;
  CHECK_FALSE(ReadPersonKeys(mine.Request("../ann")).ok());
  CHECK_FALSE(ReadPersonKeys(std::string(kPersonKeysBytesMax + 1, ' ')).ok());
}

}  // namespace
}  // namespace carnet::exchange
