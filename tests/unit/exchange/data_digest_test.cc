#include "exchange/data_digest.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/files.h"
#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

void Write(const std::filesystem::path& path, absl::string_view text) {
  REQUIRE(MakeDirs(path.parent_path()).ok());
  REQUIRE(WriteFileAtomic(path, AsBytes(text)).ok());
}

// FIPS 180-4: SHA-256("abc").
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST_CASE("Data: a file is its SHA-256, a folder that of what sha256sum prints") {
  const TestDirectory directory;
  Write(directory.path() / "d" / "b.csv", "abc");
  Write(directory.path() / "d" / "a" / "x.txt", "abc");
  CHECK(HexEncode(FileDigest(directory.path() / "d" / "b.csv").value()) == kAbc);
  CHECK(ListFiles(directory.path() / "d").value() == std::vector<std::string>{"a/x.txt", "b.csv"});
  // printf 'abc' > a/x.txt; printf 'abc' > b.csv; sha256sum a/x.txt b.csv | sha256sum
  CHECK(HexEncode(PathDigest(directory.path() / "d").value()) ==
        "fcbc773618b47c565a8312bdf1557f7c8f55b24dbf7e2e3bb54fb0ce6937a25b");
}

TEST_CASE("Data: links, missing paths and repeated names are refused") {
  const TestDirectory directory;
  Write(directory.path() / "d" / "a", "1");
  std::filesystem::create_symlink("a", directory.path() / "d" / "link");
  CHECK(PathDigest(directory.path() / "d").status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(PathDigest(directory.path() / "none").status().code() == absl::StatusCode::kNotFound);
  CHECK(FilesDigest(directory.path() / "d", {"a", "a"}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(FilesDigest(directory.path(), {"x\ny"}).ok());
}

TEST_CASE("Data: rows are the lines of CSV files that are not empty") {
  const TestDirectory directory;
  Write(directory.path() / "d" / "a.csv", "1,2\r\n\n3,4");
  Write(directory.path() / "d" / "b.csv", "5,6\n");
  Write(directory.path() / "d" / "note.txt", "x\n");
  CHECK(CountRows(directory.path() / "d" / "a.csv").value() == 2);
  CHECK(CountRows(directory.path() / "d").value() == 3);
  CHECK(CountRows(directory.path() / "d" / "note.txt").value() == 0);
}

}  // namespace
}  // namespace carnet::exchange
