#include "crypto/sealed.h"

#include <sodium.h>
#include <zlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_split.h"
#include "crypto/hash.h"
#include "crypto_fixtures.h"
#include "tests/testing/source_dir.h"

namespace carnet::crypto {
namespace {

struct KnownAnswer {
  std::string id;
  bool valid = false;
  Bytes key;
  Bytes context;
  Bytes sealed;
  std::string plain_sha512;
};

Bytes Inflate(const Bytes& compressed) {
  Bytes out(1 << 20);
  uLongf size = out.size();
  if (uncompress(out.data(), &size, compressed.data(), compressed.size()) != Z_OK) {
    throw std::invalid_argument("malformed zlib stream in the test data");
  }
  out.resize(size);
  return out;
}

std::vector<KnownAnswer> KnownAnswers() {
  std::ifstream file(testing::InTree("tests/unit/crypto/cobblestone_256.txt"));
  std::vector<KnownAnswer> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    const auto bytes = [&](std::size_t at) { return parts[at] == "-" ? Bytes{} : Hex(parts[at]); };
    all.push_back(
        {parts.at(0), parts.at(1) == "valid", bytes(2), bytes(3), Inflate(bytes(4)), parts.at(5)});
  }
  return all;
}

std::string Sha512Hex(const Bytes& bytes) {
  Bytes digest(crypto_hash_sha512_BYTES);
  crypto_hash_sha512(digest.data(), bytes.data(), bytes.size());
  return HexEncode(digest);
}

absl::StatusOr<ChunkOpener> OpenerOf(ByteView key, ByteView context, ByteView sealed) {
  SealedHeader header{};
  std::copy_n(sealed.begin(), std::min(sealed.size(), header.size()), header.begin());
  return ChunkOpener::Create(SecretBytes::Copy(key), context, header, sealed.size());
}

absl::StatusOr<Bytes> OpenWhole(ByteView key, ByteView context, ByteView sealed, int threads = 1) {
  auto opener = OpenerOf(key, context, sealed);
  if (!opener.ok()) {
    return opener.status();
  }
  Bytes plain(opener->plain_size());
  const absl::Status status = OpenAll(*opener, sealed, plain, threads);
  if (!status.ok()) {
    return status;
  }
  return plain;
}

const Bytes kKey(32, 0x5A);
const Bytes kContext = ToBytes("context");

Bytes Pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 31 + i / kChunkPlainBytes);
  }
  return bytes;
}

ChunkSealer Sealer(std::uint8_t salt = 1) {
  SealedSalt bytes;
  bytes.fill(salt);
  return *ChunkSealer::Create(SecretBytes::Copy(kKey), kContext, bytes);
}

Bytes Seal(ByteView plain, int threads = 1) {
  Bytes sealed(*SealedSize(plain.size()));
  REQUIRE(SealAll(Sealer(), plain, sealed, threads).ok());
  return sealed;
}

ReadAt Reader(const Bytes& bytes) {
  return [&bytes](std::uint64_t offset, std::span<std::uint8_t> out) {
    if (offset > bytes.size() || out.size() > bytes.size() - offset) {
      return absl::OutOfRangeError("the test's reader has no such bytes");
    }
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  };
}

