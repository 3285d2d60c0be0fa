#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <filesystem>

#include "model/blocks.h"
#include "tests/unit/coordinator/aggregation_fixture.h"

namespace carnet::aggregation {
namespace {

using model::Codec;
using model::kBlockParameters;

constexpr ServerOptimizer kDiloco = {ServerOptimizer::Kind::kMomentum, true, 0.7, 0.9};

CombineOptions OptionsFor(const AggregationFixture& fixture, const DigestedFile& base) {
  CombineOptions options;
  options.base_model = base;
  options.model_out = fixture.Path("new.safetensors");
  options.velocity_out = fixture.Path("new-velocity.safetensors");
  return options;
}

std::vector<float> Average(const std::vector<std::vector<float>>& deltas,
                           const std::vector<std::uint64_t>& weights) {
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    contributions.push_back(fixture.Contribute("/w" + std::to_string(i), deltas[i], weights[i]));
  }
  const auto base = fixture.WriteModel("base", std::vector<float>(deltas[0].size()));
  const CombineOptions options = OptionsFor(fixture, base);
  const auto combined = Combine(contributions, options);
  REQUIRE(combined.ok());
  CHECK(combined->model_sha256 == FileDigest(options.model_out));
  CHECK(combined->model_bytes == std::filesystem::file_size(options.model_out));
  return ReadModel(options.model_out);
}

void CheckClose(const std::vector<float>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == static_cast<float>(expected[i]));
  }
}

