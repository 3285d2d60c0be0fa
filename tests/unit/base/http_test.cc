#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/status.h"
#include "test_certificates.h"

namespace carnet {
namespace {

using Code = absl::StatusCode;

constexpr char kServerName[] = "coordinator.digits.acme.example";

HttpResponse Text(std::string text) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(text);
  return response;
}

HttpResponse Echo(const HttpRequest& request) {
  HttpResponse response =
      Text(request.method + " " + request.path + "?" + request.query + " " + request.body);
  response.headers.emplace_back("X-Seen", std::string(request.Header("x-sent")));
  return response;
}

HttpCallOptions CallTo(const HttpServer& server) {
  HttpCallOptions options;
  options.port = server.port();
  return options;
}

// A connection of bytes, for what the client would never send.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    // Only so that a broken server fails the test instead of holding it.
    const timeval limit{20, 0};
    REQUIRE(setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
  }
  void Send(const std::string& text) {
    REQUIRE(send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  // Everything until the server ends the connection.
  std::string ReadAll() {
    std::string text;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = recv(fd_.get(), buffer, sizeof(buffer), 0)) > 0) {
      text.append(buffer, static_cast<std::size_t>(count));
    }
    ended_ = count == 0;
    return text;
  }
  bool ended() const { return ended_; }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  bool ended_ = false;
};

// A server on TLS with its own CA.
struct TlsFixture {
  TestIdentity ca = MakeTestCa();
  TestIdentity leaf = MakeTestLeaf(ca);
  HttpServer server;

  absl::Status Start(bool with_client_ca = false) {
    return StartWith(leaf.CertificatePem() + ca.CertificatePem(), leaf.KeyPem(), with_client_ca);
  }
  absl::Status StartWith(const std::string& chain, const std::string& key,
                         bool with_client_ca = false) {
    server.Route("GET", "/",
                 [](const HttpRequest& request) { return Text(request.peer_certificate_der); });
    const std::string ca_pem = ca.CertificatePem();
    return server.Start({}, {.certificate_chain_pem = chain,
                             .private_key_pem = key,
                             .client_ca_pem = with_client_ca ? ca_pem : std::string()});
  }
  HttpCallOptions PinnedByCertificate(const TestIdentity& pinned) const {
    HttpCallOptions options = CallTo(server);
    options.tls.emplace();
    options.tls->ca_certificate_pem = pinned.CertificatePem();
    options.tls->server_name = kServerName;
    return options;
  }
  HttpCallOptions PinnedByKey(const Digest& key) const {
    HttpCallOptions options = CallTo(server);
    options.tls.emplace();
    options.tls->ca_key_sha256 = key;
    options.tls->server_name = kServerName;
    return options;
  }
};

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

