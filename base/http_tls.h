// TLS contexts for base/http_server.h and base/http_client.h; included by their .cc files only.
#ifndef CARNET_BASE_HTTP_TLS_H_
#define CARNET_BASE_HTTP_TLS_H_

#include <openssl/ssl.h>

#include <memory>

#include "absl/status/statusor.h"
#include "base/http_client.h"
#include "base/http_server.h"

namespace carnet::http_internal {

struct SslCtxDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, SslCtxDeleter>;

// TLS 1.3 only, no resumption. Errors as HttpServer::Start.
absl::StatusOr<SslCtxPtr> MakeServerContext(const HttpServerTls& tls);

// TLS 1.3 only; verifies the pinned CA and the server's name. `tls` must outlive the context.
absl::StatusOr<SslCtxPtr> MakeClientContext(const HttpClientTls& tls);

}  // namespace carnet::http_internal

#endif  // CARNET_BASE_HTTP_TLS_H_
