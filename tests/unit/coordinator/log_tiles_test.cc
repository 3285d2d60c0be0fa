#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/gzip.h"
#include "base/http_client.h"
#include "coordinator/http/tiles.h"
#include "ledger/readers/http_source.h"
#include "ledger/verifier/whole_log.h"
#include "tests/unit/ledger/small_federation.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

constexpr std::uint64_t kSize = 300;

// A log of 300 records behind a server. Whom a request comes from says a stand-in for its
// certificate, as plain HTTP carries none.
class ServedLog {
 public:
  explicit ServedLog(LogPublic anybody, LogReader reader = LogReader::kAnybody)
      : federation_(dir_.path()),
        storage_({"storage", 2, 256}),
        tiles_({.anybody = anybody, .reader = [reader](const std::string&) { return reader; }},
               federation_.log(), storage_, metrics_) {
    federation_.Found();
    Grow(kSize);
    tiles_.Route(&server_);
    REQUIRE(server_.StartPlain({}).ok());
  }
  ~ServedLog() {
    server_.Stop(absl::Seconds(5));
    storage_.Stop();
  }

  void Grow(std::uint64_t size) {
    std::vector<v1::SignedRecord> batch;
    while (federation_.size() + batch.size() < size) {
      batch.push_back(federation_.Filler());
    }
    REQUIRE(federation_.log().Append(batch).ok());
  }

  HttpResponse Get(const std::string& path, const std::string& accept_encoding = "",
                   const std::string& method = "GET") {
    HttpCallOptions options;
    options.port = server_.port();
    HttpRequest request;
    request.method = method;
    request.path = path;
    if (!accept_encoding.empty()) {
      request.headers = {{"Accept-Encoding", accept_encoding}};
    }
    auto response = HttpCall(options, request);
    REQUIRE(response.ok());
    return *response;
  }

  SmallFederation& federation() { return federation_; }
  const ledger::LogView& log() { return federation_.log(); }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", server_.port()); }
  std::string metrics() const { return metrics_.ExpositionText(); }

 private:
  const TempDir dir_;
  SmallFederation federation_;
  Metrics metrics_;
  BoundedExecutor storage_;
  HttpServer server_;
  LogTiles tiles_;
};

ledger::LogServer At(const std::string& url) {
  ledger::LogServer server;
  server.url = *ledger::ParseLogUrl(url);
  return server;
}

std::string Tile(const absl::StatusOr<Bytes>& bytes) {
  REQUIRE(bytes.ok());
  return ToString(*bytes);
}

TEST_CASE("Log over HTTP: the head is text and asked for anew each time") {
  ServedLog served(LogPublic::kHeads);
  const HttpResponse head = served.Get("/checkpoint");
  CHECK(head.status == 200);
  CHECK(head.content_type == "text/plain; charset=utf-8");
  CHECK(head.Header("Cache-Control") == "no-cache");
  CHECK(head.body == served.log().Head().note);
  served.Grow(kSize + 1);
  CHECK(served.Get("/checkpoint").body == served.log().Head().note);
  const HttpResponse asked = served.Get("/checkpoint", "", "HEAD");
  CHECK(asked.status == 200);
  CHECK(asked.body.empty());
}

TEST_CASE("Log over HTTP: hash tiles are bytes that never change") {
  ServedLog served(LogPublic::kHeads);
  const HttpResponse full = served.Get("/tile/0/000", "gzip");
  CHECK(full.status == 200);
  CHECK(full.content_type == "application/octet-stream");
  CHECK(full.Header("Cache-Control") == "public, max-age=31536000, immutable");
  CHECK(full.Header("Content-Encoding").empty());
  CHECK(full.body == Tile(served.log().Tile({.level = 0, .index = 0})));
  const HttpResponse partial = served.Get("/tile/0/001.p/44");
  CHECK(partial.status == 200);
  CHECK(partial.Header("Cache-Control") == "public, max-age=3600, immutable");
  CHECK(partial.body.size() == 44 * kDigestBytes);
  CHECK(served.Get("/tile/1/000.p/1").body.size() == kDigestBytes);
}

