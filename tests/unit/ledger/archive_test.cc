#include "ledger/archive.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "base/files.h"
#include "ledger/readers/archive_source.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

// An exported log of `rounds` rounds, and its bytes.
struct Exported {
  explicit Exported(int rounds, const ArchiveOptions& options = {}) : federation(dir.path()) {
    federation.Found();
    for (int i = 0; i < rounds; ++i) {
      federation.Round();
    }
    file = dir.path() / "log.carnet-audit";
    const auto size = ExportArchive(federation.log(), file, options);
    INFO(size.status().ToString());
    REQUIRE(size.ok());
    CHECK(*size == federation.size());
    bytes = *ReadFile(file, std::size_t{1} << 24);
  }
  TempDir dir;
  SmallFederation federation;
  std::filesystem::path file;
  Bytes bytes;
};

absl::StatusOr<std::unique_ptr<ArchiveSource>> OpenBytes(const Bytes& bytes) {
  return ArchiveSource::Open(
      [bytes](std::uint64_t offset, std::span<std::uint8_t> out) {
        if (offset > bytes.size() || out.size() > bytes.size() - offset) {
          return absl::OutOfRangeError("the end");
        }
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return absl::OkStatus();
      },
      bytes.size());
}

TEST_CASE("Archive: a log in one file verifies as the log itself, statements included") {
  const Exported exported(60);  // more than one bundle of 256
  const auto source = ArchiveSource::Open(exported.file);
  INFO(source.status().ToString());
  REQUIRE(source.ok());
  const auto verdict =
      verifier::VerifyWholeLog(**source, exported.federation.Policy(), (*source)->heads());
  CHECK_FALSE(verdict.failure);
  CHECK(verdict.report.statements_checked == exported.federation.size());
  struct stat status {};
  REQUIRE(::stat(exported.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("Archive: the same log gives the same bytes, and nothing else stays beside the file") {
  Exported exported(2);
  const std::filesystem::path again = exported.dir.path() / "again.carnet-audit";
  REQUIRE(ExportArchive(exported.federation.log(), again, {}).ok());
  CHECK(*ReadFile(again, std::size_t{1} << 24) == exported.bytes);
  for (const auto& entry : std::filesystem::directory_iterator(exported.dir.path())) {
    CHECK(entry.path().extension() != ".part");
  }
}

TEST_CASE("Archive: it holds the log and nothing of what lies beside it in the state folder") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  for (const char* name : {"keys/statement.key", "vault/name", "ca.key"}) {
    const std::filesystem::path path = dir.path() / name;
    REQUIRE(MakeDirs(path.parent_path()).ok());
    REQUIRE(WriteFileAtomic(path, AsBytes("a secret that nobody may see")).ok());
  }
  const TempDir out;
  const std::filesystem::path file = out.path() / "x.carnet-audit";
  REQUIRE(ExportArchive(federation.log(), file, {}).ok());
  const Bytes bytes = *ReadFile(file, std::size_t{1} << 24);
  CHECK_FALSE(absl::StrContains(AsText(bytes), "a secret that nobody may see"));
  const auto source = ArchiveSource::Open(file);
  REQUIRE(source.ok());
  for (const std::string& name : (*source)->Names()) {
    CHECK((name == "about.json" || name == "checkpoint" || absl::StartsWith(name, "tile/") ||
           absl::StartsWith(name, "statements/")));
  }
}

TEST_CASE("Archive: the job and earlier heads go with it, and an unknown job is refused") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string old_head = federation.log().Head().note;
  federation.Round();
  const std::filesystem::path file = dir.path() / "x.carnet-audit";
  REQUIRE(ExportArchive(federation.log(), file, {federation.job_id(), {old_head}}).ok());
  const auto source = ArchiveSource::Open(file);
  REQUIRE(source.ok());
  CHECK((*source)->job() == federation.job_id());
  CHECK((*source)->heads() == std::vector<std::string>{old_head});
  const std::filesystem::path other = dir.path() / "y.carnet-audit";
  CHECK(absl::IsNotFound(
      ExportArchive(federation.log(), other, {"j-zzzzzzzzzzzzzzzz", {}}).status()));
  CHECK(absl::IsInvalidArgument(
      ExportArchive(federation.log(), other, {"", std::vector<std::string>(65, old_head)})
          .status()));
  CHECK_FALSE(std::filesystem::exists(other));
}

TEST_CASE("Archive: any change of a header, a cut and bytes after the end are refused") {
  const Exported exported(1);
  REQUIRE(OpenBytes(exported.bytes).ok());
  for (std::size_t at = 0; at < 512; ++at) {
    Bytes bytes = exported.bytes;
    bytes[at] ^= 0x01;
    CAPTURE(at);
    CHECK(absl::IsUnauthenticated(OpenBytes(bytes).status()));
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{511}, std::size_t{512}, exported.bytes.size() - 512}) {
    CHECK_FALSE(OpenBytes(Bytes(exported.bytes.begin(),
                                exported.bytes.begin() + static_cast<std::ptrdiff_t>(size)))
                    .ok());
  }
  Bytes longer = exported.bytes;
  longer.resize(longer.size() + 512);
  CHECK_FALSE(OpenBytes(longer).ok());
  Bytes odd = exported.bytes;
  odd.push_back(0);
  CHECK_FALSE(OpenBytes(odd).ok());
}

TEST_CASE("Archive: an entry that is there twice, and an archive without about.json, are refused") {
  const Exported exported(1);
  // about.json is one header and one block.
  const std::ptrdiff_t first = 1024;
  Bytes twice(exported.bytes.begin(), exported.bytes.begin() + first);
  twice.insert(twice.end(), exported.bytes.begin(), exported.bytes.end());
  CHECK(absl::IsUnauthenticated(OpenBytes(twice).status()));
  CHECK(absl::IsUnauthenticated(
      OpenBytes(Bytes(exported.bytes.begin() + first, exported.bytes.end())).status()));
}

TEST_CASE("Archive: an entry that is missing is missing data, not a lie") {
  const Exported exported(1);
  const auto source = OpenBytes(exported.bytes);
  REQUIRE(source.ok());
  CHECK(absl::IsNotFound((*source)->Read("tile/9/000").status()));
  CHECK(absl::IsNotFound(ArchiveSource::Open(exported.dir.path() / "nothing").status()));
}

}  // namespace
}  // namespace carnet::ledger
