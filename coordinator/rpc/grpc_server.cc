#include "coordinator/rpc/grpc_server.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "crypto/secret_bytes.h"

namespace carnet::coordinator {
namespace {

constexpr int kMessageBytesMax = 8 << 20;
constexpr int kStreamsMax = 256;  // concurrent calls of one connection
constexpr int kKeepaliveMillis = 30000;
constexpr int kKeepaliveTimeoutMillis = 10000;
constexpr int kPingIntervalMinMillis = 5000;

// grpc::SslServerCredentials takes its certificates once; the C core asks for them again at each
// connection when it is given a function in their place, and this is the way to give it one.
class FollowingCredentials final : public grpc::ServerCredentials {
 public:
  explicit FollowingCredentials(const GrpcServerOptions& options)
      : private_key_(options.private_key),
        tls_(options.tls),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, Fetch, this))) {}
  ~FollowingCredentials() override { grpc_server_credentials_release(credentials_); }

  // Callers are known by their certificates alone.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<FollowingCredentials*>(self)->FetchNewer(config);
  }
  grpc_ssl_certificate_config_reload_status FetchNewer(
      grpc_ssl_server_certificate_config** config) {
    const std::shared_ptr<const Authorities::Tls> tls = tls_();
    const MutexLock lock(mutex_);
    if (tls == nullptr || tls->version == version_) {
      return tls == nullptr ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL
                            : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    std::string key(private_key_);  // gRPC keeps a copy of its own
    const grpc_ssl_pem_key_cert_pair pair{key.c_str(), tls->chain.c_str()};
    *config = grpc_ssl_server_certificate_config_create(tls->roots.c_str(), &pair, 1);
    crypto::Wipe({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
    version_ = tls->version;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const absl::string_view private_key_;
  const std::function<std::shared_ptr<const Authorities::Tls>()> tls_;
  Mutex mutex_;
  std::uint64_t version_ CARNET_GUARDED_BY(mutex_) = 0;
  grpc_server_credentials* const credentials_;
};

}  // namespace

void ForbidTls12() {
  setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options) {
  std::unique_ptr<GrpcServer> server(new GrpcServer());
  server->credentials_ = std::make_shared<FollowingCredentials>(options);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, server->credentials_, &port);
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
