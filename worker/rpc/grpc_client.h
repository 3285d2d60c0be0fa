// The coordinator over gRPC: mutual TLS 1.3, the server known by the federation's CA and by the
// name coordinator.<trust-domain>, never by an address.
#ifndef CARNET_WORKER_RPC_GRPC_CLIENT_H_
#define CARNET_WORKER_RPC_GRPC_CLIENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"
#include "worker/coordinator_client.h"

namespace carnet::worker {

// gRPC 1.51 has no setting for the lowest TLS version. With ECDSA certificates, naming one RSA
// suite of TLS 1.2 leaves 1.2 nothing to agree on, while the suites of 1.3 are not affected. Call
// before the first use of gRPC in a process.
void AllowTls13Only();

struct GrpcClientOptions {
  std::vector<std::string> addresses;  // HOST:PORT; the first that answers is used
  std::string trust_domain;
  std::string ca_certificate_pem;
  std::string certificate_pem;
  // exchange::kInstanceBytes random bytes, made once at the start of the process: the same for
  // every client that it makes.
  Bytes instance = {};
};

// A client for one certificate; make another one after a renewal. `key_pem` is read during the
// call; gRPC keeps a copy in ordinary memory, which it wipes on its own terms. Error
// INVALID_ARGUMENT: no address; an instance of another size.
absl::StatusOr<std::unique_ptr<CoordinatorClient>> MakeGrpcClient(
    const GrpcClientOptions& options, const crypto::SecretBytes& key_pem);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_RPC_GRPC_CLIENT_H_
