#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "base/http_client.h"
#include "base/http_server.h"
#include "http_fixture.h"
#include "test_certificates.h"

namespace carnet {
namespace {

using Code = absl::StatusCode;

constexpr char kServerName[] = "coordinator.digits.acme.example";

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

TEST_CASE("HTTPS: a client certificate is optional, a handler sees the one that was proven") {
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

}  // namespace
}  // namespace carnet
