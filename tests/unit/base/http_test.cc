#include "base/http.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <utility>

#include "base/http_client.h"
#include "base/http_server.h"
#include "base/status.h"
#include "http_fixture.h"

namespace carnet {
namespace {

using Code = absl::StatusCode;

TEST_CASE("HTTP client: refuses what it cannot send, and plain HTTP beyond loopback") {
  HttpCallOptions options;
  options.port = 9;
  options.host = "192.0.2.1";
  CHECK(HttpCall(options, HttpRequest()).status().code() == Code::kInvalidArgument);
  options.host = "127.0.0.1";
  for (const char* path : {"", "x", "/a b", "/a\r\nX: y"}) {
    HttpRequest request;
    request.path = path;
    CHECK(HttpCall(options, request).status().code() == Code::kInvalidArgument);
  }
  HttpRequest injected;
  injected.headers = {{"X", "a\r\nY: b"}};
  CHECK(HttpCall(options, injected).status().code() == Code::kInvalidArgument);
}

TEST_CASE("HTTP client: bounds the answer and the time") {
  HttpServer server;
  server.Route("GET", "/large", [](const HttpRequest&) { return Text(std::string(5000, 'x')); });
  server.RouteAsync("GET", "/never", [](const HttpRequest&, HttpServer::Done done) {
    static HttpServer::Done kept;
    kept = std::move(done);
  });
  REQUIRE(server.StartPlain({}).ok());
  HttpCallOptions options = CallTo(server);
  options.response_bytes_max = 4999;
  HttpRequest request;
  request.path = "/large";
  CHECK(HttpCall(options, request).status().code() == Code::kResourceExhausted);
  options.response_bytes_max = 5000;
  CHECK(HttpCall(options, request).ok());
  options.timeout = absl::Milliseconds(20);
  request.path = "/never";
  CHECK(HttpCall(options, request).status().code() == Code::kDeadlineExceeded);
}

TEST_CASE("HTTP client: an answer that is not HTTP is DATA_LOSS, one that breaks off UNAVAILABLE") {
  const std::pair<const char*, Code> table[] = {
      {"garbage\r\n\r\n", Code::kDataLoss},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Code::kUnavailable},
      {"", Code::kUnavailable}};
  for (const auto& row : table) {
    CAPTURE(row.first);
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const std::string answer = row.first;
    std::thread server([&listener, &answer] {
      const UniqueFd peer(accept(listener.get(), nullptr, nullptr));
      char buffer[4096];
      if (recv(peer.get(), buffer, sizeof(buffer), 0) > 0) {
        send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
    HttpCallOptions options;
    options.port = ntohs(address.sin_port);
    const Code code = HttpCall(options, HttpRequest()).status().code();
    server.join();
    CHECK(code == row.second);
  }
}

// connectrpc.com/docs/protocol#error-codes
TEST_CASE("Connect errors: map codes to HTTP and back") {
  const std::pair<Code, int> table[] = {
      {Code::kCancelled, 499},         {Code::kInvalidArgument, 400},
      {Code::kDeadlineExceeded, 504},  {Code::kNotFound, 404},
      {Code::kAlreadyExists, 409},     {Code::kPermissionDenied, 403},
      {Code::kResourceExhausted, 429}, {Code::kFailedPrecondition, 400},
      {Code::kAborted, 409},           {Code::kOutOfRange, 400},
      {Code::kUnimplemented, 501},     {Code::kInternal, 500},
      {Code::kUnavailable, 503},       {Code::kDataLoss, 500},
      {Code::kUnauthenticated, 401}};
  for (const auto& row : table) {
    const HttpResponse response = ErrorResponse(
        WithOperatorDetail(absl::Status(row.first, "fixed words"), "a path that stays at home"));
    CHECK(response.status == row.second);
    CHECK(response.body.find("path") == std::string::npos);
    CHECK(StatusFromResponse(response) == absl::Status(row.first, "fixed words"));
  }
  CHECK(ErrorResponse(absl::NotFoundError("x")).body == R"({"code":"not_found","message":"x"})");
}

TEST_CASE("Connect errors: what a peer writes is cut and made printable") {
  HttpResponse response;
  response.status = 404;
  response.body = "<html>not ours</html>";
  CHECK(StatusFromResponse(response).code() == Code::kNotFound);
  response.body = R"({"code":"aborted","message":")" + std::string(5000, 'x') + "\"}";
  CHECK(StatusFromResponse(response).code() == Code::kAborted);
  CHECK(StatusFromResponse(response).message().size() == 1024);
  response.body = R"({"code":"aborted","message":"a\u001b[31m"})";
  CHECK(StatusFromResponse(response).message() == "a?[31m");
  response.body = R"({"code":"made_up"})";
  CHECK(StatusFromResponse(response).code() == Code::kNotFound);
  response.status = 204;
  CHECK(StatusFromResponse(response).ok());
}

}  // namespace
}  // namespace carnet
