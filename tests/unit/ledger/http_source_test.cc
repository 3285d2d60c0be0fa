#include "ledger/readers/http_source.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/gzip.h"
#include "base/http_server.h"

namespace carnet::ledger {
namespace {

TEST_CASE("Log URL: host, port and prefix") {
  const auto [text, tls, host, port, prefix] =
      GENERATE(table<std::string, bool, std::string, int, std::string>({
          {"https://log.example", true, "log.example", 443, ""},
          {"https://log.example/", true, "log.example", 443, ""},
          {"https://log.example:7680/a/b-c_d.e/", true, "log.example", 7680, "/a/b-c_d.e"},
          {"http://127.0.0.1:8080/x", false, "127.0.0.1", 8080, "/x"},
          {"http://[::1]/x", false, "::1", 80, "/x"},
          {"https://[::1]:1/x%20y", true, "::1", 1, "/x%20y"},
      }));
  CAPTURE(text);
  REQUIRE(IsLogUrl(text));
  const auto url = ParseLogUrl(text);
  REQUIRE(url.ok());
  CHECK(url->tls == tls);
  CHECK(url->host == host);
  CHECK(url->port == port);
  CHECK(url->prefix == prefix);
}

TEST_CASE("Log URL: anything that could mean two things is refused") {
  const std::string text =
      GENERATE(as<std::string>(), "https://", "https:///x", "https://user@log.example/",
               "https://log.example?x", "https://log.example/?x", "https://log.example/#x",
               "https://log.example/../x", "https://log.example/./x", "https://log.example:0/",
               "https://log.example:65536/", "https://log.example:/", "https://log.example:+1/",
               "https://log.example:01/", "https://[::1/", "https://[::1]x/",
               "https://log example/", "https://log.example/a b", "https://log.example/a\r\nb",
               "ftp://log.example/", "HTTPS://log.example/", "https://log.example/\xc3\xa9");
  CAPTURE(text);
  CHECK(absl::IsInvalidArgument(ParseLogUrl(text).status()));
  CHECK(absl::IsInvalidArgument(
      ParseLogUrl(absl::StrCat("https://log.example/", std::string(2000, 'a'))).status()));
}

TEST_CASE("Log URL: a folder is none") {
  for (const char* text : {"export", "/srv/log", "./https:", "C:/x", "ftp://x"}) {
    CAPTURE(text);
    CHECK_FALSE(IsLogUrl(text));
  }
}

LogServer At(const std::string& url) {
  LogServer server;
  server.url = *ParseLogUrl(url);
  return server;
}

// Answers every request with the same.
class Answering {
 public:
  explicit Answering(const HttpResponse& response) {
    server_.Route("GET", "/log/", [response](const HttpRequest&) { return response; });
    REQUIRE(server_.StartPlain({}).ok());
  }
  absl::StatusOr<Bytes> Read(const std::string& path) {
    HttpSource source(At(absl::StrCat("http://127.0.0.1:", server_.port(), "/log")));
    return source.Read(path);
  }

 private:
  HttpServer server_;
};

HttpResponse Answer(int status, std::string body, HttpHeaders headers = {}) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/octet-stream";
  response.headers = std::move(headers);
  response.body = std::move(body);
  return response;
}

TEST_CASE("Log server: what it sends arrives, packed or not") {
  const std::string tile(8192, 'h');
  CHECK(*Answering(Answer(200, tile)).Read("tile/0/000") == ToBytes(tile));
  CHECK(*Answering(Answer(200, tile, {{"Content-Encoding", "identity"}})).Read("tile/0/000") ==
        ToBytes(tile));
  CHECK(*Answering(Answer(200, *Gzip(tile), {{"Content-Encoding", "gzip"}})).Read("tile/0/000") ==
        ToBytes(tile));
}

TEST_CASE("Log server: more than a resource may be is bad evidence, also when it is packed small") {
  const auto [path, bytes_max] = GENERATE(table<std::string, std::size_t>({
      {"checkpoint", 16 * 1024},
      {"tile/0/000", 8192},
      {"tile/entries/000", std::size_t{256} * 65'537},
  }));
  CAPTURE(path);
  const std::string fits(bytes_max, 'x');
  const HttpHeaders packed = {{"Content-Encoding", "gzip"}};
  CHECK(Answering(Answer(200, fits)).Read(path).ok());
  CHECK(absl::IsUnauthenticated(Answering(Answer(200, fits + "x")).Read(path).status()));
  CHECK(Answering(Answer(200, *Gzip(fits), packed)).Read(path).ok());
  CHECK(absl::IsUnauthenticated(
      Answering(Answer(200, *Gzip(fits + "x"), packed)).Read(path).status()));
  CHECK(absl::IsUnauthenticated(Answering(Answer(200, "not gzip", packed)).Read(path).status()));
}

TEST_CASE("Log server: nothing there, no login and no sense are told apart") {
  const auto read = [](int status, const HttpHeaders& headers = {}) {
    return Answering(Answer(status, "x", headers)).Read("checkpoint").status();
  };
  CHECK(absl::IsNotFound(read(404)));
  CHECK(absl::IsNotFound(read(410)));
  CHECK(absl::IsNotFound(read(401)));
  CHECK(absl::IsNotFound(read(403)));
  CHECK(absl::IsUnavailable(read(500)));
  CHECK(absl::IsUnavailable(read(503)));
  CHECK(absl::IsUnavailable(read(302, {{"Location", "https://elsewhere.example/"}})));
  CHECK(absl::IsUnavailable(read(206)));
  CHECK(absl::IsUnavailable(read(200, {{"Content-Encoding", "br"}})));
  HttpSource nobody(At("http://127.0.0.1:1"));
  CHECK(absl::IsUnavailable(nobody.Read("checkpoint").status()));
  HttpSource abroad(At("http://192.0.2.1"));
  CHECK(absl::IsInvalidArgument(abroad.Read("checkpoint").status()));
}

}  // namespace
}  // namespace carnet::ledger
