#include "coordinator/effects/effects.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/rng.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;

TEST_CASE("Effects: a sweep that failed is tried again, and one that was done is not") {
  const testing_ledger::TempDir dir;
  const auto blobs = Blobs::Open(dir.path() / "blobs");
  REQUIRE(blobs.ok());
  const auto keys = crypto::KeyFiles::Open((dir.path() / "keys").string());
  REQUIRE(keys.ok());
  SystemRng rng;
  BoundedExecutor storage({.name = "storage", .threads = 1, .queue_tasks_max = 4});
  BoundedExecutor aggregation({.name = "aggregation", .threads = 1, .queue_tasks_max = 4});
  BoundedExecutor bridge({.name = "bridge", .threads = 1, .queue_tasks_max = 4});
  FileEffects effects({1, dir.path() / "vault"}, **blobs, *keys, rng, storage, aggregation, bridge);
  const auto sweep = [&] {
    effects.Start(Effect{"sweep/1800000000", DestroyKeys{}}, State{}, [](auto) {});
    storage.Drain();
  };
  const auto write = [&](std::uint8_t digit) {
    const fs::path file = (*blobs)->PathOf({BlobKind::kDelta, Bytes(32, digit)});
    REQUIRE(WriteFileAtomic(file, ToBytes("sealed")).ok());
    return file;
  };
  // What stands under the name cannot be unlinked: it is a folder that is not empty.
  const fs::path stuck = (*blobs)->PathOf({BlobKind::kDelta, Bytes(32, 1)});
  fs::create_directories(stuck / "x");
  const fs::path after = write(2);
  sweep();
  CHECK(fs::exists(after));
  fs::remove_all(stuck);
  sweep();
  CHECK_FALSE(fs::exists(after));

  const fs::path later = write(3);
  sweep();
  CHECK(fs::exists(later));
}

}  // namespace
}  // namespace carnet::coordinator