TEST_CASE("Combine: FedAvg known answers of other frameworks") {
  // xaynet, tests/aggregate_test.py.
  CheckClose(Average({{1, 2, 3, 4, 5, 6}, {2, 3, 1, 4, 5, 6}, {3, 1, 2, 4, 5, 6}}, {1, 1, 1}),
             {2, 2, 2, 4, 5, 6});
  // NVFLARE, in_time_accumulate_weighted_aggregator_test.py: weights 0.5 and 1, then steps 2 and 4.
  CheckClose(Average({{2, 3, 1.1F, .1F}, {1, 1, 2.1F, .5F}}, {1, 2}),
             {4.0 / 3, 5.0 / 3, (1.1F + 2 * double{2.1F}) / 3, (.1F + 2 * .5) / 3});
  // Flower, fedavgm_test: n = 1 and n = 2 give (w0 + 2 w1) / 3; scalars 1 and 3 give 7/3.
  CheckClose(Average({{1, 2, 3, 4, 5, 6}, {29, 23, 19, 17, 13, 11}}, {1, 2}),
             {59.0 / 3, 48.0 / 3, 41.0 / 3, 38.0 / 3, 31.0 / 3, 28.0 / 3});
  CheckClose(Average({{1}, {3}}, {1, 2}), {7.0 / 3});
  // MetisFL, federated_average_test.cc: two copies of 1..10; terms are never truncated one by one.
  CheckClose(Average({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, {5, 5}),
             {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("Combine: the mean is added to the base, in double, rounded once") {
  const AggregationFixture fixture;
  const std::vector<float> base = SomeValues(1, 5000, 1);
  const std::vector<float> a = SomeValues(2, 5000, 1e-3F);
  const std::vector<float> b = SomeValues(3, 5000, 1e-3F);
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", a, 3));
  contributions.push_back(fixture.Contribute("/b", b, 5));
  const CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", base));
  const auto combined = Combine(contributions, options);
  REQUIRE(combined.ok());
  CHECK(combined->total_weight == 8);
  CHECK_FALSE(combined->velocity_sha256.has_value());
  const std::vector<float> model = ReadModel(options.model_out);
  for (std::size_t i = 0; i < base.size(); ++i) {
    const double mean = (3.0 * double{a[i]} + 5.0 * double{b[i]}) / 8.0;
    REQUIRE(model[i] == static_cast<float>(double{base[i]} + mean));
  }
}

TEST_CASE("Combine: any number of threads gives the same bits, for either codec and optimizer") {
  const Codec codec = GENERATE(Codec::kFp32, Codec::kInt8);
  const bool momentum = GENERATE(false, true);
  CAPTURE(model::CodecName(codec), momentum);
  const AggregationFixture fixture;
  const std::size_t parameters = 5 * kBlockParameters + 12345;
  std::vector<Contribution> contributions;
  for (std::uint32_t i = 0; i < 3; ++i) {
    contributions.push_back(fixture.Contribute("/w" + std::to_string(i),
                                               SomeValues(i, parameters, 0.1F), 1 + i, codec));
  }
  CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(9, parameters, 1)));
  options.codec = codec;
  if (momentum) {
    options.optimizer = kDiloco;
    options.velocity = fixture.WriteModel("velocity", SomeValues(8, parameters, 0.1F));
  }
  std::optional<Combined> first;
  for (const int threads : {1, 2, 4, 7}) {
    CAPTURE(threads);
    options.threads = threads;
    const auto combined = Combine(contributions, options);
    REQUIRE(combined.ok());
    CHECK(combined->model_sha256 == FileDigest(options.model_out));
    CHECK(combined->velocity_sha256.has_value() == momentum);
    if (momentum) {
      CHECK(*combined->velocity_sha256 == FileDigest(options.velocity_out));
    }
    if (first.has_value()) {
      CHECK(combined->model_sha256 == first->model_sha256);
      CHECK(combined->velocity_sha256 == first->velocity_sha256);
    }
    first = *combined;
  }
}

TEST_CASE("Combine: the optimizer's state is carried by its file from round to round") {
  // DiLoCo: theta = 1, constant pseudo-gradient 0.3 (reference page, PyTorch's order of
  // operations).
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", {-0.3F}, 1));
  CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", {1.0F}));
  options.optimizer = kDiloco;
  for (const double expected : {0.601, 0.0319, -0.69029}) {
    const auto combined = Combine(contributions, options);
    REQUIRE(combined.ok());
    CHECK(ReadModel(options.model_out)[0] == Approx(expected).epsilon(1e-6));
    std::filesystem::rename(options.model_out, fixture.Path("base"));
    std::filesystem::rename(options.velocity_out, fixture.Path("velocity"));
    options.base_model = {fixture.Path("base"), combined->model_sha256};
    options.velocity = DigestedFile{fixture.Path("velocity"), *combined->velocity_sha256};
  }
}

TEST_CASE("Combine: without a rejected contribution the model is as if it had never been there") {
  // NVFLARE issue 5293: healthy (2, 4) and rejected (100, not readable) must give (2, 4), not (51,
  // 4).
  const AggregationFixture fixture;
  std::vector<Contribution> all;
  all.push_back(fixture.Contribute("/healthy", {2, 4}, 1));
  all.push_back(fixture.Contribute("/rejected", {100, 1}, 1));
  FlipBit(all[1].delta.file, 60);
  const CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", {0, 0}));
  const auto files = fixture.FileNames();
  const auto spoiled = Combine(all, options);
  CHECK(spoiled.status().code() == absl::StatusCode::kDataLoss);
  CHECK(FaultyContributor(spoiled.status()) == std::optional<std::string>("/rejected"));
  CHECK(fixture.FileNames() == files);
  all.pop_back();
  REQUIRE(Combine(all, options).ok());
  CHECK(ReadModel(options.model_out) == std::vector<float>{2, 4});
}

TEST_CASE("Combine: zero contributions never publish a model") {
  const AggregationFixture fixture;
  const CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", {10}));
  const auto files = fixture.FileNames();
  CHECK(Combine({}, options).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(fixture.FileNames() == files);
}

TEST_CASE(
    "Combine: a contribution that changed on disk is named, the first by blocks, on any threads") {
  const AggregationFixture fixture;
  const std::size_t parameters = 6 * kBlockParameters;
  std::vector<Contribution> contributions;
  for (std::uint32_t i = 0; i < 3; ++i) {
    contributions.push_back(
        fixture.Contribute("/w" + std::to_string(i), SomeValues(i, parameters, 0.1F), 1));
  }
  CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(9, parameters, 1)));
  // Block 4 of /w0 and block 2 of /w2: the latter is met first.
  FlipBit(contributions[0].delta.file, 56 + 16400 * 64 * 4 + 5);
  FlipBit(contributions[2].delta.file, 56 + 16400 * 64 * 2 + 5);
  const auto files = fixture.FileNames();
  for (const int threads : {1, 2, 4}) {
    options.threads = threads;
    const auto combined = Combine(contributions, options);
    CHECK(combined.status().code() == absl::StatusCode::kDataLoss);
    CHECK(FaultyContributor(combined.status()) == std::optional<std::string>("/w2"));
    CHECK(fixture.FileNames() == files);
  }
}

TEST_CASE(
    "Combine: a contribution cut short, gone, or under another key is a storage fault of its own") {
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", SomeValues(1, 20000, 1), 1));
  contributions.push_back(fixture.Contribute("/b", SomeValues(2, 20000, 1), 1));
  const CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(3, 20000, 1)));
  const auto check_names_b = [&] {
    const auto combined = Combine(contributions, options);
    CHECK(combined.status().code() == absl::StatusCode::kDataLoss);
    CHECK(FaultyContributor(combined.status()) == std::optional<std::string>("/b"));
  };
  contributions[1].delta.data_key.Mutable()[0] ^= 1;
  check_names_b();
  contributions[1].delta.data_key.Mutable()[0] ^= 1;
  std::filesystem::resize_file(contributions[1].delta.file, 1000);
  check_names_b();
  std::filesystem::remove(contributions[1].delta.file);
  check_names_b();
}

