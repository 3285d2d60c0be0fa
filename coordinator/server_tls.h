// The coordinator's TLS while authorities come and go: both servers show and take what counts now,
// and ca.pem in the state folder says the same to whoever connects with it.
#ifndef CARNET_COORDINATOR_SERVER_TLS_H_
#define CARNET_COORDINATOR_SERVER_TLS_H_

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/http_server.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coordinator/rpc/authorities.h"
#include "crypto/secret_bytes.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kAuthoritiesCounting{
    MetricKind::kGauge,
    "carnet_certificate_authorities",
    "Certificate authorities that count: 2 while one gives way to another.",
    {}};

// Thread-safe. Everything that it is given outlives it. gRPC asks the authorities by itself at each
// new connection (rpc/grpc_server.h).
class ServerTls {
 public:
  ServerTls(Authorities& authorities, const crypto::SecretBytes& key_pem,
            std::filesystem::path ca_file, BoundedExecutor& storage, Metrics& metrics)
      : authorities_(authorities),
        key_pem_(key_pem),
        ca_file_(std::move(ca_file)),
        storage_(storage),
        metrics_(metrics) {}

  // Writes ca.pem and starts `https`, which Follow keeps up from here on. Errors: those of
  // HttpServer::Start and base/files.h; INTERNAL no certificate could be made.
  absl::Status Start(HttpServer* https, const HttpServerOptions& options) CARNET_EXCLUDES(mutex_);
  // After each commit, and from time to time: an overlap ends without any record. What fails is
  // logged, and tried again with the next call.
  void Follow() CARNET_EXCLUDES(mutex_);

 private:
  Authorities& authorities_;
  const crypto::SecretBytes& key_pem_;
  const std::filesystem::path ca_file_;
  BoundedExecutor& storage_;
  Metrics& metrics_;
  Mutex mutex_;
  HttpServer* https_ CARNET_GUARDED_BY(mutex_) = nullptr;  // null: not started
  std::uint64_t version_ CARNET_GUARDED_BY(mutex_) = 0;    // what it shows
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_SERVER_TLS_H_
