#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "coordinator/aggregation/server_optimizer.h"

namespace carnet::aggregation {
namespace {

ServerOptimizer Momentum(bool nesterov, double learning_rate, double momentum) {
  return {ServerOptimizer::Kind::kMomentum, nesterov, learning_rate, momentum};
}

// One parameter over rounds.
struct Trajectory {
  ServerOptimizer optimizer;
  float model;
  std::vector<float> velocity = {};

  float Step(double mean) {
    const std::vector<double> means = {mean};
    const std::vector<float> base = {model};
    std::vector<float> after(optimizer.has_state() ? 1 : 0);
    std::vector<float> next(1);
    ApplyOptimizer(optimizer, {means, base, velocity, next, after});
    model = next[0];
    velocity = after;
    return model;
  }
};

TEST_CASE("Server optimizer: none adds the mean and rounds once") {
  Trajectory fedavg{{}, 1.0F};
  CHECK(fedavg.Step(0.5) == 1.5F);
  // 2^-25 twice is 2^-24: lost in fp32 arithmetic step by step, kept by one rounding of the double.
  Trajectory once{{}, 1.0F};
  CHECK(once.Step(std::ldexp(1.0, -24) + std::ldexp(1.0, -26)) == std::nextafter(1.0F, 2.0F));
}

// Flower's FedAvgM case (x0 = 0, the average stays 7/3, lr 1, momentum 0.9), recomputed over three
// rounds.
TEST_CASE(
    "Server optimizer: momentum without nesterov is FedAvgM: known answer over three rounds") {
  Trajectory fedavgm{Momentum(false, 1.0, 0.9), 0.0F};
  for (const double expected : {2.3333333333, 4.4333333333, 4.2233333333}) {
    CHECK(fedavgm.Step(7.0 / 3.0 - fedavgm.model) == Approx(expected).epsilon(1e-6));
  }
}

// DiLoCo's outer step as PyTorch's SGD computes it: theta = 1, constant pseudo-gradient 0.3, lr
// 0.7, 0.9.
TEST_CASE("Server optimizer: momentum with nesterov is DiLoCo: known answer over three rounds") {
  Trajectory diloco{Momentum(true, 0.7, 0.9), 1.0F};
  for (const double expected : {0.601, 0.0319, -0.69029}) {
    CHECK(diloco.Step(-0.3) == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("Server optimizer: momentum 0 at rate 1 is FedAvg, with nesterov or without") {
  for (const bool nesterov : {false, true}) {
    Trajectory plain{{}, 0.25F};
    Trajectory momentum{Momentum(nesterov, 1.0, 0.0), 0.25F};
    for (const double mean : {0.1, -3.0, 1e-3}) {
      CHECK(plain.Step(mean) == momentum.Step(mean));
    }
  }
}

TEST_CASE("Server optimizer: refuses rates and momenta out of range") {
  CHECK(CheckOptimizer({}).ok());
  CHECK(CheckOptimizer(Momentum(true, 0.7, 0.9)).ok());
  CHECK(CheckOptimizer(Momentum(false, 1.0, 0.0)).ok());
  const double bad[][2] = {{0, 0.9},  {-1, 0.9}, {NAN, 0.9}, {INFINITY, 0.9},
                           {1, -0.1}, {1, 1},    {1, NAN},   {1, INFINITY}};
  for (const auto& pair : bad) {
    CHECK(CheckOptimizer(Momentum(false, pair[0], pair[1])).code() ==
          absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Server optimizer: its name carries its convention") {
  CHECK(std::string(OptimizerName({})) == "none");
  CHECK(std::string(OptimizerName(Momentum(false, 1, 0))) == "momentum(fedavgm)");
  CHECK(std::string(OptimizerName(Momentum(true, 1, 0))) == "momentum(torch-nesterov)");
}

}  // namespace
}  // namespace carnet::aggregation
