#include "exchange/join_token.h"

#include <catch2/catch.hpp>
#include <functional>

#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

JoinToken Token() {
  JoinToken token;
  token.addresses = {"coordinator.example:7600", "[::1]:7600"};
  token.https_addresses = {"127.0.0.1:7680"};
  token.ca_spki_sha256[0] = 1;
  token.log_vkey = "digits.acme.example/log+aabbccdd+AWFiYw==";
  token.genesis_leaf[0] = 2;
  token.region = "sg";
  token.supplier = "lion";
  token.slot = "sg-1";
  token.trust_domain = "digits.acme.example";
  CountingRng rng(4);
  token.secret = crypto::SecretBytes::Random(rng, kJoinSecretBytes);
  token.expires = absl::FromUnixSeconds(1'795'339'200);
  return token;
}

std::string Text(const crypto::SecretBytes& encoded) {
  return ToString(encoded.View());
}

TEST_CASE("Join token: what was encoded is parsed back") {
  const JoinToken token = Token();
  const auto encoded = EncodeJoinToken(token);
  REQUIRE(encoded.ok());
  for (const std::string& text : {Text(*encoded), Text(*encoded) + "\n"}) {
    const auto parsed = ParseJoinToken(text);
    REQUIRE(parsed.ok());
    CHECK(parsed->addresses == token.addresses);
    CHECK(parsed->https_addresses == token.https_addresses);
    CHECK(parsed->ca_spki_sha256 == token.ca_spki_sha256);
    CHECK(parsed->log_vkey == token.log_vkey);
    CHECK(parsed->genesis_leaf == token.genesis_leaf);
    CHECK(parsed->region == "sg");
    CHECK(parsed->supplier == "lion");
    CHECK(parsed->slot == "sg-1");
    CHECK(parsed->trust_domain == token.trust_domain);
    CHECK(crypto::ConstantTimeEquals(parsed->secret.View(), token.secret.View()));
    CHECK(parsed->expires == token.expires);
  }
}

TEST_CASE("Join token: the text is canonical JSON in base64url, keys sorted") {
  const auto encoded = EncodeJoinToken(Token());
  REQUIRE(encoded.ok());
  const auto json = Base64UrlDecode(Text(*encoded));
  REQUIRE(json.ok());
  CHECK(ToString(*json).rfind(R"({"addresses":["coordinator.example:7600","[::1]:7600"],"ca_)",
                              0) == 0);
}

TEST_CASE("Join token: values out of bounds are refused") {
  const std::vector<std::function<void(JoinToken&)>> spoilers = {
      [](JoinToken& t) { t.addresses.clear(); },
      [](JoinToken& t) { t.addresses.assign(kJoinAddressesMax + 1, "h:1"); },
      [](JoinToken& t) { t.https_addresses = {"nowhere"}; },
      [](JoinToken& t) { t.log_vkey = ""; },
      [](JoinToken& t) { t.log_vkey = "a b"; },
      [](JoinToken& t) { t.region = "SG"; },
      [](JoinToken& t) { t.slot = ""; },
      [](JoinToken& t) { t.trust_domain = "Not A Domain"; },
      [](JoinToken& t) { t.secret = crypto::SecretBytes(15); },
      [](JoinToken& t) { t.expires += absl::Milliseconds(1); },
  };
  for (const auto& spoil : spoilers) {
    JoinToken token = Token();
    spoil(token);
    CHECK(EncodeJoinToken(token).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

std::string Encoded(absl::string_view json) {
  return Base64UrlEncode(AsBytes(json));
}

TEST_CASE("Join token: anything but its one text is refused") {
  const std::string text = Text(EncodeJoinToken(Token()).value());
  const std::string json = ToString(Base64UrlDecode(text).value());
  CHECK(ParseJoinToken(Encoded(json)).ok());
  CHECK_FALSE(ParseJoinToken("").ok());
  CHECK_FALSE(ParseJoinToken(text + "\n\n").ok());
  CHECK_FALSE(ParseJoinToken(text + "=").ok());
  CHECK_FALSE(ParseJoinToken(text.substr(0, text.size() - 4)).ok());
  CHECK_FALSE(ParseJoinToken(std::string(kJoinTokenBytesMax + 1, 'A')).ok());
  CHECK_FALSE(ParseJoinToken(Encoded("[]")).ok());
  CHECK_FALSE(ParseJoinToken(Encoded("7")).ok());
  CHECK_FALSE(ParseJoinToken(Encoded(" " + json)).ok());
  std::string version = json;
  version.replace(version.find("\"v\":1"), 5, "\"v\":2");
  CHECK_FALSE(ParseJoinToken(Encoded(version)).ok());
  std::string more = json;
  more.insert(more.size() - 1, ",\"x\":1");
  CHECK_FALSE(ParseJoinToken(Encoded(more)).ok());
  std::string renamed = json;
  renamed.replace(renamed.find("\"slot\""), 6, "\"plot\"");
  CHECK_FALSE(ParseJoinToken(Encoded(renamed)).ok());
}

TEST_CASE("Join token: addresses are HOST:PORT") {
  CHECK(ParseHostPort("a.example:1").value().host == "a.example");
  CHECK(ParseHostPort("[fe80::1]:7600").value().host == "fe80::1");
  CHECK(ParseHostPort("10.0.0.1:65535").value().port == 65535);
  for (const char* bad : {"", ":1", "h", "h:", "h:0", "h:65536", "h:01", "h:+1", "h:1 ", "[::1]",
                          "[::1", "h/x:1", "u@h:1"}) {
    CAPTURE(bad);
    CHECK(ParseHostPort(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(CoordinatorServerName("a.example") == "coordinator.a.example");
}

}  // namespace
}  // namespace carnet::exchange
