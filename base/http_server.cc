#include "base/http_server.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "base/http_session.h"
#include "base/http_tls.h"
#include "base/log.h"
#include "base/status.h"

namespace carnet {

using http_internal::RouteEntry;
using http_internal::Session;
using http_internal::Shared;

namespace http_internal {
namespace {

bool Matches(absl::string_view prefix, absl::string_view path) {
  return absl::EndsWith(prefix, "/") ? absl::StartsWith(path, prefix) : path == prefix;
}

HttpResponse Refusal(int status, absl::StatusCode code, absl::string_view words) {
  HttpResponse response = ErrorResponse(absl::Status(code, words));
  response.status = status;
  return response;
}

}  // namespace

void Shared::Serve(HttpRequest request, HttpServer::Done done) const {
  std::size_t longest = 0;
  for (const RouteEntry& route : routes) {
    if (Matches(route.prefix, request.path)) {
      longest = std::max(longest, route.prefix.size());
    }
  }
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::set<std::string> allowed;
  for (const RouteEntry& route : routes) {
    if (route.prefix.size() != longest || !Matches(route.prefix, request.path)) {
      continue;
    }
    if (route.method != method) {
      allowed.insert(route.method);
      continue;
    }
    try {
      route.handler(std::move(request), std::move(done));
    } catch (const std::exception& error) {
      // Nothing of ours throws; a library below a handler might. `done` answers 500 when it goes.
      Log(LogLevel::kError, "http.handler_threw", {{"error", error.what()}});
    }
    return;
  }
  if (allowed.empty()) {
    done(Refusal(404, absl::StatusCode::kNotFound, "http: nothing is served at this path"));
    return;
  }
  HttpResponse response =
      Refusal(405, absl::StatusCode::kUnimplemented, "http: not with this method");
  response.headers.emplace_back("Allow", absl::StrJoin(allowed, ", "));
  done(std::move(response));
}

}  // namespace http_internal

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause(100);

absl::Status ListenError(const error_code& error) {
  absl::StatusCode code = absl::StatusCode::kInternal;
  const char* what = "http: cannot listen";
  if (error == asio::error::address_in_use) {
    code = absl::StatusCode::kAlreadyExists;
    what = "http: the port is taken";
  } else if (error == asio::error::access_denied) {
    code = absl::StatusCode::kPermissionDenied;
    what = "http: this user may not open the port";
  } else if (error == boost::system::errc::address_not_available ||
             error == asio::error::address_family_not_supported) {
    code = absl::StatusCode::kInvalidArgument;
    what = "http: this machine has no such address";
  }
  return WithRemedy(WithOperatorDetail(absl::Status(code, what), error.message()),
                    "Choose another address or port to listen on.");
}

}  // namespace

class HttpServer::Impl {
 public:
  void AddRoute(RouteEntry route) {
    CARNET_CHECK(shared_ == nullptr && absl::StartsWith(route.prefix, "/"));
    routes_.push_back(std::move(route));
  }

