#include "exchange/join_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/spiffe.h"

namespace carnet::exchange {
namespace {

using nlohmann::json;

constexpr std::size_t kVkeyBytesMax = 512;
constexpr std::size_t kHostBytesMax = 253;
constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%SZ";
constexpr std::size_t kFields = 12;

absl::Status FieldError(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("join token: field ", field, " is not valid; expected ", expected));
}

absl::Status CheckAddresses(absl::string_view field, const std::vector<std::string>& addresses) {
  const bool good = !addresses.empty() && addresses.size() <= kJoinAddressesMax &&
                    std::all_of(addresses.begin(), addresses.end(),
                                [](const std::string& text) { return ParseHostPort(text).ok(); });
  return good ? absl::OkStatus() : FieldError(field, "1 to 8 of HOST:PORT");
}

absl::Status CheckToken(const JoinToken& token) {
  CARNET_RETURN_IF_ERROR(CheckAddresses("addresses", token.addresses));
  CARNET_RETURN_IF_ERROR(CheckAddresses("https", token.https_addresses));
  const bool printable = std::all_of(token.log_vkey.begin(), token.log_vkey.end(),
                                     [](char c) { return c > ' ' && c < 0x7f; });
  if (token.log_vkey.empty() || token.log_vkey.size() > kVkeyBytesMax || !printable) {
    return FieldError("log_vkey", "a C2SP vkey");
  }
  if (!crypto::SpiffeId::Worker(token.trust_domain, token.region, token.supplier, token.slot)
           .ok()) {
    return FieldError("slot", "trust domain, region, supplier and slot of a worker");
  }
  if (token.secret.size() != kJoinSecretBytes) {
    return FieldError("secret", "16 bytes");
  }
  if (token.expires != absl::FromUnixSeconds(absl::ToUnixSeconds(token.expires))) {
    return FieldError("expires", "whole seconds");
  }
  return absl::OkStatus();
}

// The text field `name` of `object`; it must be there.
absl::StatusOr<std::string> Text(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) {
    return FieldError(name, "text");
  }
  return it->get<std::string>();
}

absl::StatusOr<std::vector<std::string>> Texts(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_array() || it->size() > kJoinAddressesMax) {
    return FieldError(name, "1 to 8 of HOST:PORT");
  }
  std::vector<std::string> texts;
  for (const json& item : *it) {
    if (!item.is_string()) {
      return FieldError(name, "1 to 8 of HOST:PORT");
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

absl::StatusOr<Digest> DigestField(const json& object, const char* name) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, Text(object, name));
  return DigestFromHex(text);
}

absl::StatusOr<JoinToken> FromJson(const json& object) {
  const auto version = object.find("v");
  if (!object.is_object() || object.size() != kFields || version == object.end() || *version != 1) {
    return absl::InvalidArgumentError("join token: not a token of version 1");
  }
  JoinToken token;
  CARNET_ASSIGN_OR_RETURN(token.addresses, Texts(object, "addresses"));
  CARNET_ASSIGN_OR_RETURN(token.https_addresses, Texts(object, "https"));
  CARNET_ASSIGN_OR_RETURN(token.ca_spki_sha256, DigestField(object, "ca_spki_sha256"));
  CARNET_ASSIGN_OR_RETURN(token.log_vkey, Text(object, "log_vkey"));
  CARNET_ASSIGN_OR_RETURN(token.genesis_leaf, DigestField(object, "genesis_leaf"));
  CARNET_ASSIGN_OR_RETURN(token.region, Text(object, "region"));
  CARNET_ASSIGN_OR_RETURN(token.supplier, Text(object, "supplier"));
  CARNET_ASSIGN_OR_RETURN(token.slot, Text(object, "slot"));
  CARNET_ASSIGN_OR_RETURN(token.trust_domain, Text(object, "trust_domain"));
  CARNET_ASSIGN_OR_RETURN(const std::string expires, Text(object, "expires"));
  if (!absl::ParseTime(kTimeFormat, expires, &token.expires, nullptr)) {
    return FieldError("expires", "a time such as 2026-11-22T09:00:00Z");
  }
  CARNET_ASSIGN_OR_RETURN(std::string secret_text, Text(object, "secret"));
  CARNET_ASSIGN_OR_RETURN(Bytes secret, Base64UrlDecode(secret_text));
  token.secret = crypto::SecretBytes::Copy(secret);
  crypto::Wipe(secret);
  return token;
}

}  // namespace

absl::StatusOr<crypto::SecretBytes> EncodeJoinToken(const JoinToken& token) {
  CARNET_RETURN_IF_ERROR(CheckToken(token));
  const json object = {
      {"v", 1},
      {"addresses", token.addresses},
      {"https", token.https_addresses},
      {"ca_spki_sha256", HexEncode(token.ca_spki_sha256)},
      {"log_vkey", token.log_vkey},
      {"genesis_leaf", HexEncode(token.genesis_leaf)},
      {"region", token.region},
      {"supplier", token.supplier},
      {"slot", token.slot},
      {"trust_domain", token.trust_domain},
      {"secret", Base64UrlEncode(token.secret.View())},
      {"expires", absl::FormatTime(kTimeFormat, token.expires, absl::UTCTimeZone())},
  };
  CARNET_ASSIGN_OR_RETURN(const std::string text, CanonicalJson(object));
  const std::string encoded = Base64UrlEncode(AsBytes(text));
  if (encoded.size() > kJoinTokenBytesMax) {
    return absl::InvalidArgumentError("join token: more than 8 KiB");
  }
  return crypto::SecretBytes::Copy(AsBytes(encoded));
}

absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text) {
  absl::ConsumeSuffix(&text, "\n");
  if (text.size() > kJoinTokenBytesMax) {
    return absl::InvalidArgumentError("join token: more than 8 KiB");
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes decoded, Base64UrlDecode(text));
  CARNET_ASSIGN_OR_RETURN(const json object, ParseJson(AsText(decoded)));
  CARNET_ASSIGN_OR_RETURN(JoinToken token, FromJson(object));
  // One token has one text: any other spelling is refused here.
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes again, EncodeJoinToken(token));
  if (!crypto::ConstantTimeEquals(again.View(), AsBytes(text))) {
    return absl::InvalidArgumentError("join token: not in its one form");
  }
  return token;
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const absl::Status error = absl::InvalidArgumentError("address: expected HOST:PORT");
  HostPort result;
  absl::string_view port;
  if (absl::ConsumePrefix(&text, "[")) {
    const std::size_t end = text.find("]:");
    if (end == absl::string_view::npos) {
      return error;
    }
    result.host = std::string(text.substr(0, end));
    port = text.substr(end + 2);
  } else {
    const std::size_t colon = text.find(':');
    if (colon == absl::string_view::npos) {
      return error;
    }
    result.host = std::string(text.substr(0, colon));
    port = text.substr(colon + 1);
  }
  const bool host_good = !result.host.empty() && result.host.size() <= kHostBytesMax &&
                         std::all_of(result.host.begin(), result.host.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                  (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' ||
                                  c == '_';
                         });
  std::uint32_t number = 0;
  const bool digits =
      !port.empty() && port.size() <= 5 && port[0] != '0' &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!host_good || !digits || !absl::SimpleAtoi(port, &number) || number > 65535) {
    return error;
  }
  result.port = static_cast<std::uint16_t>(number);
  return result;
}

std::string CoordinatorServerName(absl::string_view trust_domain) {
  return absl::StrCat("coordinator.", trust_domain);
}

}  // namespace carnet::exchange
