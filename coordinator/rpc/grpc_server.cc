#include "coordinator/rpc/grpc_server.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace carnet::coordinator {
namespace {

constexpr int kMessageBytesMax = 8 << 20;
constexpr int kStreamsMax = 256;  // concurrent calls of one connection
constexpr int kKeepaliveMillis = 30000;
constexpr int kKeepaliveTimeoutMillis = 10000;
constexpr int kPingIntervalMinMillis = 5000;

}  // namespace

void ForbidTls12() {
  setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = std::string(options.client_ca);
  tls.pem_key_cert_pairs.push_back(
      {std::string(options.private_key), std::string(options.certificate_chain)});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::SslServerCredentials(tls), &port);
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMillis);
  std::unique_ptr<GrpcServer> server(new GrpcServer());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || port == 0) {
    return WithRemedy(WithOperatorDetail(absl::AlreadyExistsError("the gRPC port cannot be opened"),
                                         options.listen),
                      "stop the process that has it, or set listen.grpc in coordinator.yaml");
  }
  server->address_ = absl::StrCat(options.listen.substr(0, options.listen.rfind(':')), ":", port);
  return server;
}

void GrpcServer::Stop(absl::Duration grace) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

}  // namespace carnet::coordinator
