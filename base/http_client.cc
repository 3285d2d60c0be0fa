#include "base/http_client.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/http_tls.h"
#include "base/status.h"

namespace carnet {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr std::uint32_t kHeaderBytesMax = 64 * 1024;

beast::string_view ToBoost(absl::string_view text) {
  return {text.data(), text.size()};
}

bool IsHeaderText(absl::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') {
      return false;
    }
  }
  return true;
}

// Runs asynchronous operations one after the other within one deadline.
class Steps {
 public:
  explicit Steps(absl::Duration timeout)
      : deadline_(std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout)) {}

  asio::io_context& context() { return context_; }

  // Starts `operation` with a completion handler and waits for it. When the deadline passes,
  // `cancel` must make the operation end. Returns false then.
  template <typename Operation, typename Cancel>
  bool Run(Operation operation, Cancel cancel, error_code& error) {
    bool done = false;
    operation([&done, &error](const error_code& result, auto&&...) {
      done = true;
      error = result;
    });
    context_.restart();
    context_.run_until(deadline_);
    if (done) {
      return true;
    }
    cancel();
    context_.restart();
    context_.run();
    return false;
  }

 private:
  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context context_;
};

absl::Status Late() {
  return absl::DeadlineExceededError("http: the call took too long");
}

absl::Status Failed(absl::StatusCode code, absl::string_view what, const error_code& error) {
  return WithOperatorDetail(absl::Status(code, what), error.message());
}

absl::Status ReadFailed(const error_code& error) {
  if (error == http::error::body_limit || error == http::error::header_limit) {
    return absl::ResourceExhaustedError("http: the answer is larger than the limit");
  }
  // In TLS 1.3 the server's verdict on our certificate arrives after our side of the handshake is
  // done.
  if (error.category() == asio::error::get_ssl_category()) {
    return Failed(absl::StatusCode::kUnauthenticated, "http: the server ended the TLS session",
                  error);
  }
  if (error.category() == make_error_code(http::error::bad_version).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Failed(absl::StatusCode::kDataLoss, "http: the answer is not HTTP", error);
  }
  return Failed(absl::StatusCode::kUnavailable, "http: the connection broke", error);
}

absl::StatusOr<http::request<http::string_body>> ToBeast(const HttpCallOptions& options,
                                                         const HttpRequest& request) {
  http::request<http::string_body> message;
  message.method_string(ToBoost(request.method));
  if (request.path.empty() || request.path[0] != '/' || !IsHeaderText(request.path) ||
      !IsHeaderText(request.query) || request.path.find(' ') != std::string::npos ||
      request.query.find(' ') != std::string::npos) {
    return absl::InvalidArgumentError("http: not a request path");
  }
  message.target(ToBoost(request.query.empty() ? request.path
                                               : absl::StrCat(request.path, "?", request.query)));
  message.version(11);
  message.set(http::field::host,
              ToBoost(options.tls.has_value() ? options.tls->server_name : options.host));
  message.set(http::field::user_agent, "carnet");
  for (const auto& header : request.headers) {
    if (header.first.empty() || !IsHeaderText(header.first) || !IsHeaderText(header.second)) {
      return absl::InvalidArgumentError("http: not a header");
    }
    message.insert(ToBoost(header.first), ToBoost(header.second));
  }
  message.keep_alive(false);
  message.body() = request.body;
  message.prepare_payload();
  return message;
}

absl::StatusOr<std::vector<tcp::endpoint>> Resolve(Steps& steps, const HttpCallOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (!error) {
    return std::vector<tcp::endpoint>{tcp::endpoint(address, options.port)};
  }
  tcp::resolver resolver(steps.context());
  std::vector<tcp::endpoint> endpoints;
  const auto start = [&](auto handler) {
    resolver.async_resolve(options.host, std::to_string(options.port),
                           [&endpoints, handler](const error_code& result,
                                                 const tcp::resolver::results_type& found) mutable {
                             for (const auto& entry : found) {
                               endpoints.push_back(entry.endpoint());
                             }
                             handler(result);
                           });
  };
  if (!steps.Run(
          start, [&] { resolver.cancel(); }, error)) {
    return Late();
  }
  if (error || endpoints.empty()) {
    return Failed(absl::StatusCode::kUnavailable, "http: the server's name does not resolve",
                  error);
  }
  return endpoints;
}