  absl::Status Start(const HttpServerOptions& options,
                     std::shared_ptr<asio::ssl::context> tls_or_null) {
    CARNET_CHECK(shared_ == nullptr && options.threads >= 1);
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) {
      return absl::InvalidArgumentError("http: expected an IP address to listen on");
    }
    if (tls_or_null == nullptr && !address.is_loopback()) {
      return absl::InvalidArgumentError("http: without TLS only loopback addresses are served");
    }
    auto shared = std::make_shared<Shared>(options, routes_);
    {
      const MutexLock lock(shared->mutex);
      shared->tls = std::move(tls_or_null);
      is_tls_ = shared->tls != nullptr;
    }
    tcp::acceptor acceptor(asio::make_strand(shared->context));
    const tcp::endpoint endpoint(address, options.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
      acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
      acceptor.bind(endpoint, error);
    }
    if (!error) {
      acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
      return ListenError(error);
    }
    port_ = acceptor.local_endpoint(error).port();
    shared_ = std::move(shared);
    acceptor_.emplace(std::move(acceptor));
    pause_.emplace(acceptor_->get_executor());
    asio::post(acceptor_->get_executor(), [this] { Accept(); });
    for (int i = 0; i < options.threads; ++i) {
      threads_.emplace_back([this] { shared_->context.run(); });
    }
    return absl::OkStatus();
  }

  absl::Status Replace(std::shared_ptr<asio::ssl::context> tls) {
    CARNET_CHECK(shared_ != nullptr && is_tls_);
    const MutexLock lock(shared_->mutex);
    shared_->tls = std::move(tls);
    return absl::OkStatus();
  }

  void Stop(absl::Duration grace) {
    if (shared_ == nullptr || threads_.empty()) {
      return;
    }
    asio::post(acceptor_->get_executor(), [this] {
      error_code ignored;
      acceptor_->close(ignored);
      pause_->cancel();
    });
    {
      const MutexLock lock(shared_->mutex);
      shared_->finishing = true;
    }
    for (const std::shared_ptr<Session>& session : shared_->Live()) {
      session->FinishAndClose();
    }
    AwaitSessions(grace);
    for (const std::shared_ptr<Session>& session : shared_->Live()) {
      session->CloseNow();
    }
    {
      // From here on late answers are dropped. All sockets are closed, so the event loop runs out
      // of work.
      const MutexLock lock(shared_->mutex);
      shared_->stopped = true;
      shared_->work.reset();
    }
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }

  std::uint16_t port() const { return port_; }
  std::size_t connections() const {
    if (shared_ == nullptr) {
      return 0;
    }
    const MutexLock lock(shared_->mutex);
    return shared_->sessions.size();
  }

 private:
  void AwaitSessions(absl::Duration grace) {
    const auto start = std::chrono::steady_clock::now();
    const MutexLock lock(shared_->mutex);
    while (!shared_->sessions.empty()) {
      const absl::Duration left =
          grace - absl::FromChrono(std::chrono::steady_clock::now() - start);
      if (left <= absl::ZeroDuration()) {
        return;
      }
      shared_->session_ended.WaitFor(shared_->mutex, left);
    }
  }

  void Accept() {
    acceptor_->async_accept(asio::make_strand(shared_->context),
                            [this](const error_code& error, tcp::socket socket) {
                              OnAccept(error, std::move(socket));
                            });
  }

  void OnAccept(const error_code& error, tcp::socket socket) {
    if (!acceptor_->is_open()) {
      return;
    }
    if (error) {
      // Most likely too many open files: wait until some have closed, rather than spin.
      Log(LogLevel::kWarning, "http.accept_failed", {{"error", error.message()}});
      pause_->expires_after(kAcceptPause);
      pause_->async_wait([this](const error_code& cancelled) {
        if (!cancelled && acceptor_->is_open()) {
          Accept();
        }
      });
      return;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    try {
      std::shared_ptr<asio::ssl::context> tls;
      {
        const MutexLock lock(shared_->mutex);
        tls = shared_->tls;
      }
      const std::shared_ptr<Session> session =
          is_tls_ ? http_internal::MakeTlsSession(shared_, std::move(socket), std::move(tls))
                  : http_internal::MakePlainSession(shared_, std::move(socket));
      // Beyond the limit the session goes at once, and closes its socket.
      if (shared_->Add(session)) {
        session->Start();
      }
    } catch (const std::exception& failure) {
      Log(LogLevel::kError, "http.session_failed", {{"error", failure.what()}});
    }
    Accept();
  }

  std::vector<RouteEntry> routes_;
  std::shared_ptr<Shared> shared_;
  std::optional<tcp::acceptor> acceptor_;
  std::optional<asio::steady_timer> pause_;
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
  bool is_tls_ = false;
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

HttpServer::~HttpServer() {
  Stop(absl::ZeroDuration());
}

void HttpServer::Route(absl::string_view method, absl::string_view path_prefix, Handler handler) {
  RouteAsync(method, path_prefix,
             [handler = std::move(handler)](const HttpRequest& request, Done done) {
               done(handler(request));
             });
}

void HttpServer::RouteAsync(absl::string_view method, absl::string_view path_prefix,
                            AsyncHandler handler) {
  impl_->AddRoute({std::string(method), std::string(path_prefix), std::move(handler)});
}

absl::Status HttpServer::Start(const HttpServerOptions& options, const HttpServerTls& tls) {
  CARNET_ASSIGN_OR_RETURN(http_internal::SslCtxPtr context, http_internal::MakeServerContext(tls));
  try {
    return impl_->Start(options, std::make_shared<asio::ssl::context>(context.release()));
  } catch (const std::exception& error) {
    return WithOperatorDetail(absl::InternalError("http: cannot start"), error.what());
  }
}

absl::Status HttpServer::StartPlain(const HttpServerOptions& options) {
  try {
    return impl_->Start(options, nullptr);
  } catch (const std::exception& error) {
    return WithOperatorDetail(absl::InternalError("http: cannot start"), error.what());
  }
}

absl::Status HttpServer::ReplaceTls(const HttpServerTls& tls) {
  CARNET_ASSIGN_OR_RETURN(http_internal::SslCtxPtr context, http_internal::MakeServerContext(tls));
  return impl_->Replace(std::make_shared<asio::ssl::context>(context.release()));
}

std::uint16_t HttpServer::port() const {
  return impl_->port();
}

std::size_t HttpServer::connections() const {
  return impl_->connections();
}

void HttpServer::Stop(absl::Duration grace) {
  impl_->Stop(grace);
}

}  // namespace carnet