WriteAt Writer(Bytes& bytes) {
  return [&bytes](std::uint64_t offset, ByteView in) {
    if (offset > bytes.size() || in.size() > bytes.size() - offset) {
      return absl::OutOfRangeError("the test's writer has no such place");
    }
    std::copy(in.begin(), in.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return absl::OkStatus();
  };
}

TEST_CASE("Sealed: the known answers of Wycheproof, both ways") {
  const std::vector<KnownAnswer> all = KnownAnswers();
  REQUIRE(all.size() == 28);
  for (const KnownAnswer& known : all) {
    CAPTURE(known.id);
    const auto opened = OpenWhole(known.key, known.context, known.sealed);
    CHECK(opened.ok() == known.valid);
    if (!known.valid || !opened.ok()) {
      continue;
    }
    CHECK(Sha512Hex(*opened) == known.plain_sha512);
    SealedSalt salt;
    std::copy_n(known.sealed.begin(), salt.size(), salt.begin());
    const auto sealer = ChunkSealer::Create(SecretBytes::Copy(known.key), known.context, salt);
    REQUIRE(sealer.ok());
    Bytes again(*SealedSize(opened->size()));
    REQUIRE(SealAll(*sealer, *opened, again, 2).ok());
    CHECK(again == known.sealed);
  }
}

TEST_CASE("Sealed: the chunk counter carries past one byte as the specification says") {
  // SHA-256 of the message, made with pyca/cryptography 50's AESGCM and Python's hmac from the
  // specification's text: key SHA-256("carnet data key"), salt the first 24 bytes of
  // SHA-256("carnet salt"), 257 full chunks and 5 bytes.
  const Bytes plain = Pattern(257 * kChunkPlainBytes + 5);
  const Digest key = Sha256(AsBytes("carnet data key"));
  const Digest salt_source = Sha256(AsBytes("carnet salt"));
  SealedSalt salt;
  std::copy_n(salt_source.begin(), salt.size(), salt.begin());
  const auto sealer = ChunkSealer::Create(SecretBytes::Copy(key), AsBytes("carnet context"), salt);
  REQUIRE(sealer.ok());
  Bytes sealed(*SealedSize(plain.size()));
  CHECK(sealed.size() == 4214877);
  REQUIRE(SealAll(*sealer, plain, sealed, 2).ok());
  CHECK(HexEncode(Sha256(sealed)) ==
        "6167dc532a513bf588d77a849f8f0864695af77072dac63b5dd6c002b2f1d752");
  const auto opened = OpenWhole(key, AsBytes("carnet context"), sealed, 2);
  REQUIRE(opened.ok());
  CHECK(*opened == plain);
}

TEST_CASE("Sealed: sizes of plaintext and message determine each other") {
  for (const std::uint64_t plain :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{16383}, std::uint64_t{16384},
        std::uint64_t{16385}, std::uint64_t{3'200'000'000}, kSealedPlainBytesMax}) {
    CAPTURE(plain);
    const auto sealed = SealedSize(plain);
    REQUIRE(sealed.ok());
    const auto back = PlainSize(*sealed);
    REQUIRE(back.ok());
    CHECK(*back == plain);
  }
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(CodeOf(SealedSize(kSealedPlainBytesMax + 1)) == invalid);
  CHECK(CodeOf(SealedSize(~std::uint64_t{0})) == invalid);
  for (const std::uint64_t sealed :
       {std::uint64_t{0}, std::uint64_t{56}, std::uint64_t{71}, std::uint64_t{56 + 16400},
        std::uint64_t{56 + 16400 + 15}, *SealedSize(kSealedPlainBytesMax) + 1, ~std::uint64_t{0}}) {
    CAPTURE(sealed);
    CHECK(CodeOf(PlainSize(sealed)) == invalid);
  }
}

TEST_CASE("Sealed: a flipped bit anywhere is refused and gives no plaintext out") {
  const Bytes plain = Pattern(2 * kChunkPlainBytes + 10);
  const Bytes sealed = Seal(plain);
  for (std::size_t at : {std::size_t{0}, std::size_t{23}, std::size_t{24}, std::size_t{55}}) {
    Bytes bad = sealed;
    bad[at] ^= 4U;
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kFailedPrecondition);
  }
  for (std::size_t at = kSealedHeaderBytes; at < sealed.size(); at += at < 100 ? 1 : 997) {
    CAPTURE(at);
    Bytes bad = sealed;
    bad[at] ^= 4U;
    auto opener = OpenerOf(kKey, kContext, bad);
    REQUIRE(opener.ok());
    Bytes out(opener->plain_size(), 0xEE);
    CHECK(OpenAll(*opener, bad, out, 2).code() == absl::StatusCode::kDataLoss);
    CHECK(out == Bytes(out.size(), 0));
  }
}

TEST_CASE("Sealed: another key or context is told before any chunk is opened") {
  const Bytes sealed = Seal(Pattern(10));
  const auto refused = absl::StatusCode::kFailedPrecondition;
  CHECK(CodeOf(OpenWhole(Bytes(32, 0x5B), kContext, sealed)) == refused);
  CHECK(CodeOf(OpenWhole(kKey, ToBytes("context "), sealed)) == refused);
  CHECK(CodeOf(OpenWhole(kKey, {}, sealed)) == refused);
}

TEST_CASE("Sealed: chunks cannot be cut off, added, exchanged or taken from another message") {
  const Bytes plain = Pattern(3 * kChunkPlainBytes);  // Three full chunks and an empty one.
  const Bytes sealed = Seal(plain);
  const auto chunk = [](Bytes& bytes, std::uint64_t index) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(ChunkOffset(index));
  };
  SECTION("without the last chunk") {
    Bytes bad(sealed.begin(), sealed.end() - kChunkTagBytes);
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kInvalidArgument);
  }
  SECTION("the last full chunk shortened to become the last") {
    Bytes bad(sealed.begin(), sealed.end() - kChunkTagBytes - 1);
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
  }
  SECTION("a full chunk left out") {
    Bytes bad = sealed;
    bad.erase(chunk(bad, 1), chunk(bad, 2));
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
  }
  SECTION("two chunks exchanged") {
    Bytes bad = sealed;
    std::swap_ranges(chunk(bad, 0), chunk(bad, 1), chunk(bad, 1));
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
  }
  SECTION("extended by bytes, or by a copy of a chunk") {
    Bytes bad = sealed;
    bad.push_back(0);
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
    bad = sealed;
    bad.insert(bad.end(), sealed.end() - kChunkTagBytes, sealed.end());
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
  }
  SECTION("a chunk of another message under the same key") {
    Bytes other(sealed.size());
    REQUIRE(SealAll(Sealer(2), plain, other, 1).ok());
    Bytes bad = sealed;
    std::copy(chunk(other, 1), chunk(other, 2), chunk(bad, 1));
    CHECK(CodeOf(OpenWhole(kKey, kContext, bad)) == absl::StatusCode::kDataLoss);
  }
}

