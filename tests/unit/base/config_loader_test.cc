#include "base/config_loader.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/json.h"
#include "loader_schema.pb.h"
#include "temp_dir.h"

namespace carnet {
namespace {

// The message that `text` loads into, in protobuf's one-line text form, or the error.
std::string Load(absl::string_view text) {
  v1::All message;
  const absl::Status status = LoadYamlInto(text, "f.yaml", &message);
  if (!status.ok()) {
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }
  return message.ShortDebugString();
}

TEST_CASE("Config: every kind of field is written in its own way") {
  const std::pair<const char*, const char*> table[] = {
      {"text: NO", "text: \"NO\""},
      {"text: 1.10", "text: \"1.10\""},
      {"text: \"\"", ""},
      {"flag: yes", "flag: true"},
      {"flag: true", "flag: true"},
      {"flag: no", ""},
      {"i32: -2147483648", "i32: -2147483648"},
      {"i64: 9223372036854775807", "i64: 9223372036854775807"},
      {"u32: 4294967295", "u32: 4294967295"},
      {"u64: 18446744073709551615", "u64: 18446744073709551615"},
      {"real: -0.5", "real: -0.5"},
      {"real: 1e-6", "real: 1e-06"},
      {"small: 0.5", "small: 0.5"},
      {"digest: 00ff", "digest: \"\\000\\377\""},
      {"mode: trusted", "mode: PRIVACY_MODE_TRUSTED"},
      {"mode: secagg-helper", "mode: PRIVACY_MODE_SECAGG_HELPER"},
      {"mode: secagg_helper", "mode: PRIVACY_MODE_SECAGG_HELPER"},
      {"modes: [trusted, secagg-helper]",
       "modes: PRIVACY_MODE_TRUSTED modes: PRIVACY_MODE_SECAGG_HELPER"},
      {"names: [a, NO]", "names: \"a\" names: \"NO\""},
      {"names: []", ""},
      {"inner: {name: x, children: [{name: y}]}", "inner { name: \"x\" children { name: \"y\" } }"},
      {"inner: {}", "inner { }"},
      {"inners: {NO: {name: n}}", "inners { key: \"NO\" value { name: \"n\" } }"},
      {"numbers: {-1: 2}", "numbers { key: -1 value: 2 }"},
      {"size_limit: 200 GB", "size_limit { bytes: 200000000000 }"},
      {"deadline: 10m", "deadline { millis: 600000 }"},
      {"delays: [500ms, 7d]", "delays { millis: 500 } delays { millis: 604800000 }"},
      {"budget: 2.10 USD", "budget { micros: 2100000 currency: \"USD\" }"},
      {"prices: {gpu: 500 EUR}",
       "prices { key: \"gpu\" value { micros: 500000000 currency: \"EUR\" } }"},
      {"server_optimizer: none", "server_optimizer { none { } }"},
      {"server_optimizer: {none: {}}", "server_optimizer { none { } }"},
      {"server_optimizer: {momentum: {learning_rate: 0.7}}",
       "server_optimizer { momentum { learning_rate: 0.7 } }"},
      {"left: x", "left: \"x\""},
      {"maybe: 0", "maybe: 0"},
  };
  for (const auto& row : table) {
    CAPTURE(row.first);
    CHECK(Load(row.first) == row.second);
  }
}

TEST_CASE("Config: a sha256 digest is 64 digits") {
  CHECK(Load("digest: sha256:" + std::string(64, '0')).rfind("digest: ", 0) == 0);
  CHECK(Load("digest: sha256:" + std::string(62, '0')).find("'digest' is not hex") !=
        std::string::npos);
}

// A text, and a part of the error for it.
const std::pair<const char*, const char*> kRefused[] = {
    {"unknown: 1", "f.yaml:1:1: unknown key 'unknown'; expected one of text, flag"},
    {"text: a\nserver_optimiser: none",
     "f.yaml:2:1: unknown key 'server_optimiser' (did you mean 'server_optimizer'?); expected"},
    {"sizeLimit: 1 B",
     "f.yaml:1:1: the key 'sizeLimit' has capital letters; expected keys in snake_case "
     "(did you mean 'size_limit'?)"},
    {"inner: {Name: x}", "f.yaml:1:9: the key 'Name' has capital letters"},
    {"inner: {nam: x}", "f.yaml:1:9: unknown key 'nam' (did you mean 'name'?); expected one of"},
    {"inner: x", "f.yaml:1:8: 'inner' is a value; expected a map"},
    {"inner: [x]", "f.yaml:1:8: 'inner' is a list; expected a map"},
    {"text: [x]", "f.yaml:1:7: 'text' is a list; expected a value"},
    {"names: x", "f.yaml:1:8: 'names' is a value; expected a list"},
    {"names: [[x]]", "f.yaml:1:9: 'names' is a list; expected a value"},
    {"inners: [x]", "f.yaml:1:9: 'inners' is a list; expected a map"},
    {"numbers: {x: 1}", "f.yaml:1:11: 'key' is no such number"},
    {"flag: NO", "f.yaml:1:7: 'flag' is neither; expected yes or no"},
    {"flag: on", "'flag' is neither"},
    {"flag: 1", "'flag' is neither"},
    {"flag: \"yes\"", "'flag' is quoted text; expected a value without quotes"},
    {"u32: \"1\"", "'u32' is quoted text"},
    {"i32: 2147483648", "expected a whole number from -2147483648 to 2147483647"},
    {"i64: 9223372036854775808", "'i64' is no such number"},
    {"u32: 4294967296", "expected a whole number from 0 to 4294967295"},
    {"u64: 18446744073709551616", "'u64' is no such number"},
    {"u32: -1", "'u32' is no such number"},
    {"u32: 5k", "'u32' is no such number"},
    {"u32: 1_000", "'u32' is no such number"},
    {"u32: 010", "'u32' is no such number"},
    {"u32: 0x10", "'u32' is no such number"},
    {"u32: +1", "'u32' is no such number"},
    {"u32: 1.0", "'u32' is no such number"},
    {"i32: -0", "'i32' is no such number"},
    {"real: .inf", "'real' is no such number"},
    {"real: nan", "'real' is no such number"},
    {"real: 1e999", "'real' is no such number"},
    {"real: 0x1p3", "'real' is no such number"},
    {"real: '1'", "'real' is quoted text"},
    {"small: 1e39", "'small' is no such number"},
    {"digest: 0", "'digest' is not hex"},
    {"digest: 00FF", "'digest' is not hex"},
    {"mode: unspecified", "expected one of trusted, secagg-helper"},
    {"mode: Trusted", "'mode' is none of the known words (did you mean 'trusted'?)"},
    {"mode: PRIVACY_MODE_TRUSTED", "'mode' is none of the known words"},
    {"mode: 1", "'mode' is none of the known words"},
    {"mode: trustd", "(did you mean 'trusted'?)"},
    {"size_limit: 200",
     "f.yaml:1:13: 'size_limit' is not in the form of its kind; expected a size"},
    {"size_limit: {bytes: 1}", "'size_limit' is not in the form of its kind"},
    {"deadline: 10", "expected a duration such as '10m'"},
    {"budget: 500", "expected an amount such as '500 EUR'"},
    {"server_optimizer: momentum",
     "'server_optimizer' is none of the known words; expected one of none, {momentum: …}"},
    {"server_optimizer: {none: {}, momentum: {}}",
     "f.yaml:1:30: 'momentum' beside 'none'; expected only one of the two"},
    {"server_optimizer: [none]", "'server_optimizer' is a list; expected a map"},
    {"left: x\nright: y", "f.yaml:2:1: 'right' beside 'left'; expected only one of the two"},
    {"text: a\ntext: b", "f.yaml:2:1: the key 'text' is repeated"},
    {"text:", "an empty value"},
    {"- text: a", "f.yaml:1:1: the file holds a list; expected a map"},
    {"just text", "f.yaml:1:1: the file holds a value; expected a map"},
    {"server_optimizer: {none: {x: 1}}", "unknown key 'x'; expected no keys here"},
};

TEST_CASE("Config: what differs from the schema is refused with its place") {
  for (const auto& row : kRefused) {
    CAPTURE(row.first);
    const std::string error = Load(row.first);
    CAPTURE(error);
    CHECK(error.find(row.second) != std::string::npos);
  }
}

TEST_CASE("Config files: are read within the limit, and errors name the file") {
  v1::All scratch;
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "good.yaml", AsBytes("text: x\n")).ok());
  CHECK(LoadYamlFileInto(dir / "good.yaml", &scratch).ok());
  REQUIRE(WriteFileAtomic(dir / "bad.yaml", AsBytes("text: x\nwrong: y\n")).ok());
  const absl::Status bad = LoadYamlFileInto(dir / "bad.yaml", &scratch);
  CHECK(bad.message().find("bad.yaml:2:1: unknown key") != absl::string_view::npos);
  CHECK(LoadYamlFileInto(dir / "none.yaml", &scratch).code() == absl::StatusCode::kNotFound);
  REQUIRE(WriteFileAtomic(dir / "huge.yaml", Bytes(yaml::kTextBytesMax + 1, ' ')).ok());
  CHECK(LoadYamlFileInto(dir / "huge.yaml", &scratch).code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("Sizes: a whole number, a space and a unit") {
  CHECK(*ParseByteSize("0 B") == 0);
  CHECK(*ParseByteSize("1 KB") == 1000);
  CHECK(*ParseByteSize("3 KiB") == 3072);
  CHECK(*ParseByteSize("2 TiB") == 2199023255552);
  CHECK(*ParseByteSize("18446744 TB") == 18446744000000000000ULL);
  for (const char* bad :
       {"", "1", "1KB", "1  KB", "1 kb", "1 Kb", "1.5 GB", "-1 B", "01 B", " 1 B", "1 B ",
        "18446745 TB", "99999999999999999999 B", "1 PB", "GB", "1 GB\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseByteSize(bad).ok());
  }
}

TEST_CASE("Durations: a whole number and a unit") {
  CHECK(*ParseDurationMillis("0s") == 0);
  CHECK(*ParseDurationMillis("500ms") == 500);
  CHECK(*ParseDurationMillis("30s") == 30'000);
  CHECK(*ParseDurationMillis("10m") == 600'000);
  CHECK(*ParseDurationMillis("1h") == 3'600'000);
  CHECK(*ParseDurationMillis("7d") == 604'800'000);
  for (const char* bad : {"", "10", "m", "10 m", "-1s", "1.5h", "1h30m", "1w", "010s", "10M", "1us",
                          "106751991168d", "99999999999999999999s"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseDurationMillis(bad).ok());
  }
}

TEST_CASE("Money: at most six decimals, a space and a currency") {
  CHECK(ParseMoney("500 EUR")->micros == 500'000'000);
  CHECK(ParseMoney("500 EUR")->currency == "EUR");
  CHECK(ParseMoney("2.10 USD")->micros == 2'100'000);
  CHECK(ParseMoney("0.000001 USD")->micros == 1);
  CHECK(ParseMoney("9223372036854 EUR")->micros == 9'223'372'036'854'000'000);
  CHECK(ParseMoney("9223372036854.775807 EUR")->micros == 9'223'372'036'854'775'807);
  for (const char* bad : {"", "500", "500EUR", "500 eur", "500 EURO", "500 EU", "-5 EUR", "5. EUR",
                          ".5 EUR", "1,000 EUR", "0.0000001 EUR", "9223372036854.775808 EUR",
                          "9223372036855 EUR", "05 EUR", "1 EUR "}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseMoney(bad).ok());
  }
}

TEST_CASE("Messages as JSON: keep proto names and refuse what they do not know") {
  v1::All message;
  REQUIRE(LoadYamlInto("size_limit: 1 KB\nmode: trusted\ntext: x", "f", &message).ok());
  const auto json = MessageToJson(message);
  REQUIRE(json.ok());
  CHECK(*CanonicalJson(*ParseJson(*json)) ==
        R"({"mode":"PRIVACY_MODE_TRUSTED","size_limit":{"bytes":"1000"},"text":"x"})");
  v1::All copy;
  REQUIRE(JsonToMessage(*json, &copy).ok());
  CHECK(copy.ShortDebugString() == message.ShortDebugString());
  for (const char* bad : {R"({"unknown":1})", R"({"text":"a","text":"b"})", R"({"u32":-1})", "[]",
                          "{", R"({"text":"a"}x)", R"({"mode":"NO_SUCH_MODE"})", ""}) {
    CAPTURE(bad);
    v1::All scratch;
    CHECK(JsonToMessage(bad, &scratch).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(MessageToJson(v1::All(), true)->find("\"u32\":0") != std::string::npos);
}

}  // namespace
}  // namespace carnet