TEST_CASE("Combine: the empty last chunk is part of the message") {
  // 4096 fp32 parameters fill one chunk; the second is empty. A changed tag there says the file
  // changed.
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", SomeValues(1, 4096, 1), 1));
  FlipBit(contributions[0].delta.file, contributions[0].delta.size_bytes - 1);
  const CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(3, 4096, 1)));
  CHECK(Combine(contributions, options).status().code() == absl::StatusCode::kDataLoss);
  CHECK_FALSE(std::filesystem::exists(options.model_out));
}

TEST_CASE(
    "Combine: a base model or velocity other than the recorded one is DATA_LOSS without a name") {
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", {1, 2}, 1));
  CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", {1, 2}));
  options.optimizer = kDiloco;
  options.velocity = fixture.WriteModel("velocity", {1, 2});
  REQUIRE(Combine(contributions, options).ok());
  std::filesystem::remove(options.model_out);
  std::filesystem::remove(options.velocity_out);
  const auto files = fixture.FileNames();
  const auto check_refused = [&] {
    const auto combined = Combine(contributions, options);
    CHECK(combined.status().code() == absl::StatusCode::kDataLoss);
    CHECK_FALSE(FaultyContributor(combined.status()).has_value());
    CHECK(fixture.FileNames() == files);
  };
  options.base_model.sha256[0] ^= 1;
  check_refused();
  options.base_model.sha256[0] ^= 1;
  FlipBit(fixture.Path("velocity"), std::filesystem::file_size(fixture.Path("velocity")) - 8);
  check_refused();
}