absl::Status Connect(Steps& steps, const HttpCallOptions& options, beast::tcp_stream& stream) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<tcp::endpoint> endpoints, Resolve(steps, options));
  error_code error;
  const auto start = [&](auto handler) {
    asio::async_connect(
        stream.socket(), endpoints,
        [handler](const error_code& result, const tcp::endpoint&) mutable { handler(result); });
  };
  if (!steps.Run(
          start, [&] { stream.close(); }, error)) {
    return Late();
  }
  if (error) {
    return Failed(absl::StatusCode::kUnavailable, "http: nothing listens at the server's address",
                  error);
  }
  return absl::OkStatus();
}

template <typename Stream>
absl::StatusOr<HttpResponse> Exchange(Steps& steps, const HttpCallOptions& options,
                                      const http::request<http::string_body>& request,
                                      Stream& stream) {
  const auto cancel = [&] { beast::get_lowest_layer(stream).close(); };
  error_code error;
  const auto write = [&](auto handler) { http::async_write(stream, request, handler); };
  if (!steps.Run(write, cancel, error)) {
    return Late();
  }
  // A server may refuse and close before it has read everything: its answer is read all the same.
  const error_code write_error = error;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.header_limit(kHeaderBytesMax);
  parser.body_limit(options.response_bytes_max);
  parser.skip(request.method() == http::verb::head);
  // In two steps: when the header and the body come together, Beast 1.74 forgets that the header
  // announced more than the limit.
  const auto read_header = [&](auto handler) {
    http::async_read_header(stream, buffer, parser, handler);
  };
  const auto read_body = [&](auto handler) { http::async_read(stream, buffer, parser, handler); };
  if (!steps.Run(read_header, cancel, error) || (!error && !steps.Run(read_body, cancel, error))) {
    return Late();
  }
  if (error) {
    return ReadFailed(write_error ? write_error : error);
  }
  HttpResponse response;
  response.status = static_cast<int>(parser.get().result_int());
  response.content_type = std::string(parser.get()[http::field::content_type]);
  for (const auto& field : parser.get()) {
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(parser.get().body());
  return response;
}

absl::StatusOr<HttpResponse> CallOverTls(Steps& steps, const HttpCallOptions& options,
                                         const http::request<http::string_body>& request) {
  CARNET_ASSIGN_OR_RETURN(http_internal::SslCtxPtr made,
                          http_internal::MakeClientContext(*options.tls));
  asio::ssl::context context(made.release());
  beast::ssl_stream<beast::tcp_stream> stream(steps.context(), context);
  // What SSL_set_tlsext_host_name does, without the C cast in that macro.
  if (SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(options.tls->server_name.c_str())) != 1) {
    return absl::InvalidArgumentError("tls: not a server name");
  }
  CARNET_RETURN_IF_ERROR(Connect(steps, options, stream.next_layer()));
  error_code error;
  const auto handshake = [&](auto handler) {
    stream.async_handshake(asio::ssl::stream_base::client, handler);
  };
  if (!steps.Run(
          handshake, [&] { stream.next_layer().close(); }, error)) {
    return Late();
  }
  if (error && error.category() == asio::error::get_ssl_category()) {
    const long verdict = SSL_get_verify_result(stream.native_handle());
    return WithOperatorDetail(
        absl::UnauthenticatedError("http: the server did not prove that it is the one expected"),
        verdict == X509_V_OK ? error.message() : X509_verify_cert_error_string(verdict));
  }
  if (error) {
    return Failed(absl::StatusCode::kUnavailable, "http: the connection broke", error);
  }
  return Exchange(steps, options, request, stream);
}

absl::StatusOr<HttpResponse> CallPlain(Steps& steps, const HttpCallOptions& options,
                                       const http::request<http::string_body>& request) {
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (options.host != "localhost" && (error || !address.is_loopback())) {
    return absl::InvalidArgumentError("http: without TLS only loopback addresses are called");
  }
  beast::tcp_stream stream(steps.context());
  CARNET_RETURN_IF_ERROR(Connect(steps, options, stream));
  return Exchange(steps, options, request, stream);
}

}  // namespace

absl::StatusOr<HttpResponse> HttpCall(const HttpCallOptions& options, const HttpRequest& request) {
  try {
    CARNET_ASSIGN_OR_RETURN(const auto message, ToBeast(options, request));
    // Longer than a day is no deadline, and an infinite one would overflow the clock's arithmetic.
    Steps steps(std::clamp(options.timeout, absl::ZeroDuration(), absl::Hours(24)));
    return options.tls.has_value() ? CallOverTls(steps, options, message)
                                   : CallPlain(steps, options, message);
  } catch (const std::exception& error) {
    return WithOperatorDetail(absl::InternalError("http: the library failed"), error.what());
  }
}

}  // namespace carnet
