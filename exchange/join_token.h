// Join tokens: how a worker first trusts a coordinator. The text is base64url (no padding) of
// canonical JSON (RFC 8785), and a bearer secret: it goes into files of mode 0600 and into no log.
// Pure.
//   {"addresses":["host:7600"],"ca_spki_sha256":hex,"expires":"2026-11-22T09:00:00Z","genesis_leaf":hex,
//    "https":["host:7680"],"log_vkey":"…","region":"sg","secret":base64url,"slot":"sg-1","supplier":"lion",
//    "trust_domain":"digits.acme.example","v":1}
#ifndef CARNET_EXCHANGE_JOIN_TOKEN_H_
#define CARNET_EXCHANGE_JOIN_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"

namespace carnet::exchange {

inline constexpr std::size_t kJoinTokenBytesMax = std::size_t{8} * 1024;
inline constexpr std::size_t kJoinSecretBytes = 16;
inline constexpr std::size_t kJoinAddressesMax = 8;

// A person's invitation is a join token of this region and supplier, whose slot is the user id. A
// token names genesis by its hash, and genesis names the first holders of each role with their
// keys: so every token pins them.
inline constexpr char kUserTokenRegion[] = "user";

struct JoinToken {
  std::vector<std::string> addresses;        // gRPC, HOST:PORT, 1..kJoinAddressesMax
  std::vector<std::string> https_addresses;  // enrolment, the same
  Digest ca_spki_sha256{};
  std::string log_vkey;   // C2SP vkey
  Digest genesis_leaf{};  // leaf hash (RFC 9162) of record 0
  std::string region;
  std::string supplier;  // as in the worker's SPIFFE id
  std::string slot;
  std::string trust_domain;
  crypto::SecretBytes secret;  // kJoinSecretBytes
  absl::Time expires;          // whole seconds
};

// Error INVALID_ARGUMENT, naming the field: a value out of the bounds above.
absl::StatusOr<crypto::SecretBytes> EncodeJoinToken(const JoinToken& token);
// `text` may end in one newline. Error INVALID_ARGUMENT: anything but what EncodeJoinToken writes.
absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text);

struct HostPort {
  std::string host;  // a DNS name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 0;
};
// "host:port" or "[v6]:port". Error INVALID_ARGUMENT: anything else, port 0.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

// The name that every coordinator certificate carries: `coordinator.<trust-domain>`.
std::string CoordinatorServerName(absl::string_view trust_domain);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_JOIN_TOKEN_H_