TEST_CASE("HTTP: the longest prefix wins; other paths are 404, other methods 405") {
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

TEST_CASE("HTTPS: the CA's certificate or its key's digest is enough to trust the server") {
  TlsFixture fixture;
  REQUIRE(fixture.Start().ok());
  const auto by_certificate = HttpCall(fixture.PinnedByCertificate(fixture.ca), HttpRequest());
  CHECK(by_certificate.ok());
  const auto by_key = HttpCall(fixture.PinnedByKey(fixture.ca.KeySha256()), HttpRequest());
  CHECK(by_key.ok());
  CHECK(by_key->body.empty());
}

TEST_CASE("HTTPS: a server of another CA, of another name or without the pinned key is refused") {
  TlsFixture fixture;
  REQUIRE(fixture.Start().ok());
  const TestIdentity other = MakeTestCa();
  const auto code = [](const HttpCallOptions& options) {
    return HttpCall(options, HttpRequest()).status().code();
  };
  CHECK(code(fixture.PinnedByCertificate(other)) == Code::kUnauthenticated);
  CHECK(code(fixture.PinnedByKey(other.KeySha256())) == Code::kUnauthenticated);
  // The leaf's key is no CA's.
  CHECK(code(fixture.PinnedByKey(fixture.leaf.KeySha256())) == Code::kUnauthenticated);
  for (HttpCallOptions options :
       {fixture.PinnedByCertificate(fixture.ca), fixture.PinnedByKey(fixture.ca.KeySha256())}) {
    options.tls->server_name = "coordinator.other.example";
    CHECK(code(options) == Code::kUnauthenticated);
    options.tls->server_name = "";
    CHECK(code(options) == Code::kInvalidArgument);
  }
  HttpCallOptions both = fixture.PinnedByCertificate(fixture.ca);
  both.tls->ca_key_sha256 = fixture.ca.KeySha256();
  CHECK(code(both) == Code::kInvalidArgument);
}

TEST_CASE("HTTPS: the pinned CA's certificate beside a chain of another CA proves nothing") {
  TlsFixture fixture;
  const TestIdentity impostor_ca = MakeTestCa();
  const TestIdentity impostor = MakeTestLeaf(impostor_ca);
  REQUIRE(fixture
              .StartWith(impostor.CertificatePem() + impostor_ca.CertificatePem() +
                             fixture.ca.CertificatePem(),
                         impostor.KeyPem())
              .ok());
  CHECK(HttpCall(fixture.PinnedByKey(fixture.ca.KeySha256()), HttpRequest()).status().code() ==
        Code::kUnauthenticated);
}

TEST_CASE("HTTPS: an expired or not yet valid server certificate is refused") {
  const std::pair<long, long> periods[] = {{-7200, -3600}, {3600, 7200}};
  for (const auto& period : periods) {
    TlsFixture fixture;
    fixture.leaf = MakeTestLeaf(fixture.ca, {.dns_name = kServerName,
                                             .not_before_seconds = period.first,
                                             .not_after_seconds = period.second});
    REQUIRE(fixture.Start().ok());
    for (const HttpCallOptions& options :
         {fixture.PinnedByCertificate(fixture.ca), fixture.PinnedByKey(fixture.ca.KeySha256())}) {
      CHECK(HttpCall(options, HttpRequest()).status().code() == Code::kUnauthenticated);
    }
  }
}

// The outcome of a TLS handshake with at most `version`.
bool HandshakeWorks(std::uint16_t port, int version) {
  RawConnection raw(port);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, version);
  // The weakest security level, so that a refusal is the server's.
  SSL_CTX_set_security_level(context, 0);
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, raw.fd());
  const bool works = SSL_connect(ssl) == 1;
  SSL_free(ssl);
  SSL_CTX_free(context);
  return works;
}

TEST_CASE("HTTPS: TLS 1.2 and older are refused") {
  TlsFixture fixture;
  REQUIRE(fixture.Start().ok());
  CHECK(HandshakeWorks(fixture.server.port(), TLS1_3_VERSION));
  CHECK_FALSE(HandshakeWorks(fixture.server.port(), TLS1_2_VERSION));
  CHECK_FALSE(HandshakeWorks(fixture.server.port(), TLS1_1_VERSION));
  CHECK_FALSE(HandshakeWorks(fixture.server.port(), TLS1_VERSION));
}

TEST_CASE("HTTPS: plain bytes end in a closed connection, and the server goes on") {
  TlsFixture fixture;
  REQUIRE(fixture.Start().ok());
  RawConnection raw(fixture.server.port());
  raw.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(raw.ReadAll().find("HTTP") == std::string::npos);
  CHECK(HttpCall(fixture.PinnedByCertificate(fixture.ca), HttpRequest()).ok());
}

TEST_CASE("HTTPS: a refused body is answered over TLS too") {
  TlsFixture fixture;
  fixture.server.Route("POST", "/", Echo);
  REQUIRE(fixture.Start().ok());
  HttpRequest request;
  request.method = "POST";
  request.body = std::string(3 << 20, 'x');
  const auto response = HttpCall(fixture.PinnedByCertificate(fixture.ca), request);
  REQUIRE(response.ok());
  CHECK(response->status == 413);
}

