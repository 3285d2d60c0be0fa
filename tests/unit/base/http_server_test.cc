#include "base/http_server.h"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "base/executor.h"
#include "base/http_client.h"
#include "base/status.h"
#include "http_fixture.h"

namespace carnet {
namespace {

using Code = absl::StatusCode;

TEST_CASE("HTTP: a request arrives whole and its answer goes back whole") {
  HttpServer server;
  server.Route("POST", "/echo", Echo);
  REQUIRE(server.StartPlain({}).ok());
  HttpRequest request;
  request.method = "POST";
  request.path = "/echo";
  request.query = "a=b&c";
  request.headers = {{"X-Sent", "value"}};
  request.body = std::string(300'000, 'x');
  const auto response = HttpCall(CallTo(server), request);
  REQUIRE(response.ok());
  CHECK(response->status == 200);
  CHECK(response->content_type == "text/plain");
  CHECK(response->Header("x-seen") == "value");
  CHECK(response->body == "POST /echo?a=b&c " + request.body);
}

TEST_CASE("HTTP: the longest prefix wins, other paths are 404, other methods 405") {
  HttpServer server;
  server.Route("GET", "/tile/", [](const HttpRequest&) { return Text("tile"); });
  server.Route("GET", "/tile/entries/", [](const HttpRequest&) { return Text("entries"); });
  server.Route("GET", "/exact", [](const HttpRequest&) { return Text("exact"); });
  server.Route("POST", "/exact", [](const HttpRequest&) { return Text("posted"); });
  REQUIRE(server.StartPlain({}).ok());
  const auto get = [&](const std::string& method, const std::string& path) {
    HttpRequest request;
    request.method = method;
    request.path = path;
    return HttpCall(CallTo(server), request);
  };
  CHECK(get("GET", "/tile/0/000")->body == "tile");
  CHECK(get("GET", "/tile/entries/000")->body == "entries");
  CHECK(get("GET", "/exact")->body == "exact");
  CHECK(get("POST", "/exact")->body == "posted");
  CHECK(get("GET", "/exact/")->status == 404);
  CHECK(get("GET", "/exactly")->status == 404);
  CHECK(get("GET", "/tile")->status == 404);
  CHECK(StatusFromResponse(*get("GET", "/nothing")).code() == Code::kNotFound);
  const auto deleted = get("DELETE", "/exact");
  CHECK(deleted->status == 405);
  CHECK(deleted->Header("allow") == "GET, POST");
  const auto head = get("HEAD", "/exact");
  CHECK(head->status == 200);
  CHECK(head->body.empty());
  CHECK(head->Header("content-length") == "5");
}

TEST_CASE("HTTP: a handler may answer later, from another thread") {
  BoundedExecutor executor({.name = "answers", .threads = 1, .queue_tasks_max = 4});
  HttpServer server;
  server.RouteAsync("GET", "/later", [&executor](HttpRequest request, HttpServer::Done done) {
    const absl::Status submitted = executor.TrySubmit(
        [path = request.path, done = std::move(done)]() mutable { done(Text("later " + path)); });
    CARNET_CHECK(submitted.ok());
  });
  REQUIRE(server.StartPlain({}).ok());
  HttpRequest request;
  request.path = "/later";
  CHECK(HttpCall(CallTo(server), request)->body == "later /later");
  server.Stop(absl::Seconds(10));
}

TEST_CASE("HTTP: a handler that drops its answer, or throws, gives 500") {
  HttpServer server;
  server.RouteAsync("GET", "/drops", [](const HttpRequest&, const HttpServer::Done&) {});
  server.Route("GET", "/throws",
               [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("oops"); });
  REQUIRE(server.StartPlain({}).ok());
  for (const char* path : {"/drops", "/throws"}) {
    HttpRequest request;
    request.path = path;
    const auto response = HttpCall(CallTo(server), request);
    REQUIRE(response.ok());
    CHECK(response->status == 500);
    CHECK(response->body.find("oops") == std::string::npos);
  }
}

TEST_CASE("HTTP: an answer that does not come in time is 504, and a late one is dropped") {
  HttpServer server;
  std::promise<HttpServer::Done> held;
  server.RouteAsync("GET", "/slow", [&held](const HttpRequest&, HttpServer::Done done) {
    held.set_value(std::move(done));
  });
  HttpServerOptions options;
  options.handler_timeout = absl::Milliseconds(1);
  REQUIRE(server.StartPlain(options).ok());
  HttpRequest request;
  request.path = "/slow";
  CHECK(HttpCall(CallTo(server), request)->status == 504);
  held.get_future().get()(Text("too late"));
}

TEST_CASE("HTTP: bodies and headers beyond their limits are refused and not read") {
  HttpServer server;
  server.Route("POST", "/echo", Echo);
  HttpServerOptions options;
  options.request_bytes_max = 1000;
  options.header_bytes_max = 2000;
  REQUIRE(server.StartPlain(options).ok());
  HttpRequest request;
  request.method = "POST";
  request.path = "/echo";
  request.body = std::string(1000, 'x');
  CHECK(HttpCall(CallTo(server), request)->status == 200);
  request.body.push_back('x');
  CHECK(HttpCall(CallTo(server), request)->status == 413);
  request.body = "";
  request.headers = {{"X-Long", std::string(3000, 'x')}};
  CHECK(HttpCall(CallTo(server), request)->status == 431);

  // Announced: refused before the body is sent.
  RawConnection announced(server.port());
  announced.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
  CHECK(announced.ReadAll().rfind("HTTP/1.1 413 ", 0) == 0);
  // Not announced: refused when the limit is passed.
  RawConnection chunked(server.port());
  chunked.Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x') + "\r\n0\r\n\r\n");
  CHECK(chunked.ReadAll().rfind("HTTP/1.1 413 ", 0) == 0);
}

TEST_CASE("HTTP: garbage gets 400 or a closed connection, and the server goes on") {
  HttpServer server;
  server.Route("GET", "/", [](const HttpRequest&) { return Text("fine"); });
  REQUIRE(server.StartPlain({}).ok());
  for (const std::string& garbage :
       {std::string("hello\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("GET /\x01 HTTP/1.1\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n",
        std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("GET http://other/ HTTP/1.1\r\n\r\n"), std::string(100, '\0')}) {
    CAPTURE(garbage);
    RawConnection raw(server.port());
    raw.Send(garbage);
    const std::string answer = raw.ReadAll();
    CHECK(raw.ended());
    CHECK((answer.empty() || answer.rfind("HTTP/1.1 400 ", 0) == 0));
  }
  CHECK(HttpCall(CallTo(server), HttpRequest())->body == "fine");
}

TEST_CASE("HTTP: a request that does not arrive in time ends the connection") {
  HttpServer server;
  HttpServerOptions options;
  options.request_timeout = absl::Milliseconds(10);
  REQUIRE(server.StartPlain(options).ok());
  RawConnection raw(server.port());
  raw.Send("GET / HTTP/1.1\r\nHos");
  CHECK(raw.ReadAll().empty());
  CHECK(raw.ended());
}

TEST_CASE("HTTP: one connection serves several requests, and Expect is answered") {
  HttpServer server;
  server.Route("POST", "/echo", Echo);
  REQUIRE(server.StartPlain({}).ok());
  RawConnection raw(server.port());
  raw.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\ntwo"
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree");
  const std::string answers = raw.ReadAll();
  CHECK(raw.ended());
  const std::size_t first = answers.find("POST /echo? one");
  const std::size_t go_on = answers.find("HTTP/1.1 100 Continue");
  const std::size_t second = answers.find("POST /echo? two");
  const std::size_t third = answers.find("POST /echo? three");
  CHECK(first < go_on);
  CHECK(go_on < second);
  CHECK(second < third);
  CHECK(third != std::string::npos);
}

TEST_CASE("HTTP: connections beyond the limit are closed at once") {
  HttpServer server;
  server.Route("GET", "/", [](const HttpRequest&) { return Text("fine"); });
  HttpServerOptions options;
  options.connections_max = 2;
  REQUIRE(server.StartPlain(options).ok());
  // One request each shows that both are taken in.
  RawConnection first(server.port());
  RawConnection second(server.port());
  for (RawConnection* held : {&first, &second}) {
    held->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    char byte = 0;
    REQUIRE(recv(held->fd(), &byte, 1, 0) == 1);
  }
  CHECK(server.connections() == 2);
  RawConnection third(server.port());
  CHECK(third.ReadAll().empty());
}

TEST_CASE("HTTP: headers of a handler cannot start headers of their own") {
  HttpServer server;
  server.Route("GET", "/", [](const HttpRequest&) {
    HttpResponse response = Text("fine");
    response.headers = {{"X-Bad", "a\r\nX-Injected: b"}, {"X-Good", "c"}};
    return response;
  });
  REQUIRE(server.StartPlain({}).ok());
  const auto response = HttpCall(CallTo(server), HttpRequest());
  REQUIRE(response.ok());
  CHECK(response->Header("x-injected").empty());
  CHECK(response->Header("x-bad").empty());
  CHECK(response->Header("x-good") == "c");
}

TEST_CASE("HTTP: Stop lets a request under way finish, and then nothing listens") {
  BoundedExecutor executor({.name = "slow", .threads = 1, .queue_tasks_max = 4});
  HttpServer server;
  std::promise<void> entered;
  std::promise<void> go_on;
  server.RouteAsync("GET", "/slow", [&](const HttpRequest&, HttpServer::Done done) {
    CARNET_CHECK(executor
                     .TrySubmit([&, done = std::move(done)]() mutable {
                       entered.set_value();
                       go_on.get_future().wait();
                       done(Text("finished"));
                     })
                     .ok());
  });
  REQUIRE(server.StartPlain({}).ok());
  const HttpCallOptions options = CallTo(server);
  absl::StatusOr<HttpResponse> response = absl::UnknownError("");
  std::thread client([&] {
    HttpRequest request;
    request.path = "/slow";
    response = HttpCall(options, request);
  });
  entered.get_future().wait();
  std::thread stopper([&] { server.Stop(absl::Seconds(20)); });
  go_on.set_value();
  client.join();
  stopper.join();
  REQUIRE(response.ok());
  CHECK(response->body == "finished");
  CHECK(HttpCall(options, HttpRequest()).status().code() == Code::kUnavailable);
  server.Stop(absl::ZeroDuration());
}

TEST_CASE("HTTP: an answer after the server has gone is dropped") {
  HttpServer::Done held;
  {
    HttpServer server;
    std::promise<void> entered;
    server.RouteAsync("GET", "/held", [&](const HttpRequest&, HttpServer::Done done) {
      held = std::move(done);
      entered.set_value();
    });
    REQUIRE(server.StartPlain({}).ok());
    RawConnection raw(server.port());
    raw.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.get_future().wait();
    server.Stop(absl::ZeroDuration());
    CHECK(raw.ReadAll().empty());
  }
  held(Text("nobody hears"));
  held = nullptr;
  SUCCEED("no crash");
}

TEST_CASE("HTTP: a taken port and a bad address are told apart") {
  HttpServer first;
  REQUIRE(first.StartPlain({}).ok());
  HttpServerOptions options;
  options.port = first.port();
  HttpServer second;
  CHECK(second.StartPlain(options).code() == Code::kAlreadyExists);
  options.address = "localhost";
  CHECK(HttpServer().StartPlain(options).code() == Code::kInvalidArgument);
  options.address = "0.0.0.0";
  CHECK(HttpServer().StartPlain(options).message() ==
        "http: without TLS only loopback addresses are served");
}

}  // namespace
}  // namespace carnet
