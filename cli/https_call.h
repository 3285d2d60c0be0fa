// A call of a coordinator's service over HTTPS: for whoever has no certificate yet that gRPC asks
// for, or none that counts any more.
#ifndef CARNET_CLI_HTTPS_CALL_H_
#define CARNET_CLI_HTTPS_CALL_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/http_client.h"
#include "exchange/join_token.h"

namespace carnet::cli {

struct HttpsCall {
  std::string path;                           // "/carnet.v1.Enrolment/EnrollUser"
  std::vector<exchange::HostPort> addresses;  // tried in this order until one answers
  HttpClientTls tls;
  // What the person can do: where what answers is not the coordinator that `tls` knows, and where
  // nothing answers.
  std::string if_unknown;
  std::string if_away;
};

// Sends `request` and fills `response`, both proto3 JSON (Connect unary). Blocks. Errors: what the
// service answered; INVALID_ARGUMENT the answer is no such message; UNAVAILABLE with if_away, no
// address answered: retry; others of HttpCall with if_unknown.
absl::Status CallHttps(const HttpsCall& call, const google::protobuf::Message& request,
                       google::protobuf::Message* response);

}  // namespace carnet::cli

#endif  // CARNET_CLI_HTTPS_CALL_H_
