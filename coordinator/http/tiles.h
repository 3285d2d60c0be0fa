// The log over HTTPS, as C2SP tlog-tiles: GET /checkpoint, /tile/<L>/<N>[.p/<W>] and
// /tile/entries/<N>[.p/<W>]. Statements are not among it: reading them is a flow of its own.
#ifndef CARNET_COORDINATOR_HTTP_TILES_H_
#define CARNET_COORDINATOR_HTTP_TILES_H_

#include <atomic>
#include <functional>
#include <string>

#include "base/executor.h"
#include "base/http_server.h"
#include "base/metrics.h"
#include "ledger/tiles.h"
#include "ledger/view.h"

namespace carnet::coordinator {

// Requests that wait for the storage threads or are read by them; a further one is told to come
// back (503, Retry-After). Each holds at most one entry bundle, twice while it is compressed.
inline constexpr int kLogReadsMax = 64;

// Who asks, by the certificate that TLS verified.
enum class LogReader { kAnybody, kWorker, kUser };

// What of the log anybody may read: nothing; heads and hash tiles; entries too.
enum class LogPublic { kNone, kHeads, kEntries };

struct LogTilesOptions {
  // Workers on record read heads and hash tiles whatever stands here, people on record entries too.
  LogPublic anybody = LogPublic::kNone;
  // For a certificate in DER, never empty. Quick: it runs on a server thread.
  std::function<LogReader(const std::string& certificate_der)> reader;
};

// Only what the published head implies is served, so that nothing leaves before its head did.
// Partial tiles up to that size, and, cut from the full tile, those of it; anything else is 404.
// Tiles are marked immutable, the head as to be asked for anew each time. Thread-safe.
class LogTiles {
 public:
  // All outlive the routes; `storage` is stopped before this is destroyed.
  LogTiles(LogTilesOptions options, const ledger::LogView& log, BoundedExecutor& storage,
           Metrics& metrics)
      : options_(std::move(options)), log_(log), storage_(storage), metrics_(metrics) {}

  void Route(HttpServer* server);

 private:
  struct Resource {
    enum class Kind { kHead, kHashes, kEntries };
    Kind kind = Kind::kHead;
    ledger::TileId tile;
    const char* name = "checkpoint";  // for metrics
  };

  static absl::StatusOr<Resource> Parse(const HttpRequest& request);
  // UNAUTHENTICATED: a login is needed. PERMISSION_DENIED: this one does not do.
  absl::Status CheckReader(const HttpRequest& request, const Resource& resource) const;
  bool IsPublic(const Resource& resource) const;
  void OnRequest(const HttpRequest& request, HttpServer::Done done);
  // On a storage thread.
  absl::StatusOr<HttpResponse> Read(const Resource& resource, bool gzip) const;
  absl::StatusOr<Bytes> ReadTile(const Resource& resource) const;

  const LogTilesOptions options_;
  const ledger::LogView& log_;
  BoundedExecutor& storage_;
  Metrics& metrics_;
  std::atomic<int> reads_ = 0;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HTTP_TILES_H_
