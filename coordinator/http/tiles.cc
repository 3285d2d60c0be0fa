#include "coordinator/http/tiles.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/status.h"

namespace carnet::coordinator {
namespace {

constexpr char kHeadType[] = "text/plain; charset=utf-8";
constexpr char kTileType[] = "application/octet-stream";
// A full tile never changes. Neither does a partial one, but soon nobody asks for it.
constexpr int kFullSeconds = 365 * 24 * 3600;
constexpr int kPartialSeconds = 3600;
constexpr char kRetrySeconds[] = "1";

// The only head that is handed out.
absl::StatusOr<ledger::SignedHead> HeadToServe(const ledger::LogView& log) {
  return log.PublishedHead();
}

bool Implies(std::uint64_t size, const ledger::TileId& tile) {
  const ledger::TileExtent extent = ledger::ExtentOfLevel(size, tile.level);
  return tile.index < extent.full_tiles ||
         (tile.index == extent.full_tiles && tile.width <= extent.partial_width);
}

HttpResponse Refusal(const absl::Status& status) {
  HttpResponse response = ErrorResponse(status);
  // A tile that is not there yet is there soon, and a login changes what is there.
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse ComeBack() {
  HttpResponse response = Refusal(absl::UnavailableError("log: too many reads; come back"));
  response.headers.emplace_back("Retry-After", kRetrySeconds);
  return response;
}

}  // namespace

void LogTiles::Route(HttpServer* server) {
  const auto handler = [this](HttpRequest request, HttpServer::Done done) {
    OnRequest(request, std::move(done));
  };
  server->RouteAsync("GET", "/checkpoint", handler);
  server->RouteAsync("GET", "/tile/", handler);
}

absl::StatusOr<LogTiles::Resource> LogTiles::Parse(const HttpRequest& request) {
  if (request.path == "/checkpoint") {
    return Resource{};
  }
  const absl::StatusOr<ledger::TileResource> tile =
      ledger::ParseTilePath(absl::string_view(request.path).substr(1));
  if (!tile.ok()) {
    return absl::NotFoundError("log: no such resource");
  }
  return Resource{.kind = tile->entries ? Resource::Kind::kEntries : Resource::Kind::kHashes,
                  .tile = tile->tile,
                  .name = tile->entries ? "entries" : "tile"};
}

bool LogTiles::IsPublic(const Resource& resource) const {
  return options_.anybody == LogPublic::kEntries ||
         (options_.anybody == LogPublic::kHeads && resource.kind != Resource::Kind::kEntries);
}

absl::Status LogTiles::CheckReader(const HttpRequest& request, const Resource& resource) const {
  if (IsPublic(resource)) {
    return absl::OkStatus();
  }
  const LogReader reader = request.peer_certificate_der.empty()
                               ? LogReader::kAnybody
                               : options_.reader(request.peer_certificate_der);
  if (reader == LogReader::kUser ||
      (reader == LogReader::kWorker && resource.kind != Resource::Kind::kEntries)) {
    return absl::OkStatus();
  }
  return reader == LogReader::kWorker
             ? absl::PermissionDeniedError("log: entries are for people")
             : absl::UnauthenticatedError("log: show the certificate of an enrolled peer");
}

void LogTiles::OnRequest(const HttpRequest& request, HttpServer::Done done) {
  const absl::StatusOr<Resource> resource = Parse(request);
  absl::Status refused = resource.status();
  if (refused.ok()) {
    refused = CheckReader(request, *resource);
  }
  if (!refused.ok()) {
    const HttpResponse response = Refusal(refused);
    metrics_.Add(metric::kHttpRequests,
                 {resource.ok() ? resource->name : "tile", absl::StrCat(response.status)});
    done(response);
    return;
  }
  const char* const name = resource->name;
  if (reads_.fetch_add(1) >= kLogReadsMax) {
    reads_.fetch_sub(1);
    metrics_.Add(metric::kHttpRequests, {name, "503"});
    done(ComeBack());
    return;
  }
  const auto shared = std::make_shared<HttpServer::Done>(std::move(done));
  const bool gzip = AcceptsGzip(request.Header("Accept-Encoding"));
  const absl::Status admitted = storage_.TrySubmit([this, shared, gzip, wanted = *resource] {
    absl::StatusOr<HttpResponse> response = Read(wanted, gzip);
    reads_.fetch_sub(1);
    if (!response.ok() && !absl::IsNotFound(response.status())) {
      Log(LogLevel::kError, "log.read_failed", {{"why", response.status()}});
    }
    HttpResponse answer = response.ok() ? *std::move(response) : Refusal(response.status());
    metrics_.Add(metric::kHttpRequests, {wanted.name, absl::StrCat(answer.status)});
    (*shared)(std::move(answer));
  });
  if (!admitted.ok()) {
    reads_.fetch_sub(1);
    metrics_.Add(metric::kHttpRequests, {name, "503"});
    (*shared)(ComeBack());
  }
}

absl::StatusOr<Bytes> LogTiles::ReadTile(const Resource& resource) const {
  CARNET_ASSIGN_OR_RETURN(const ledger::SignedHead head, HeadToServe(log_));
  if (!Implies(head.head.size, resource.tile)) {
    return absl::NotFoundError("log: the head does not imply it");
  }
  return resource.kind == Resource::Kind::kEntries
             ? log_.EntryBundle(resource.tile.index, resource.tile.width)
             : log_.Tile(resource.tile);
}

absl::StatusOr<HttpResponse> LogTiles::Read(const Resource& resource, bool gzip) const {
  HttpResponse response;
  if (resource.kind == Resource::Kind::kHead) {
    CARNET_ASSIGN_OR_RETURN(const ledger::SignedHead head, HeadToServe(log_));
    response.content_type = kHeadType;
    response.body = head.note;
    response.headers.emplace_back("Cache-Control", "no-cache");
    return response;
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes tile, ReadTile(resource));
  response.content_type = kTileType;
  response.body = ToString(tile);
  const bool full = resource.tile.width == ledger::kTileWidth;
  response.headers.emplace_back(
      "Cache-Control", absl::StrCat(IsPublic(resource) ? "public" : "private", ", max-age=",
                                    full ? kFullSeconds : kPartialSeconds, ", immutable"));
  if (resource.kind == Resource::Kind::kEntries) {  // Hashes do not compress.
    response.headers.emplace_back("Vary", "Accept-Encoding");
    if (gzip) {
      CARNET_ASSIGN_OR_RETURN(response.body, Gzip(response.body));
      response.headers.emplace_back("Content-Encoding", "gzip");
    }
  }
  return response;
}

}  // namespace carnet::coordinator
