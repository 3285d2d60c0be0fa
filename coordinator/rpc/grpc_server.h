// The gRPC server: mutual TLS 1.3, limits, start and stop.
#ifndef CARNET_COORDINATOR_RPC_GRPC_SERVER_H_
#define CARNET_COORDINATOR_RPC_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/rpc/authorities.h"

namespace carnet::coordinator {

struct GrpcServerOptions {
  std::string listen;             // ADDRESS:PORT; port 0 takes a free one
  absl::string_view private_key;  // PEM, outlives the server
  // Asked at each new connection, on any thread; every client shows a certificate of one of its
  // roots. Outlives the server. Null: what it said before.
  std::function<std::shared_ptr<const Authorities::Tls>()> tls;
  std::vector<grpc::Service*> services;  // outlive the server
};

// gRPC 1.51 has no setting for the lowest TLS version: with an ECDSA certificate, a suite that
// needs an RSA one leaves TLS 1.2 nothing to agree on, and does not touch 1.3. Before any use of
// gRPC in the process.
void ForbidTls12();

class GrpcServer {
 public:
  // Error ALREADY_EXISTS: the port cannot be opened.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options);
  // With the port that was taken.
  const std::string& address() const { return address_; }
  // Calls under way get `grace`, then are cancelled.
  void Stop(absl::Duration grace);

 private:
  GrpcServer() = default;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // outlive the server
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_GRPC_SERVER_H_
