#include "crypto/key_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypto/p256.h"
#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "carnet-keys-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error("no temporary directory");
    }
    path_ = pattern;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteText(const fs::path& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

const std::string kSeedHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr char kSeedText[] = "carnet ed25519 v1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

TEST_CASE("Key files: a secret is written as typed text of mode 0600 and read back") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open((directory.path() / "keys").string());
  REQUIRE(files.ok());
  REQUIRE(files->Create("log", KeyKind::kEd25519, SecretHex(kSeedHex)).ok());
  const fs::path path = directory.path() / "keys" / "log.key";
  CHECK(ReadText(path) == kSeedText);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);
  REQUIRE(stat(path.parent_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0700);
  const auto read = files->Read("log", KeyKind::kEd25519);
  REQUIRE(read.ok());
  CHECK(HexOf(*read) == kSeedHex);
}

TEST_CASE("Key files: a key of another kind is refused, not used") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  REQUIRE(files->Create("k", KeyKind::kX25519, SecretHex(kSeedHex)).ok());
  CHECK(CodeOf(files->Read("k", KeyKind::kEd25519)) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(files->Read("k", KeyKind::kDataKey)) == absl::StatusCode::kInvalidArgument);
  CHECK(files->Read("k", KeyKind::kX25519).ok());
}

TEST_CASE("Key files: every kind keeps its secret") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  const SecretBytes pem = *P256Key::Generate()->ToPem();
  REQUIRE(files->Create("ca", KeyKind::kP256, pem).ok());
  const auto read = files->Read("ca", KeyKind::kP256);
  REQUIRE(read.ok());
  CHECK(ConstantTimeEquals(read->View(), pem.View()));
  for (const std::size_t size : {std::size_t{16}, std::size_t{17}, std::size_t{18}}) {
    const std::string id = "token-" + std::to_string(size);
    REQUIRE(files->Create(id, KeyKind::kBearerToken, SecretBytes(size)).ok());
    CHECK(files->Read(id, KeyKind::kBearerToken)->size() == size);
  }
  REQUIRE(files->Create("large", KeyKind::kP256, SecretBytes(kKeySecretBytesMax)).ok());
  CHECK(files->Read("large", KeyKind::kP256)->size() == kKeySecretBytesMax);
}

TEST_CASE("Key files: files that others may read or write are refused") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  for (const mode_t mode : {0644U, 0640U, 0604U, 0620U, 0602U, 0610U}) {
    CAPTURE(mode);
    WriteText(directory.path() / "k.key", kSeedText, mode);
    CHECK(CodeOf(files->Read("k", KeyKind::kEd25519)) == absl::StatusCode::kFailedPrecondition);
  }
  WriteText(directory.path() / "k.key", kSeedText, 0400);
  CHECK(files->Read("k", KeyKind::kEd25519).ok());
}