TEST_CASE("HTTPS: a client certificate is optional; a handler sees the one that was proven") {
  TlsFixture fixture;
  REQUIRE(fixture.Start(/*with_client_ca=*/true).ok());
  HttpCallOptions options = fixture.PinnedByCertificate(fixture.ca);
  CHECK(HttpCall(options, HttpRequest())->body.empty());

  const TestIdentity worker = MakeTestLeaf(fixture.ca, {.dns_name = "worker"});
  const std::string chain = worker.CertificatePem();
  const std::string key = worker.KeyPem();
  options.tls->certificate_chain_pem = chain;
  options.tls->private_key_pem = key;
  const auto response = HttpCall(options, HttpRequest());
  REQUIRE(response.ok());
  CHECK(response->body == worker.CertificateDer());
}

TEST_CASE("HTTPS: a client certificate of another CA, or an expired one, is refused") {
  TlsFixture fixture;
  REQUIRE(fixture.Start(/*with_client_ca=*/true).ok());
  const TestIdentity other_ca = MakeTestCa();
  const TestIdentity stranger = MakeTestLeaf(other_ca);
  const TestIdentity expired = MakeTestLeaf(
      fixture.ca, {.dns_name = "w", .not_before_seconds = -7200, .not_after_seconds = -3600});
  for (const TestIdentity* identity : {&stranger, &expired}) {
    const std::string chain = identity->CertificatePem();
    const std::string key = identity->KeyPem();
    HttpCallOptions options = fixture.PinnedByCertificate(fixture.ca);
    options.tls->certificate_chain_pem = chain;
    options.tls->private_key_pem = key;
    const Code code = HttpCall(options, HttpRequest()).status().code();
    // The server's alert can be lost when it closes while our request is on its way.
    CHECK((code == Code::kUnauthenticated || code == Code::kUnavailable));
  }
}

TEST_CASE("HTTPS: the server's certificate can be replaced while it runs") {
  TlsFixture fixture;
  REQUIRE(fixture.Start().ok());
  const TestIdentity new_ca = MakeTestCa();
  const TestIdentity new_leaf = MakeTestLeaf(new_ca);
  const std::string chain = new_leaf.CertificatePem() + new_ca.CertificatePem();
  const std::string key = new_leaf.KeyPem();
  REQUIRE(
      fixture.server
          .ReplaceTls({.certificate_chain_pem = chain, .private_key_pem = key, .client_ca_pem = {}})
          .ok());
  CHECK(HttpCall(fixture.PinnedByCertificate(new_ca), HttpRequest()).ok());
  CHECK_FALSE(HttpCall(fixture.PinnedByCertificate(fixture.ca), HttpRequest()).ok());
}

TEST_CASE("HTTPS: certificates and keys that cannot be used are refused at the start") {
  const TestIdentity ca = MakeTestCa();
  const TestIdentity leaf = MakeTestLeaf(ca);
  const std::string chain = leaf.CertificatePem();
  const std::string key = leaf.KeyPem();
  const std::string other_key = ca.KeyPem();
  const std::string broken = chain + chain.substr(0, 100);
  const auto start = [](const HttpServerTls& tls) { return HttpServer().Start({}, tls).code(); };
  CHECK(start({.certificate_chain_pem = chain, .private_key_pem = key, .client_ca_pem = {}}) ==
        Code::kOk);
  CHECK(
      start({.certificate_chain_pem = chain, .private_key_pem = other_key, .client_ca_pem = {}}) ==
      Code::kInvalidArgument);
  CHECK(start({.certificate_chain_pem = "", .private_key_pem = key, .client_ca_pem = {}}) ==
        Code::kInvalidArgument);
  CHECK(start({.certificate_chain_pem = chain, .private_key_pem = "x", .client_ca_pem = {}}) ==
        Code::kInvalidArgument);
  CHECK(start({.certificate_chain_pem = broken, .private_key_pem = key, .client_ca_pem = {}}) ==
        Code::kInvalidArgument);
  CHECK(start({.certificate_chain_pem = chain, .private_key_pem = key, .client_ca_pem = "x"}) ==
        Code::kInvalidArgument);
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