TEST_CASE("Sealed: a chunk of a wrong size or index is refused") {
  const ChunkSealer sealer = Sealer();
  Bytes out(kChunkSealedBytes);
  const Bytes full(kChunkPlainBytes);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(sealer.SealChunk(0, full, false, out).ok());
  CHECK(sealer.SealChunk(0, full, true, out).code() == invalid);
  const ByteView less = ByteView(full).first(kChunkPlainBytes - 1);
  CHECK(
      sealer.SealChunk(0, less, false, std::span(out).first(less.size() + kChunkTagBytes)).code() ==
      invalid);
  CHECK(sealer.SealChunk(0, full, false, std::span(out).first(kChunkPlainBytes)).code() == invalid);
  CHECK(sealer.SealChunk(kChunksMax, full, false, out).code() == invalid);

  const Bytes sealed = Seal(full);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  CHECK(opener->chunk_count() == 2);
  Bytes plain(kChunkPlainBytes, 0xEE);
  const ByteView first = ByteView(sealed).subspan(kSealedHeaderBytes, kChunkSealedBytes);
  CHECK(opener->OpenChunk(0, first, plain).ok());
  CHECK(opener->OpenChunk(1, first, plain).code() == invalid);
  CHECK(opener->OpenChunk(2, first, plain).code() == invalid);
  CHECK(opener->OpenChunk(0, first.first(100), plain).code() == invalid);
  CHECK(opener->OpenChunk(0, first, std::span(plain).first(5)).code() == invalid);
}