TEST_CASE("Log over HTTP: entries are compressed for who takes that") {
  ServedLog served(LogPublic::kEntries);
  const std::string bundle = Tile(served.log().EntryBundle(0, 256));
  const HttpResponse plain = served.Get("/tile/entries/000");
  CHECK(plain.status == 200);
  CHECK(plain.content_type == "application/octet-stream");
  CHECK(plain.Header("Content-Encoding").empty());
  CHECK(plain.Header("Vary") == "Accept-Encoding");
  CHECK(plain.body == bundle);
  const HttpResponse packed = served.Get("/tile/entries/000", "br, gzip;q=0.8");
  CHECK(packed.Header("Content-Encoding") == "gzip");
  CHECK(packed.Header("Vary") == "Accept-Encoding");
  CHECK(packed.body.size() < bundle.size() / 2);
  CHECK(*Gunzip(packed.body, bundle.size()) == bundle);
  CHECK(served.Get("/tile/entries/000", "gzip;q=0").body == bundle);
}

TEST_CASE("Log over HTTP: what the head does not imply is not there, and nothing keeps that") {
  ServedLog served(LogPublic::kEntries);
  for (const char* path : {"/tile/0/001",
                           "/tile/0/001.p/45",
                           "/tile/0/002.p/1",
                           "/tile/1/000",
                           "/tile/1/000.p/2",
                           "/tile/2/000.p/1",
                           "/tile/entries/001",
                           "/tile/entries/001.p/45",
                           "/tile/0/000.p/256",
                           "/tile/0/000.p/0",
                           "/tile/0/0",
                           "/tile/00/000",
                           "/tile/64/000",
                           "/tile/0/x000/000",
                           "/tile/0/001.p/044",
                           "/tile/-1/000",
                           "/tile/0/",
                           "/tile/",
                           "/tile/entries",
                           "/tile/data/000",
                           "/tile/0/000/",
                           "/tile/0//000",

                           "/tile/entries/../0/000",
                           "/tile/0/x18446/x744/x073/x709/551"}) {
    CAPTURE(path);
    const HttpResponse response = served.Get(path);
    CHECK(response.status == 404);
    CHECK(response.Header("Cache-Control") == "no-store");
  }
  // Partial tiles of earlier heads stay readable, also when the full tile is there.
  CHECK(served.Get("/tile/0/001.p/1").status == 200);
  CHECK(served.Get("/tile/entries/001.p/43").status == 200);
  served.Grow(513);
  CHECK(served.Get("/tile/0/001.p/44").body.size() == 44 * kDigestBytes);
  CHECK(served.Get("/tile/0/001").status == 200);
}

TEST_CASE("Log over HTTP: without a login it serves what log.public says, by default nothing") {
  const auto [anybody, head, hashes, entries] = GENERATE(table<LogPublic, int, int, int>({
      {LogPublic::kNone, 401, 401, 401},
      {LogPublic::kHeads, 200, 200, 401},
      {LogPublic::kEntries, 200, 200, 200},
  }));
  ServedLog served(anybody);
  CHECK(served.Get("/checkpoint").status == head);
  CHECK(served.Get("/tile/0/000").status == hashes);
  CHECK(served.Get("/tile/entries/000").status == entries);
  CHECK(served.Get("/statements/000").status == 404);
  CHECK(absl::StrContains(
      served.metrics(),
      absl::StrCat("carnet_http_requests_total{route=\"checkpoint\",status=\"", head, "\"} 1")));
}

TEST_CASE("Log over HTTP: a coordinator's log verifies from outside, with its earlier heads") {
  ServedLog served(LogPublic::kEntries);
  const std::string old_head = served.log().Head().note;
  served.Grow(600);
  ledger::HttpSource source(At(served.url() + "/"));
  const auto verdict =
      ledger::verifier::VerifyWholeLog(source, served.federation().Policy(), {old_head});
  INFO((verdict.failure ? verdict.failure->status.ToString() : "good"));
  CHECK_FALSE(verdict.failure);
  CHECK(verdict.report.entries_checked == 600);
  CHECK(verdict.report.tiles_checked == 4);
  CHECK(verdict.report.old_heads_checked == 1);
}

TEST_CASE("Log over HTTP: what a reader may not see is missing data, not bad evidence") {
  ServedLog served(LogPublic::kHeads);
  ledger::HttpSource source(At(served.url()));
  const auto verdict = ledger::verifier::VerifyWholeLog(source, served.federation().Policy(), {});
  REQUIRE(verdict.failure);
  CHECK(absl::IsNotFound(verdict.failure->status));
}

}  // namespace
}  // namespace carnet::coordinator
