#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "crypto/sealed.h"
#include "model/blocks.h"
#include "model/norms.h"
#include "tests/unit/coordinator/aggregation_fixture.h"

namespace carnet::aggregation {
namespace {

using model::Codec;
using model::kBlockParameters;

constexpr char kWorker[] = "/region/sg/supplier/lion/worker/sg-1";

VerifyOptions OptionsFor(const SealedDelta& delta, Codec codec, std::uint64_t parameters) {
  VerifyOptions options;
  options.format = {codec, parameters};
  options.sealed_sha256 = FileDigest(delta.file);
  return options;
}

Verification Verify(const SealedDelta& delta, const VerifyOptions& options) {
  const auto verified = VerifyDelta(delta, options);
  REQUIRE(verified.ok());
  return *verified;
}

Codec AnyCodec() {
  return GENERATE(Codec::kFp32, Codec::kInt8);
}

TEST_CASE(
    "Verification: an honest delta is good, and its norm has the same bits on 1 and 4 threads") {
  const Codec codec = AnyCodec();
  // Sizes around blocks and chunks: the last chunk may be empty, the last block short.
  const std::size_t parameters = GENERATE(as<std::size_t>(), 1, 4096, kBlockParameters,
                                          kBlockParameters + 1, 2 * kBlockParameters + 777);
  CAPTURE(model::CodecName(codec), parameters);
  const AggregationFixture fixture;
  const std::vector<float> values = SomeValues(7, parameters, 0.5F);
  const SealedDelta delta =
      fixture.Seal(kWorker, AggregationFixture::Encode(codec, values, kWorker));
  VerifyOptions options = OptionsFor(delta, codec, parameters);
  const Verification one = Verify(delta, options);
  CHECK(one.verdict == DeltaVerdict::kOk);
  CHECK(one.norm == Approx(std::sqrt(model::SumOfSquares(values))).epsilon(1e-2));
  options.threads = 4;
  const Verification four = Verify(delta, options);
  CHECK(four.verdict == DeltaVerdict::kOk);
  CHECK(std::memcmp(&one.norm, &four.norm, sizeof(double)) == 0);
}

TEST_CASE("Verification: the norm may reach the clip and its slack, not more") {
  const AggregationFixture fixture;
  const SealedDelta delta =
      fixture.Seal(kWorker, AggregationFixture::Encode(Codec::kFp32, {3, 4}, kWorker));
  VerifyOptions options = OptionsFor(delta, Codec::kFp32, 2);
  options.clip = 5;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kOk);
  CHECK(Verify(delta, options).norm == 5);
  options.clip = 5 / kNormSlackFp32 * (1 + 1e-9);
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kOk);
  options.clip = 5 / kNormSlackFp32 * (1 - 1e-9);
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kNormExceeded);
  CHECK(Verify(delta, options).norm == 5);
}

TEST_CASE("Verification: a delta clipped by the worker's rule passes, whatever the codec rounds") {
  const Codec codec = AnyCodec();
  const auto seed = GENERATE(take(10, random(0U, ~0U)));
  CAPTURE(seed, model::CodecName(codec));
  std::vector<float> values = SomeValues(seed, 3000, 0.01F);
  values[0] = 10.0F;  // Coarse int8 steps: rounding lengthens the rest.
  const model::BlockRandom random = [seed](std::uint64_t, std::span<std::uint8_t> bytes) {
    std::uint32_t state = seed;
    for (std::uint8_t& byte : bytes) {
      state = state * 1664525U + 1013904223U;
      byte = static_cast<std::uint8_t>(state >> 24);
    }
    return absl::OkStatus();
  };
  const double norm = std::sqrt(*model::DecodedSumOfSquares(codec, 0, values, random));
  Bytes encoded(model::EncodedBytes(codec, values.size()));
  REQUIRE(model::EncodeBlock(codec, 0, values, model::ClipFactor(norm, 1.0), random, encoded).ok());
  const AggregationFixture fixture;
  const SealedDelta delta = fixture.Seal(kWorker, encoded);
  VerifyOptions options = OptionsFor(delta, codec, values.size());
  options.clip = 1.0;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kOk);
}

TEST_CASE("Verification: one flipped bit anywhere is found, also in the last chunk") {
  const Codec codec = AnyCodec();
  // 2^18 fp32 parameters fill 64 chunks, so the 65th is empty and only a tag.
  const std::size_t parameters = kBlockParameters;
  const std::uint64_t last = *crypto::SealedSize(model::EncodedBytes(codec, parameters)) - 1;
  const std::uint64_t offset =
      GENERATE_COPY(as<std::uint64_t>(), 0, 30, 56, 56 + 16400 * 3 + 77, last);
  const AggregationFixture fixture;
  const SealedDelta delta = fixture.Seal(
      kWorker, AggregationFixture::Encode(codec, SomeValues(1, parameters, 1), kWorker));
  CAPTURE(offset, model::CodecName(codec));
  FlipBit(delta.file, offset);
  VerifyOptions options = OptionsFor(delta, codec, parameters);
  // The digest as announced before the flip would tell first; here the chunks have to.
  const DeltaVerdict expected =
      offset < crypto::kSealedHeaderBytes ? DeltaVerdict::kWrongKey : DeltaVerdict::kBadChunk;
  CHECK(Verify(delta, options).verdict == expected);
  options.sealed_sha256[0] ^= 1;
  CHECK(Verify(delta, options).verdict ==
        (expected == DeltaVerdict::kBadChunk ? DeltaVerdict::kSealedDigestMismatch : expected));
}

