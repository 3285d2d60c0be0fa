// The bytes as what names a log's resources and what carries them over HTTP: paths, URLs, gzip.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/gzip.h"
#include "base/status.h"
#include "ledger/readers/http_source.h"
#include "ledger/tiles.h"

namespace {

constexpr std::size_t kUnpackedMax = 100'000;

void CheckPath(const std::string& text) {
  const auto parsed = carnet::ledger::ParseTilePath(text);
  if (!parsed.ok()) {
    return;
  }
  const carnet::ledger::TileId& tile = parsed->tile;
  CARNET_CHECK(tile.width >= 1 && tile.width <= carnet::ledger::kTileWidth);
  CARNET_CHECK(text == (parsed->entries ? carnet::ledger::EntriesPath(tile.index, tile.width)
                                        : carnet::ledger::TilePath(tile)));
}

void CheckUrl(const std::string& text) {
  const auto url = carnet::ledger::ParseLogUrl(text);
  if (!url.ok()) {
    return;
  }
  CARNET_CHECK(carnet::ledger::IsLogUrl(text) && !url->host.empty() && url->port > 0);
  CARNET_CHECK(url->prefix.empty() ||
               (url->prefix.front() == '/' && !absl::EndsWith(url->prefix, "/")));
  CARNET_CHECK(!absl::StrContains(absl::StrCat(url->prefix, "/"), "/../"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  CheckPath(text);
  CheckUrl(text);
  static_cast<void>(carnet::AcceptsGzip(text));
  const auto unpacked = carnet::Gunzip(text, kUnpackedMax);
  CARNET_CHECK(!unpacked.ok() || unpacked->size() <= kUnpackedMax);
  CARNET_CHECK(*carnet::Gunzip(*carnet::Gzip(text), size_bytes) == text);
  return 0;
}