TEST_CASE("Combine: refuses wrong orders, weights, layouts, states and threads") {
  const AggregationFixture fixture;
  const auto base = fixture.WriteModel("base", {1, 2});
  const auto code = [&](const std::vector<std::pair<std::string, std::uint64_t>>& names,
                        const CombineOptions& options) {
    std::vector<Contribution> contributions;
    for (const auto& name : names) {
      contributions.push_back(fixture.Contribute(name.first, {1, 2}, name.second));
    }
    return Combine(contributions, options).status().code();
  };
  const CombineOptions options = OptionsFor(fixture, base);
  CHECK(code({{"/a", 1}, {"/b", 1}}, options) == absl::StatusCode::kOk);
  CHECK(code({{"/b", 1}, {"/a", 1}}, options) == absl::StatusCode::kInvalidArgument);
  CHECK(code({{"/a", 1}, {"/a", 1}}, options) == absl::StatusCode::kInvalidArgument);
  CHECK(code({{"/a", 0}}, options) == absl::StatusCode::kInvalidArgument);
  CHECK(code({{"/a", kTotalWeightMax}}, options) == absl::StatusCode::kOk);
  CHECK(code({{"/a", kTotalWeightMax}, {"/b", 1}}, options) == absl::StatusCode::kInvalidArgument);
  CHECK(code({{"/a", ~std::uint64_t{0}}, {"/b", 2}}, options) ==
        absl::StatusCode::kInvalidArgument);
  for (const int threads : {0, -1, 65}) {
    CombineOptions wrong = options;
    wrong.threads = threads;
    CHECK(code({{"/a", 1}}, wrong) == absl::StatusCode::kInvalidArgument);
  }
  CombineOptions wrong = options;
  wrong.velocity = fixture.WriteModel("velocity", {1, 2});
  CHECK(code({{"/a", 1}}, wrong) == absl::StatusCode::kInvalidArgument);
  wrong.optimizer = kDiloco;
  CHECK(code({{"/a", 1}}, wrong) == absl::StatusCode::kOk);
  wrong.velocity = fixture.WriteModel("velocity3", {1, 2, 3});
  CHECK(code({{"/a", 1}}, wrong) == absl::StatusCode::kInvalidArgument);
  wrong.velocity.reset();
  wrong.optimizer.momentum = 1;
  CHECK(code({{"/a", 1}}, wrong) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Combine: a new model that is not finite is never published") {
  const AggregationFixture fixture;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", {3e38F, 0}, 1));
  const CombineOptions options = OptionsFor(fixture, fixture.WriteModel("base", {3e38F, 0}));
  const auto files = fixture.FileNames();
  CHECK(Combine(contributions, options).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(fixture.FileNames() == files);
}

TEST_CASE("Combine: cancelled or out of room, it leaves nothing behind") {
  const AggregationFixture fixture;
  const std::size_t parameters = 2 * kBlockParameters;
  std::vector<Contribution> contributions;
  contributions.push_back(fixture.Contribute("/a", SomeValues(1, parameters, 1), 1));
  CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(2, parameters, 1)));
  options.threads = 2;
  const auto files = fixture.FileNames();
  const std::atomic<bool> cancelled{true};
  options.cancelled = &cancelled;
  CHECK(Combine(contributions, options).status().code() == absl::StatusCode::kCancelled);
  CHECK(fixture.FileNames() == files);
  options.cancelled = nullptr;

  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {std::uint64_t{3} << 19, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto combined = Combine(contributions, options);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(combined.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(fixture.FileNames() == files);
}

// The largest resident memory in bytes of a child that runs `work`; it must return true.
template <typename Work>
double PeakBytesInChild(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(work() ? 0 : 1);
  }
  int exit_status = -1;
  rusage usage = {};
  REQUIRE(wait4(child, &exit_status, 0, &usage) == child);
  REQUIRE(exit_status == 0);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

TEST_CASE("Combine: memory does not grow with the model or the contributions") {
  const AggregationFixture fixture;
  CombineOptions options;
  std::vector<Contribution> contributions;
  {
    // 64 MiB of model; one sealed file stands for all contributors.
    const std::vector<float> values(std::size_t{16} << 20, 0.5F);
    options = OptionsFor(fixture, fixture.WriteModel("base", values));
    contributions.push_back(fixture.Contribute("/0", values, 1));
  }
  for (int i = 1; i < 32; ++i) {
    const SealedDelta& first = contributions[0].delta;
    Contribution another;
    another.weight = 1;
    another.delta.contributor = "/" + std::to_string(1000 + i);
    another.delta.file = first.file;
    another.delta.size_bytes = first.size_bytes;
    another.delta.context = first.context;
    another.delta.data_key = first.data_key.Clone();
    contributions.push_back(std::move(another));
  }
  options.threads = 2;
  const auto combine = [&](std::size_t count) {
    return PeakBytesInChild([&] {
      return Combine(std::span<const Contribution>(contributions).first(count), options).ok();
    });
  };
  const double idle = PeakBytesInChild([] { return true; });
  constexpr double kMebi = 1 << 20;
  const double few = combine(2);
  const double many = combine(32);
  // Two threads' blocks and the pages of code that the pass touches; far from one model, let
  // alone 32.
  CHECK((few - idle) / kMebi < 40);
  CHECK((many - few) / kMebi < 8);
}

TEST_CASE(
    "Combine: any deltas agree with a plain mean, and order of weights with repeated workers") {
  const auto seed = GENERATE(take(10, random(0U, ~0U)));
  CAPTURE(seed);
  const std::size_t parameters = 1 + seed % 30000;
  const AggregationFixture fixture;
  // A worker of weight 2 counts as two workers of weight 1 with its delta.
  const std::vector<float> a = SomeValues(seed, parameters, 1);
  const std::vector<float> b = SomeValues(seed + 1, parameters, 1);
  std::vector<Contribution> weighted;
  weighted.push_back(fixture.Contribute("/a", a, 2));
  weighted.push_back(fixture.Contribute("/b", b, 1));
  std::vector<Contribution> repeated;
  repeated.push_back(fixture.Contribute("/a1", a, 1));
  repeated.push_back(fixture.Contribute("/a2", a, 1));
  repeated.push_back(fixture.Contribute("/b3", b, 1));
  const CombineOptions options =
      OptionsFor(fixture, fixture.WriteModel("base", SomeValues(seed + 2, parameters, 1)));
  const auto first = Combine(weighted, options);
  const auto second = Combine(repeated, options);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(first->model_sha256 == second->model_sha256);
}

}  // namespace
}  // namespace carnet::aggregation