TEST_CASE("Verification: a ciphertext other than the announced one is refused, although it opens") {
  const AggregationFixture fixture;
  const SealedDelta delta =
      fixture.Seal(kWorker, AggregationFixture::Encode(Codec::kFp32, {1, 2}, kWorker));
  VerifyOptions options = OptionsFor(delta, Codec::kFp32, 2);
  options.sealed_sha256[31] ^= 0x80;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kSealedDigestMismatch);
}

TEST_CASE("Verification: cut files, other layouts, keys and contexts have their verdicts") {
  const AggregationFixture fixture;
  SealedDelta delta = fixture.Seal(
      kWorker, AggregationFixture::Encode(Codec::kFp32, SomeValues(1, 9000, 1), kWorker));
  const VerifyOptions options = OptionsFor(delta, Codec::kFp32, 9000);
  CHECK(Verify(delta, OptionsFor(delta, Codec::kFp32, 9001)).verdict == DeltaVerdict::kWrongLayout);
  CHECK(Verify(delta, OptionsFor(delta, Codec::kInt8, 9000)).verdict == DeltaVerdict::kWrongLayout);
  delta.context.back() ^= 1;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kWrongKey);
  delta.context.back() ^= 1;
  delta.data_key.Mutable()[0] ^= 1;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kWrongKey);
  delta.data_key.Mutable()[0] ^= 1;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kOk);
  // A message cut at a chunk's end is not as long as the layout says; the announced size finds the
  // other cuts.
  std::filesystem::resize_file(delta.file, delta.size_bytes - 1);
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kTruncated);
  --delta.size_bytes;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kWrongLayout);
}

TEST_CASE(
    "Verification: NaN, infinities and bytes that no codec writes are found, the first block "
    "named") {
  const AggregationFixture fixture;
  std::vector<float> values = SomeValues(1, 3 * kBlockParameters, 1);
  values[kBlockParameters + 5] = std::nanf("");
  values[2 * kBlockParameters] = INFINITY;
  Bytes plain(values.size() * sizeof(float));
  std::memcpy(plain.data(), values.data(), plain.size());
  const SealedDelta bad_values = fixture.Seal(kWorker, plain);
  for (const int threads : {1, 4}) {
    VerifyOptions options = OptionsFor(bad_values, Codec::kFp32, values.size());
    options.threads = threads;
    const Verification verified = Verify(bad_values, options);
    CHECK(verified.verdict == DeltaVerdict::kNotFinite);
    CHECK(verified.block == 1);
  }
  Bytes bytes = AggregationFixture::Encode(Codec::kInt8, {1, 2, 3}, kWorker);
  bytes.back() = 0x80;
  const SealedDelta bad_byte = fixture.Seal(kWorker, bytes);
  CHECK(Verify(bad_byte, OptionsFor(bad_byte, Codec::kInt8, 3)).verdict == DeltaVerdict::kBadBlock);
}

TEST_CASE("Verification: a message inside a larger file is found by its offset") {
  const AggregationFixture fixture;
  SealedDelta delta =
      fixture.Seal(kWorker, AggregationFixture::Encode(Codec::kFp32, {3, 4}, kWorker));
  const VerifyOptions options = OptionsFor(delta, Codec::kFp32, 2);
  Bytes file(100, 0xAA);
  const Bytes sealed = *ReadFile(delta.file, 1000);
  file.insert(file.end(), sealed.begin(), sealed.end());
  file.resize(file.size() + 50);
  REQUIRE(WriteFileAtomic(delta.file, file).ok());
  delta.offset_bytes = 100;
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kOk);
  delta.offset_bytes = ~std::uint64_t{0};
  CHECK(Verify(delta, options).verdict == DeltaVerdict::kTruncated);
}

TEST_CASE("Verification: what says nothing about the contribution is an error, not a verdict") {
  const AggregationFixture fixture;
  SealedDelta delta =
      fixture.Seal(kWorker, AggregationFixture::Encode(Codec::kFp32, {3, 4}, kWorker));
  VerifyOptions options = OptionsFor(delta, Codec::kFp32, 2);
  const std::atomic<bool> cancelled{true};
  options.cancelled = &cancelled;
  CHECK(VerifyDelta(delta, options).status().code() == absl::StatusCode::kCancelled);
  options.cancelled = nullptr;
  for (const double clip : {0.0, -1.0, std::nan("")}) {
    options.clip = clip;
    CHECK(VerifyDelta(delta, options).status().code() == absl::StatusCode::kInvalidArgument);
  }
  options.clip = kNoClip;
  for (const int threads : {0, 65}) {
    options.threads = threads;
    CHECK(VerifyDelta(delta, options).status().code() == absl::StatusCode::kInvalidArgument);
  }
  options.threads = 1;
  delta.file = fixture.Path("none");
  CHECK(VerifyDelta(delta, options).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("Verification: every verdict has its reason for the record") {
  CHECK(std::string(ReasonOf(DeltaVerdict::kOk)).empty());
  for (const DeltaVerdict verdict :
       {DeltaVerdict::kTruncated, DeltaVerdict::kWrongLayout, DeltaVerdict::kWrongKey,
        DeltaVerdict::kSealedDigestMismatch, DeltaVerdict::kBadChunk, DeltaVerdict::kBadBlock,
        DeltaVerdict::kNotFinite, DeltaVerdict::kNormExceeded}) {
    CHECK_FALSE(std::string(ReasonOf(verdict)).empty());
  }
}

}  // namespace
}  // namespace carnet::aggregation
