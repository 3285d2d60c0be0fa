#include "exchange/sealing.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/files.h"
#include "crypto/hash.h"
#include "exchange/spool.h"
#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

struct Sealing {
  TestDirectory directory;
  Header header;
  crypto::SecretBytes data_key;
  crypto::SealedSalt salt;
  SealedFile file;
  std::filesystem::path path;
};

void Seal(const Bytes& plain, Sealing& sealing) {
  v1::ArtifactHeader fields = DeltaFields();
  fields.set_plaintext_bytes(plain.size());
  auto header = MakeHeader(fields);
  REQUIRE(header.ok());
  sealing.header = *header;
  CountingRng rng(9);
  sealing.data_key = crypto::SecretBytes::Random(rng, 32);
  std::fill(sealing.salt.begin(), sealing.salt.end(), std::uint8_t{'s'});
  sealing.path = sealing.directory.path() / "sealed";
  const auto source = sealing.directory.path() / "plain";
  REQUIRE(WriteFileAtomic(source, plain).ok());
  auto file = SealFile(sealing.header, sealing.data_key, sealing.salt, source, sealing.path);
  REQUIRE(file.ok());
  sealing.file = *file;
}

TEST_CASE("Sealing: a file opens to its plaintext, and its digest is that of the bytes on disk") {
  // Around a chunk (16 KiB) and around a batch of 64 chunks.
  const auto size = GENERATE(0, 1, 16383, 16384, 16385, 1048575, 1048576, 1048577, 2100000);
  CAPTURE(size);
  const Bytes plain = Pattern(static_cast<std::size_t>(size));
  Sealing sealing;
  Seal(plain, sealing);
  const auto on_disk = ReadFile(sealing.path, std::size_t{4} << 20);
  REQUIRE(on_disk.ok());
  CHECK(on_disk->size() == sealing.file.sealed_bytes);
  CHECK(crypto::Sha256(*on_disk) == sealing.file.sealed_sha256);
  const auto out = sealing.directory.path() / "opened";
  const auto digest = OpenFile(sealing.header, sealing.data_key, sealing.path, out);
  REQUIRE(digest.ok());
  CHECK(*digest == crypto::Sha256(plain));
  CHECK(ReadFile(out, std::size_t{4} << 20).value() == plain);
}

TEST_CASE("Sealing: another header or key opens nothing and leaves nothing") {
  Sealing sealing;
  Seal(Pattern(40000), sealing);
  const auto out = sealing.directory.path() / "opened";
  v1::ArtifactHeader fields = sealing.header.fields;
  fields.set_round(fields.round() + 1);
  const auto other = MakeHeader(fields);
  REQUIRE(other.ok());
  CHECK_FALSE(OpenFile(*other, sealing.data_key, sealing.path, out).ok());
  const crypto::SecretBytes zero(32);
  CHECK_FALSE(OpenFile(sealing.header, zero, sealing.path, out).ok());
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK_FALSE(std::filesystem::exists(out.string() + ".partial"));
}

TEST_CASE("Sealing: a flipped bit in any chunk, a cut and an extended file are refused") {
  Sealing sealing;
  Seal(Pattern(40000), sealing);
  Bytes bytes = ReadFile(sealing.path, std::size_t{1} << 20).value();
  const auto out = sealing.directory.path() / "opened";
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{30}, std::size_t{60}, std::size_t{20000}, bytes.size() - 1}) {
    CAPTURE(at);
    Bytes spoiled = bytes;
    spoiled[at] ^= 1;
    REQUIRE(WriteFileAtomic(sealing.path, spoiled).ok());
    CHECK_FALSE(OpenFile(sealing.header, sealing.data_key, sealing.path, out).ok());
    CHECK_FALSE(std::filesystem::exists(out));
  }
  const Bytes cut(bytes.begin(), bytes.end() - 1);
  REQUIRE(WriteFileAtomic(sealing.path, cut).ok());
  CHECK_FALSE(OpenFile(sealing.header, sealing.data_key, sealing.path, out).ok());
  bytes.push_back(0);
  REQUIRE(WriteFileAtomic(sealing.path, bytes).ok());
  CHECK_FALSE(OpenFile(sealing.header, sealing.data_key, sealing.path, out).ok());
}

TEST_CASE("Sealing: only under the header's own salt, and only from a file of the stated size") {
  Sealing sealing;
  Seal(Pattern(100), sealing);
  crypto::SealedSalt other = sealing.salt;
  other[0] ^= 1;
  const auto plain = sealing.directory.path() / "plain";
  const auto to = sealing.directory.path() / "again";
  CHECK_FALSE(SealFile(sealing.header, sealing.data_key, other, plain, to).ok());
  REQUIRE(WriteFileAtomic(plain, Pattern(99)).ok());
  CHECK_FALSE(SealFile(sealing.header, sealing.data_key, sealing.salt, plain, to).ok());
  CHECK_FALSE(std::filesystem::exists(to));
}

TEST_CASE("Sealing: a source that fails leaves no file") {
  Sealing sealing;
  Seal(Pattern(100), sealing);
  const auto to = sealing.directory.path() / "again";
  const auto result = SealToFile(
      sealing.header, sealing.data_key, sealing.salt,
      [](std::uint64_t, std::span<std::uint8_t>) { return absl::AbortedError("source"); }, to);
  CHECK(result.status().code() == absl::StatusCode::kAborted);
  CHECK_FALSE(std::filesystem::exists(to));
  CHECK_FALSE(std::filesystem::exists(to.string() + ".partial"));
}

}  // namespace
}  // namespace carnet::exchange