TEST_CASE("Sealed: keys and contexts of a wrong size are refused") {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(CodeOf(ChunkSealer::Create(SecretBytes(31), {}, SealedSalt{})) == invalid);
  CHECK(CodeOf(ChunkSealer::Create(SecretBytes(32), Bytes(kSealedContextBytesMax + 1),
                                   SealedSalt{})) == invalid);
  CHECK(CodeOf(ChunkOpener::Create(SecretBytes(16), {}, SealedHeader{}, 72)) == invalid);
  CHECK(CodeOf(ChunkOpener::Create(SecretBytes(32), {}, SealedHeader{}, 71)) == invalid);
}

TEST_CASE("Sealed: any range opens to the same bytes as the whole") {
  const std::size_t size = 40 * kChunkPlainBytes + 123;
  const Bytes plain = Pattern(size);
  const Bytes sealed = Seal(plain);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  CHECK(opener->plain_size() == size);
  const std::pair<std::size_t, std::size_t> ranges[] = {{0, 0},
                                                        {0, 1},
                                                        {size - 1, 1},
                                                        {size, 0},
                                                        {0, size},
                                                        {16383, 2},
                                                        {16384, 16384},
                                                        {1, 16384},
                                                        {5, 600'000},
                                                        {16384 * 16, 1},
                                                        {16384 * 15 + 7, 16384 * 18}};
  for (const auto& range : ranges) {
    CAPTURE(range.first, range.second);
    Bytes out(range.second, 0xEE);
    REQUIRE(opener->OpenRange(range.first, out, Reader(sealed)).ok());
    CHECK(std::equal(out.begin(), out.end(),
                     plain.begin() + static_cast<std::ptrdiff_t>(range.first)));
  }
}

TEST_CASE("Sealed: a range past the end, a failing reader or a bad chunk gives zeros") {
  const Bytes plain = Pattern(3 * kChunkPlainBytes);
  Bytes sealed = Seal(plain);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  Bytes out(100, 0xEE);
  const auto past = absl::StatusCode::kOutOfRange;
  CHECK(opener->OpenRange(plain.size() - 99, out, Reader(sealed)).code() == past);
  CHECK(opener->OpenRange(~std::uint64_t{0} - 50, out, Reader(sealed)).code() == past);
  CHECK(out == Bytes(100, 0));

  const ReadAt failing = [](std::uint64_t, std::span<std::uint8_t>) {
    return absl::UnavailableError("no disk");
  };
  CHECK(opener->OpenRange(0, out, failing).code() == absl::StatusCode::kUnavailable);

  sealed[ChunkOffset(1) + 3] ^= 1U;
  Bytes wide(kChunkPlainBytes + 10, 0xEE);  // Its first part is authentic, its end is not.
  CHECK(opener->OpenRange(0, wide, Reader(sealed)).code() == absl::StatusCode::kDataLoss);
  CHECK(wide == Bytes(wide.size(), 0));
  CHECK(opener->OpenRange(0, out, Reader(sealed)).ok());
}

TEST_CASE("Sealed: a reader may itself open a range of another message") {
  const Bytes inner = Seal(Pattern(5 * kChunkPlainBytes));
  const Bytes outer = Seal(inner);
  const auto outer_opener = OpenerOf(kKey, kContext, outer);
  const auto inner_opener = OpenerOf(kKey, kContext, inner);
  REQUIRE(outer_opener.ok());
  REQUIRE(inner_opener.ok());
  const ReadAt through = [&](std::uint64_t offset, std::span<std::uint8_t> out) {
    return outer_opener->OpenRange(offset, out, Reader(outer));
  };
  Bytes out(4 * kChunkPlainBytes);
  REQUIRE(inner_opener->OpenRange(77, out, through).ok());
  const Bytes plain = Pattern(5 * kChunkPlainBytes);
  CHECK(std::equal(out.begin(), out.end(), plain.begin() + 77));
}

TEST_CASE("Sealed: the bytes do not depend on the number of threads or on how they are passed") {
  for (const std::size_t size : {std::size_t{0}, kChunkPlainBytes, 100 * kChunkPlainBytes + 1}) {
    CAPTURE(size);
    const Bytes plain = Pattern(size);
    const Bytes sealed = Seal(plain, 1);
    CHECK(Seal(plain, 7) == sealed);
    Bytes written(sealed.size());
    REQUIRE(SealAll(Sealer(), plain.size(), Reader(plain), Writer(written), 3).ok());
    CHECK(written == sealed);

    const auto opener = OpenerOf(kKey, kContext, sealed);
    REQUIRE(opener.ok());
    Bytes opened(size);
    REQUIRE(OpenAll(*opener, Reader(sealed), Writer(opened), 3).ok());
    CHECK(opened == plain);
    CHECK(*OpenWhole(kKey, kContext, sealed, 5) == plain);
  }
}

TEST_CASE("Sealed: the first error of a callback stops the whole and is returned") {
  const Bytes plain = Pattern(100 * kChunkPlainBytes);
  const Bytes sealed = Seal(plain);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  const WriteAt full = [](std::uint64_t offset, ByteView) {
    return offset < 1'000'000 ? absl::OkStatus() : absl::ResourceExhaustedError("disk full");
  };
  const auto exhausted = absl::StatusCode::kResourceExhausted;
  CHECK(OpenAll(*opener, Reader(sealed), full, 2).code() == exhausted);
  CHECK(SealAll(Sealer(), plain.size(), Reader(plain), full, 2).code() == exhausted);
  // A reader that lies about its length is found out.
  CHECK(SealAll(Sealer(), plain.size() + 1, Reader(plain), full, 1).code() ==
        absl::StatusCode::kResourceExhausted);

  Bytes bad = sealed;
  bad[bad.size() - 1] ^= 1U;
  std::atomic<std::uint64_t> bytes_passed{0};
  const WriteAt count = [&](std::uint64_t, ByteView in) {
    bytes_passed += in.size();
    return absl::OkStatus();
  };
  CHECK(OpenAll(*opener, Reader(bad), count, 1).code() == absl::StatusCode::kDataLoss);
  CHECK(bytes_passed < plain.size());
}

TEST_CASE("Sealed: thread counts and buffers that do not fit are refused") {
  const Bytes plain = Pattern(10);
  Bytes sealed = Seal(plain);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  const auto invalid = absl::StatusCode::kInvalidArgument;
  for (const int threads : {0, -1, kSealThreadsMax + 1}) {
    Bytes out(10);
    CHECK(SealAll(Sealer(), plain, sealed, threads).code() == invalid);
    CHECK(OpenAll(*opener, sealed, out, threads).code() == invalid);
  }
  Bytes small(9);
  CHECK(OpenAll(*opener, sealed, small, 1).code() == invalid);
  CHECK(SealAll(Sealer(), plain, small, 1).code() == invalid);
}

TEST_CASE("Sealed: one opener serves many threads at once") {
  const Bytes plain = Pattern(64 * kChunkPlainBytes + 9);
  const Bytes sealed = Seal(plain);
  const auto opener = OpenerOf(kKey, kContext, sealed);
  REQUIRE(opener.ok());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 20; ++i) {
        const std::size_t offset = (t * 7919 + i * 104'729) % (plain.size() - 50'000);
        Bytes out(50'000);
        if (opener->OpenRange(offset, out, Reader(sealed)).ok() &&
            std::equal(out.begin(), out.end(),
                       plain.begin() + static_cast<std::ptrdiff_t>(offset))) {
          ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(good == 80);
}

}  // namespace
}  // namespace carnet::crypto
