// Writes what other people's verifiers are held against at sizes around the borders of tiles: one
// log, grown by its own writer, exported anew at each size, with bundles of the records at those
// borders. Usage: ledger_make_sizes OUT SIZE... (ascending); the state is OUT/state.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/export.h"
#include "small_federation.h"
#include "tests/interop/bundle_files.h"

namespace carnet {
namespace {

using testing_ledger::SmallFederation;

absl::Status Grow(SmallFederation& federation, std::uint64_t size) {
  if (federation.size() == 0 && size > 0) {
    federation.FoundLog();
  }
  while (federation.size() < size) {
    std::vector<v1::SignedRecord> batch;
    while (federation.size() + batch.size() < size && batch.size() < ledger::kBatchRecordsMax) {
      batch.push_back(federation.Filler());
    }
    CARNET_RETURN_IF_ERROR(federation.log().Append(batch));
  }
  return absl::OkStatus();
}

// The first, the last, and those on either side of a border of tiles of any level.
std::set<std::uint64_t> Borders(std::uint64_t size) {
  std::set<std::uint64_t> indexes;
  for (const std::uint64_t border :
       {std::uint64_t{1}, std::uint64_t{256}, std::uint64_t{512}, std::uint64_t{65'536},
        std::uint64_t{131'072}, std::uint64_t{196'608}, std::uint64_t{262'144}, size}) {
    for (const std::uint64_t index : {border - 1, border, border + 1}) {
      if (index < size) {
        indexes.insert(index);
      }
    }
  }
  return indexes;
}

absl::Status WriteSize(SmallFederation& federation, const std::vector<std::string>& heads,
                       const std::filesystem::path& out) {
  const ledger::LogView& log = federation.log();
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "heads"));
  CARNET_RETURN_IF_ERROR(ledger::ExportTiles(log, out / "tiles"));
  CARNET_RETURN_IF_ERROR(WriteText(out / "log.vkey", log.key().Vkey()));
  for (std::size_t i = 0; i < heads.size(); ++i) {
    CARNET_RETURN_IF_ERROR(WriteText(out / "heads" / absl::StrCat(i), heads[i]));
  }
  if (log.Size() > 0) {
    CARNET_RETURN_IF_ERROR(ledger::ExportTrust(log, out));
  }
  const std::set<std::uint64_t> borders = Borders(log.Size());
  return WriteBundles(log, {borders.begin(), borders.end()}, out / "bundles");
}

absl::Status Make(const std::filesystem::path& out, const std::vector<std::uint64_t>& sizes) {
  using Clock = std::chrono::steady_clock;
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "state"));
  SmallFederation federation(out / "state");
  std::vector<std::string> heads;
  for (const std::uint64_t size : sizes) {
    const Clock::time_point start = Clock::now();
    CARNET_RETURN_IF_ERROR(Grow(federation, size));
    const Clock::time_point grown = Clock::now();
    CARNET_RETURN_IF_ERROR(WriteSize(federation, heads, out / absl::StrCat(size)));
    heads.push_back(federation.log().Head().note);
    const std::chrono::duration<double> growing = grown - start;
    const std::chrono::duration<double> writing = Clock::now() - grown;
    std::printf("%llu records: grown in %.1f s, exported in %.1f s\n",
                static_cast<unsigned long long>(size), growing.count(), writing.count());
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace carnet

int main(int argc, char** argv) {
  std::vector<std::uint64_t> sizes;
  for (int i = 2; i < argc; ++i) {
    std::uint64_t size = 0;
    if (!absl::SimpleAtoi(argv[i], &size) || (!sizes.empty() && size <= sizes.back())) {
      sizes.clear();
      break;
    }
    sizes.push_back(size);
  }
  if (sizes.empty()) {
    std::fprintf(stderr, "usage: ledger_make_sizes OUT SIZE... (ascending)\n");
    return EXIT_FAILURE;
  }
  const absl::Status made = carnet::Make(argv[1], sizes);
  if (!made.ok()) {
    std::fprintf(stderr, "ledger_make_sizes: %s\n", carnet::DescribeForOperator(made).c_str());
  }
  return made.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
