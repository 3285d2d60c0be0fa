// The bytes of a message that somebody signs or binds a key to: both sides make them with the same
// code. Pure.
#ifndef CARNET_EXCHANGE_SIGNED_BYTES_H_
#define CARNET_EXCHANGE_SIGNED_BYTES_H_

#include <google/protobuf/message_lite.h>

#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace carnet::exchange {

// Deterministic: equal messages have equal bytes, of one version of protobuf.
std::string SerialiseDeterministically(const google::protobuf::MessageLite& message);

// `prefix` || SHA-256(SerialiseDeterministically(message)).
Bytes DigestMessage(absl::string_view prefix, const google::protobuf::MessageLite& message);

// What a request's `proof` signs: DigestMessage of the request without it.
template <typename Request>
Bytes ProofMessage(absl::string_view prefix, Request request) {
  request.clear_proof();
  return DigestMessage(prefix, request);
}

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_SIGNED_BYTES_H_
