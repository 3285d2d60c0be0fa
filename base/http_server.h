// A small HTTP/1.1 server on threads of its own, over TLS 1.3 or, for loopback, plain.
#ifndef CARNET_BASE_HTTP_SERVER_H_
#define CARNET_BASE_HTTP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/http.h"

namespace carnet {

// PEM texts, read during the call and not kept: the private key's bytes stay the caller's to wipe.
struct HttpServerTls {
  // The server's certificate first, then its issuers, the CA's own certificate included: clients
  // that pin the CA's key need to see it.
  absl::string_view certificate_chain_pem;
  absl::string_view private_key_pem;
  // When set, clients may show a certificate, which must verify against it. Not showing one is
  // allowed: handlers look at HttpRequest::peer_certificate_der.
  absl::string_view client_ca_pem;
};

// Memory is at most connections_max × (request_bytes_max + header_bytes_max) besides what handlers
// hold.
struct HttpServerOptions {
  std::string address = "127.0.0.1";  // an IP address to listen on
  std::uint16_t port = 0;             // 0: any free one
  int threads = 1;
  std::size_t header_bytes_max = std::size_t{16} * 1024;
  std::size_t request_bytes_max = std::size_t{1} << 20;  // body
  std::size_t connections_max = 256;                     // further ones are closed at once
  absl::Duration handshake_timeout = absl::Seconds(10);
  absl::Duration request_timeout = absl::Seconds(30);  // for the header, then for the body
  absl::Duration idle_timeout = absl::Seconds(60);     // until a later request has its header
  absl::Duration handler_timeout = absl::Minutes(5);   // until the handler answers; then 504
  absl::Duration write_timeout = absl::Seconds(60);
};

// Thread-safe once started.
class HttpServer {
 public:
  // Answers a request, once. May be called from any thread, before or after the handler returns.
  // Dropping it without a call answers 500. After the server stopped or the peer left, the answer
  // is dropped.
  using Done = absl::AnyInvocable<void(HttpResponse)>;
  // Runs on one of the server's threads and must not block: what takes time goes to an executor,
  // which calls `done` later.
  using AsyncHandler = std::function<void(HttpRequest request, Done done)>;
  // For quick answers.
  using Handler = std::function<HttpResponse(const HttpRequest& request)>;

  HttpServer();
  // Stop(0).
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Routes, before Start: method ("GET"; HEAD follows GET) and path prefix. The longest prefix
  // wins; a prefix ending in '/' matches everything below it, another one exactly itself. No match:
  // 404; another method: 405.
  void Route(absl::string_view method, absl::string_view path_prefix, Handler handler);
  void RouteAsync(absl::string_view method, absl::string_view path_prefix, AsyncHandler handler);

  // Listens and serves TLS 1.3; older versions are refused in the handshake.
  // INVALID_ARGUMENT: a certificate, key or address that cannot be used. ALREADY_EXISTS: the port
  // is taken. PERMISSION_DENIED: a port that this user may not open.
  absl::Status Start(const HttpServerOptions& options, const HttpServerTls& tls);
  // Plain HTTP. INVALID_ARGUMENT: `options.address` is not a loopback address.
  absl::Status StartPlain(const HttpServerOptions& options);

  // New connections get this certificate and key; open ones keep theirs. Only after Start.
  absl::Status ReplaceTls(const HttpServerTls& tls);

  // The port that it listens on.
  std::uint16_t port() const;
  std::size_t connections() const;

  // Closes the listener and idle connections at once, lets requests under way finish for at most
  // `grace`, then cuts them and joins the threads. Idempotent. Not from a handler.
  void Stop(absl::Duration grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carnet

#endif  // CARNET_BASE_HTTP_SERVER_H_
