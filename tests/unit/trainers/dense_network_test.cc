#include "worker/trainers/dense_network.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "worker/trainers/shuffle.h"

namespace carnet::trainers {
namespace {

double Unit(std::uint64_t index) {
  return static_cast<double>(SplitMix64At(5, index) >> 11) * 0x1p-53 - 0.5;
}

DenseLayer RandomLayer(std::int64_t inputs, std::int64_t outputs, std::uint64_t& next) {
  DenseLayer layer{RowMatrix(inputs, outputs), Eigen::RowVectorXd(outputs)};
  for (std::int64_t i = 0; i < inputs * outputs; ++i) {
    layer.weight.data()[i] = Unit(next++);
  }
  for (std::int64_t i = 0; i < outputs; ++i) {
    layer.bias.data()[i] = Unit(next++);
  }
  return layer;
}

LabelledRows RandomRows(std::int64_t count, std::int64_t features, std::int32_t classes,
                        std::uint64_t& next) {
  LabelledRows rows;
  rows.features_count = features;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < features; ++j) {
      rows.features.push_back(Unit(next++));
    }
    rows.labels.push_back(static_cast<std::int32_t>(i) % classes);
  }
  return rows;
}

std::vector<std::int64_t> All(const LabelledRows& rows) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows.rows()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// What one step of rate 1 subtracts is the gradient; compare it with central differences of the
// loss.
void CheckGradient(std::vector<DenseLayer> layers, const LabelledRows& rows) {
  DenseNetwork stepped(layers);
  const double loss_before = stepped.Step(rows, All(rows), 1.0);
  CHECK(loss_before == Approx(DenseNetwork(layers).Evaluate(rows).loss).epsilon(1e-12));
  constexpr double kStep = 1e-5;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (const bool is_bias : {false, true}) {
      const auto size = is_bias ? layers[l].bias.size() : layers[l].weight.size();
      for (Eigen::Index i = 0; i < size; ++i) {
        double& value = is_bias ? layers[l].bias.data()[i] : layers[l].weight.data()[i];
        const double kept = value;
        value = kept + kStep;
        const double above = DenseNetwork(layers).Evaluate(rows).loss;
        value = kept - kStep;
        const double below = DenseNetwork(layers).Evaluate(rows).loss;
        value = kept;
        const DenseLayer& after = stepped.layers()[l];
        const double gradient = kept - (is_bias ? after.bias.data()[i] : after.weight.data()[i]);
        CHECK(std::abs(gradient - (above - below) / (2 * kStep)) < 1e-8);
      }
    }
  }
}

TEST_CASE("Dense network: a step follows the gradient of the loss, for softmax and for mlp") {
  std::uint64_t next = 0;
  const LabelledRows rows = RandomRows(17, 4, 3, next);
  const DenseLayer softmax = RandomLayer(4, 3, next);
  CheckGradient({softmax}, rows);
  const DenseLayer hidden = RandomLayer(4, 6, next);
  const DenseLayer output = RandomLayer(6, 3, next);
  CheckGradient({hidden, output}, rows);
}

TEST_CASE("Dense network: from zero the loss is ln(classes) and the lowest class wins the tie") {
  std::uint64_t next = 0;
  const LabelledRows rows = RandomRows(30, 4, 3, next);
  const DenseNetwork network({{RowMatrix::Zero(4, 3), Eigen::RowVectorXd::Zero(3)}});
  const Evaluation evaluation = network.Evaluate(rows);
  CHECK(evaluation.loss == Approx(std::log(3.0)).epsilon(1e-14));
  CHECK(evaluation.right == 10);
}

TEST_CASE("Dense network: huge logits give a finite loss") {
  LabelledRows rows;
  rows.features_count = 1;
  rows.features = {1e6};
  rows.labels = {0};
  DenseLayer layer{RowMatrix(1, 2), Eigen::RowVectorXd::Zero(2)};
  layer.weight << -1, 1;
  const double loss = DenseNetwork({layer}).Evaluate(rows).loss;
  CHECK(loss == Approx(2e6).epsilon(1e-12));
}

TEST_CASE("Dense network: more rows than a block give the mean over all of them") {
  std::uint64_t next = 0;
  const LabelledRows rows = RandomRows(5000, 3, 3, next);
  const DenseLayer layer = RandomLayer(3, 3, next);
  double sum = 0;
  for (std::int64_t i = 0; i < rows.rows(); ++i) {
    LabelledRows one;
    one.features_count = 3;
    one.features.assign(rows.features.begin() + 3 * i, rows.features.begin() + 3 * (i + 1));
    one.labels = {rows.labels[static_cast<std::size_t>(i)]};
    sum += DenseNetwork({layer}).Evaluate(one).loss;
  }
  DenseNetwork network({layer});
  CHECK(network.Evaluate(rows).loss == Approx(sum / 5000).epsilon(1e-12));
  CHECK(network.Step(rows, All(rows), 0.1) == Approx(sum / 5000).epsilon(1e-12));
}

}  // namespace
}  // namespace carnet::trainers