TEST_CASE("Key files: a directory that others may use is refused") {
  const TemporaryDirectory directory;
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  CHECK(CodeOf(KeyFiles::Open(directory.path().string())) == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Key files: links, directories and pipes are no keys") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  WriteText(directory.path() / "elsewhere", kSeedText);
  fs::create_symlink(directory.path() / "elsewhere", directory.path() / "link.key");
  fs::create_directory(directory.path() / "dir.key");
  REQUIRE(chmod((directory.path() / "dir.key").c_str(), 0700) == 0);
  REQUIRE(mkfifo((directory.path() / "pipe.key").c_str(), 0600) == 0);
  for (const char* id : {"link", "dir", "pipe"}) {
    CAPTURE(id);
    CHECK(CodeOf(files->Read(id, KeyKind::kEd25519)) == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("Key files: malformed files are refused") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  const std::string good = kSeedText;
  const std::string base64 = good.substr(18, 44);
  for (const std::string& bad : std::vector<std::string>{
           "", "\n", good.substr(0, good.size() - 1), good + "\n", good + good,
           "carnet ed25519 v1\r\n" + base64 + "\n", "carnet ed25519 v1\n" + base64 + "\r\n",
           "carnet ed25519 v1\n" + base64.substr(0, 43) + "\n",    // no padding
           "carnet ed25519 v1\n" + base64.substr(0, 42) + "9=\n",  // trailing bits
           "carnet ed25519 v1\n" + base64.substr(0, 40) + "\n",    // 30 bytes
           "carnet ed25519 v1\n" + base64.substr(0, 20) + "\n" + base64.substr(20) + "\n",
           "carnet ed25519 v1\n" + base64 + "AAAA\n", "secret", std::string(10'000, 'A')}) {
    CAPTURE(bad.size(), bad.substr(0, 80));
    WriteText(directory.path() / "k.key", bad);
    CHECK(CodeOf(files->Read("k", KeyKind::kEd25519)) == absl::StatusCode::kDataLoss);
  }
  WriteText(directory.path() / "k.key", "carnet ed25519 v2\n" + base64 + "\n");
  CHECK(CodeOf(files->Read("k", KeyKind::kEd25519)) == absl::StatusCode::kDataLoss);
}

TEST_CASE("Key files: an id never leaves its directory") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  const auto invalid = absl::StatusCode::kInvalidArgument;
  for (const std::string& id :
       std::vector<std::string>{"", ".", "..", "../x", "a/b", "A", "a.b", "a b", "a_b",
                                std::string("a\0b", 3), std::string(kKeyIdBytesMax + 1, 'a')}) {
    CAPTURE(id);
    CHECK(files->Create(id, KeyKind::kDataKey, SecretBytes(32)).code() == invalid);
    CHECK(CodeOf(files->Read(id, KeyKind::kDataKey)) == invalid);
    CHECK(CodeOf(files->Exists(id)) == invalid);
    CHECK(files->Destroy(id).code() == invalid);
  }
  CHECK(files->Create(std::string(kKeyIdBytesMax, 'a'), KeyKind::kDataKey, SecretBytes(32)).ok());
}

TEST_CASE("Key files: a secret is never overwritten, nor one of a wrong size written") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  REQUIRE(files->Create("k", KeyKind::kDataKey, SecretHex(kSeedHex)).ok());
  CHECK(files->Create("k", KeyKind::kDataKey, SecretBytes(32)).code() ==
        absl::StatusCode::kAlreadyExists);
  CHECK(HexOf(*files->Read("k", KeyKind::kDataKey)) == kSeedHex);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(files->Create("s", KeyKind::kDataKey, SecretBytes(31)).code() == invalid);
  CHECK(files->Create("s", KeyKind::kEd25519, SecretBytes(64)).code() == invalid);
  CHECK(files->Create("s", KeyKind::kBearerToken, SecretBytes(15)).code() == invalid);
  CHECK(files->Create("s", KeyKind::kP256, SecretBytes()).code() == invalid);
  CHECK(files->Create("s", KeyKind::kP256, SecretBytes(kKeySecretBytesMax + 1)).code() == invalid);
}

TEST_CASE("Key files: destroying overwrites the bytes, removes the name, and may be repeated") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  REQUIRE(files->Create("round-7", KeyKind::kX25519, SecretHex(kSeedHex)).ok());
  // A second name for the same bytes shows what becomes of them.
  fs::create_hard_link(directory.path() / "round-7.key", directory.path() / "witness");
  REQUIRE(*files->Exists("round-7"));
  REQUIRE(files->Destroy("round-7").ok());
  CHECK_FALSE(*files->Exists("round-7"));
  CHECK(CodeOf(files->Read("round-7", KeyKind::kX25519)) == absl::StatusCode::kNotFound);
  const std::string left = ReadText(directory.path() / "witness");
  CHECK(left == std::string(left.size(), '\0'));
  CHECK_FALSE(left.empty());
  CHECK(files->Destroy("round-7").ok());
}

TEST_CASE("Key files: the list holds the keys in order and nothing else") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  CHECK(files->List()->empty());
  for (const char* id : {"b", "a-2", "a"}) {
    REQUIRE(files->Create(id, KeyKind::kDataKey, SecretBytes(32)).ok());
  }
  WriteText(directory.path() / "README", "x");
  WriteText(directory.path() / "Upper.key", "x");
  CHECK(*files->List() == std::vector<std::string>{"a", "a-2", "b"});
}

TEST_CASE("Key files: what a crashed Create left is destroyed, a key that it finished is not") {
  const TemporaryDirectory directory;
  const auto files = KeyFiles::Open(directory.path().string());
  REQUIRE(files.ok());
  REQUIRE(files->Create("done", KeyKind::kEd25519, SecretHex(kSeedHex)).ok());
  // Crashed after the key got its name, and before: the form of base/files.h.
  fs::create_hard_link(directory.path() / "done.key", directory.path() / ".done.key.0a1b.tmp");
  WriteText(directory.path() / ".half.key.0a1b.tmp", kSeedText);
  fs::create_hard_link(directory.path() / "done.key", directory.path() / "other");
  REQUIRE(files->RemoveLeftovers().ok());
  CHECK_FALSE(fs::exists(directory.path() / ".done.key.0a1b.tmp"));
  CHECK_FALSE(fs::exists(directory.path() / ".half.key.0a1b.tmp"));
  CHECK(HexOf(*files->Read("done", KeyKind::kEd25519)) == kSeedHex);
}

}  // namespace
}  // namespace carnet::crypto
