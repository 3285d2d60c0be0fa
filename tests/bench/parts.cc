// Parts of the way of a delta, each alone: bytes of fp32 parameters per second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "coordinator/aggregation/kernels.h"
#include "coordinator/aggregation/server_optimizer.h"
#include "crypto/sealed.h"
#include "model/blocks.h"
#include "model/codec.h"
#include "model/norms.h"

namespace carnet {
namespace {

using model::Codec;

std::vector<float> Values() {
  std::vector<float> values(model::kBlockParameters);
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<std::int32_t>(state)) * 1e-10F;
  }
  return values;
}

absl::Status CheapRandom(std::uint64_t, std::span<std::uint8_t> bytes) {
  std::uint32_t state = 7;
  for (std::uint8_t& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return absl::OkStatus();
}

void CountParameters(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(model::kBlockParameters * sizeof(float)));
}

void SumOfSquares(benchmark::State& state) {
  const std::vector<float> values = Values();
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(model::SumOfSquares(values));
  }
  CountParameters(state);
}
BENCHMARK(SumOfSquares);

void EncodeInt8(benchmark::State& state) {
  const std::vector<float> values = Values();
  Bytes encoded(model::EncodedBlockBytes(Codec::kInt8, values.size()));
  while (state.KeepRunning()) {
    if (!model::EncodeBlock(Codec::kInt8, 0, values, 1.0, CheapRandom, encoded).ok()) {
      state.SkipWithError("not encoded");
    }
  }
  CountParameters(state);
}
BENCHMARK(EncodeInt8);

void DecodeInt8(benchmark::State& state) {
  std::vector<float> values = Values();
  Bytes encoded(model::EncodedBlockBytes(Codec::kInt8, values.size()));
  if (!model::EncodeBlock(Codec::kInt8, 0, values, 1.0, CheapRandom, encoded).ok()) {
    state.SkipWithError("not encoded");
  }
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(model::DecodeBlock(Codec::kInt8, encoded, values));
  }
  CountParameters(state);
}
BENCHMARK(DecodeInt8);

void AddWeighted(benchmark::State& state) {
  const std::vector<float> values = Values();
  std::vector<double> sums(static_cast<std::size_t>(state.range(0)));
  while (state.KeepRunning()) {
    for (std::size_t i = 0; i < values.size(); i += sums.size()) {
      aggregation::AddWeighted(3.0, std::span<const float>(values).subspan(i, sums.size()), sums);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountParameters(state);
}
BENCHMARK(AddWeighted)->Arg(16384)->Arg(1 << 18);

void DilocoStep(benchmark::State& state) {
  const aggregation::ServerOptimizer diloco = {aggregation::ServerOptimizer::Kind::kMomentum, true,
                                               0.7, 0.9};
  const std::vector<float> base = Values();
  const std::vector<double> mean(base.begin(), base.end());
  std::vector<float> model(base.size());
  std::vector<float> velocity(base.size());
  while (state.KeepRunning()) {
    aggregation::ApplyOptimizer(diloco, {mean, base, base, model, velocity});
    benchmark::DoNotOptimize(model.data());
  }
  CountParameters(state);
}
BENCHMARK(DilocoStep);

void OpenBlock(benchmark::State& state) {
  Bytes plain(model::kBlockParameters * sizeof(float));
  const crypto::SecretBytes key(crypto::kDataKeyBytes);
  const auto sealer = crypto::ChunkSealer::Create(key, {}, {});
  Bytes sealed(crypto::SealedSize(plain.size()).value_or(0));
  if (!sealer.ok() || !crypto::SealAll(*sealer, plain, sealed, 1).ok()) {
    state.SkipWithError("not sealed");
    return;
  }
  const auto opener = crypto::ChunkOpener::Create(key, {}, sealer->header(), sealed.size());
  while (state.KeepRunning()) {
    if (!opener.ok() || !crypto::OpenAll(*opener, sealed, plain, 1).ok()) {
      state.SkipWithError("not opened");
    }
  }
  CountParameters(state);
}
BENCHMARK(OpenBlock);

}  // namespace
}  // namespace carnet

BENCHMARK_MAIN();
