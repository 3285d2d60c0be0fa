#include "worker/shard_archive.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "exchange/data_digest.h"
#include "tests/unit/worker/test_support.h"

namespace carnet::worker {
namespace {

void Put(const std::filesystem::path& path, absl::string_view text) {
  REQUIRE(MakeDirs(path.parent_path()).ok());
  REQUIRE(WriteFileAtomic(path, AsBytes(text)).ok());
}

Bytes Archive(const std::filesystem::path& shard) {
  auto reader = ArchiveReader::Open(shard);
  REQUIRE(reader.ok());
  Bytes bytes(reader->size_bytes());
  REQUIRE(reader->ReadAt(0, bytes).ok());
  // Any other cut gives the same bytes.
  Bytes again(bytes.size());
  for (std::size_t offset = 0; offset < again.size();) {
    const std::size_t take = std::min<std::size_t>(7, again.size() - offset);
    REQUIRE(reader->ReadAt(offset, std::span(again).subspan(offset, take)).ok());
    offset += take;
  }
  CHECK(bytes == again);
  Bytes one(1);
  CHECK(reader->ReadAt(bytes.size(), one).code() == absl::StatusCode::kOutOfRange);
  return bytes;
}

TEST_CASE("Archive: a file and a folder arrive as they were, in pieces of any size") {
  const TestDirectory directory;
  Put(directory.path() / "file.csv", "1,2\n");
  Put(directory.path() / "folder" / "a.csv", "");
  Put(directory.path() / "folder" / "b" / "c.csv", std::string(5000, 'x'));
  for (const char* name : {"file.csv", "folder"}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{100000}}) {
      const Bytes bytes = Archive(directory.path() / name);
      const auto to = directory.path() / "out";
      ArchiveWriter writer(to);
      for (std::size_t offset = 0; offset < bytes.size(); offset += step) {
        REQUIRE(
            writer.Append(ByteView(bytes).subspan(offset, std::min(step, bytes.size() - offset)))
                .ok());
      }
      REQUIRE(writer.Finish().ok());
      CHECK(exchange::PathDigest(to).value() ==
            exchange::PathDigest(directory.path() / name).value());
      std::filesystem::remove_all(to);
    }
  }
}

std::string Entry(const std::string& path, const std::string& bytes) {
  std::string text(3, '\0');
  text.push_back(static_cast<char>(path.size()));
  text += path + std::string(7, '\0');
  text.push_back(static_cast<char>(bytes.size()));
  return text + bytes;
}

bool Taken(const std::string& text) {
  const TestDirectory directory;
  ArchiveWriter writer(directory.path() / "out");
  const bool taken = writer.Append(AsBytes(text)).ok() && writer.Finish().ok();
  // Nothing outside the shard, whatever the archive says.
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    CHECK(entry.path().filename() == "out");
  }
  return taken;
}

TEST_CASE("Archive: paths that leave the shard, stand out of order or twice are refused") {
  const std::string magic = "carnet-shard-v1\n";
  CHECK(Taken(magic + Entry("", "x")));
  CHECK(Taken(magic + Entry("a", "x") + Entry("b/c", "")));
  CHECK_FALSE(Taken(""));
  CHECK_FALSE(Taken(magic));
  CHECK_FALSE(Taken("carnet-shard-v2\n" + Entry("", "x")));
  CHECK_FALSE(Taken(magic + Entry("", "x") + Entry("", "y")));
  CHECK_FALSE(Taken(magic + Entry("", "x") + Entry("a", "y")));
  CHECK_FALSE(Taken(magic + Entry("a", "x") + Entry("", "y")));
  CHECK_FALSE(Taken(magic + Entry("b", "x") + Entry("a", "y")));
  CHECK_FALSE(Taken(magic + Entry("a", "x") + Entry("a", "y")));
  for (const char* path :
       {"..", "../a", "/a", "a/../b", "a//b", "a/", ".", "a/./b", "a\nb", "a\\b"}) {
    CAPTURE(path);
    CHECK_FALSE(Taken(magic + Entry(path, "x")));
  }
  const std::string whole = magic + Entry("a", "xyz");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CHECK_FALSE(Taken(whole.substr(0, cut)));
  }
  CHECK_FALSE(Taken(magic + std::string("\x7f\xff\xff\xff", 4)));
}

}  // namespace
}  // namespace carnet::worker
