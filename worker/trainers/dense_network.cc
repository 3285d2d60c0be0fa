#include "worker/trainers/dense_network.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/status.h"

namespace carnet::trainers {
namespace {

// Rows that are pushed through the network at once: bounds the memory of a step, not its result's
// meaning. Sums are taken block by block in this order, so the value is part of the bit-exact
// behaviour.
constexpr std::int64_t kBlockRows = 2048;

struct Block {
  RowMatrix features;
  std::vector<std::int32_t> labels;
};

Block Gather(const LabelledRows& rows, const std::int64_t* indexes, std::int64_t count) {
  Block block;
  block.features.resize(count, rows.features_count);
  block.labels.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const double* from = rows.features.data() + indexes[i] * rows.features_count;
    block.features.row(i) = Eigen::Map<const Eigen::RowVectorXd>(from, rows.features_count);
    block.labels.push_back(rows.labels[static_cast<std::size_t>(indexes[i])]);
  }
  return block;
}

// Turns logits into log-probabilities in place (shifted by the row's maximum, so that exp cannot
// overflow).
void LogSoftmax(RowMatrix& logits) {
  for (Eigen::Index i = 0; i < logits.rows(); ++i) {
    logits.row(i).array() -= logits.row(i).maxCoeff();
    logits.row(i).array() -= std::log(logits.row(i).array().exp().sum());
  }
}

double LossSum(const RowMatrix& log_probabilities, const std::vector<std::int32_t>& labels) {
  double sum = 0;
  for (Eigen::Index i = 0; i < log_probabilities.rows(); ++i) {
    sum -= log_probabilities(i, labels[static_cast<std::size_t>(i)]);
  }
  return sum;
}

}  // namespace

DenseNetwork::DenseNetwork(std::vector<DenseLayer> layers) : layers_(std::move(layers)) {
  CARNET_CHECK(!layers_.empty());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    CARNET_CHECK(layers_[i].bias.cols() == layers_[i].weight.cols());
    CARNET_CHECK(i == 0 || layers_[i].weight.rows() == layers_[i - 1].weight.cols());
  }
}

std::vector<RowMatrix> DenseNetwork::Forward(const RowMatrix& features) const {
  std::vector<RowMatrix> activations{features};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    RowMatrix next = (activations.back() * layers_[i].weight).rowwise() + layers_[i].bias;
    if (i + 1 < layers_.size()) {
      next = next.cwiseMax(0.0);
    }
    activations.push_back(std::move(next));
  }
  return activations;
}

double DenseNetwork::AddGradients(const RowMatrix& features,
                                  const std::vector<std::int32_t>& labels,
                                  std::vector<DenseLayer>& gradients) const {
  std::vector<RowMatrix> activations = Forward(features);
  RowMatrix error = std::move(activations.back());
  activations.pop_back();
  LogSoftmax(error);
  const double loss_sum = LossSum(error, labels);
  error = error.array().exp().matrix();
  for (Eigen::Index i = 0; i < error.rows(); ++i) {
    error(i, labels[static_cast<std::size_t>(i)]) -= 1.0;
  }
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const RowMatrix& input = activations[i];
    gradients[i].weight += input.transpose() * error;
    gradients[i].bias += error.colwise().sum();
    if (i > 0) {
      RowMatrix back = error * layers_[i].weight.transpose();
      error = (input.array() > 0.0).select(back, 0.0);
    }
  }
  return loss_sum;
}

double DenseNetwork::Step(const LabelledRows& rows, const std::vector<std::int64_t>& batch,
                          double learning_rate) {
  CARNET_CHECK(!batch.empty());
  std::vector<DenseLayer> gradients;
  for (const DenseLayer& layer : layers_) {
    gradients.push_back({RowMatrix::Zero(layer.weight.rows(), layer.weight.cols()),
                         Eigen::RowVectorXd::Zero(layer.bias.cols())});
  }
  const auto count = static_cast<std::int64_t>(batch.size());
  double loss_sum = 0;
  for (std::int64_t begin = 0; begin < count; begin += kBlockRows) {
    const Block block = Gather(rows, batch.data() + begin, std::min(kBlockRows, count - begin));
    loss_sum += AddGradients(block.features, block.labels, gradients);
  }
  const auto rows_count = static_cast<double>(count);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].weight -= learning_rate * (gradients[i].weight / rows_count);
    layers_[i].bias -= learning_rate * (gradients[i].bias / rows_count);
  }
  return loss_sum / rows_count;
}

Evaluation DenseNetwork::Evaluate(const LabelledRows& rows) const {
  CARNET_CHECK(rows.rows() >= 1);
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows.rows()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  Evaluation evaluation;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += kBlockRows) {
    const Block block = Gather(rows, all.data() + begin, std::min(kBlockRows, rows.rows() - begin));
    RowMatrix logits = std::move(Forward(block.features).back());
    for (Eigen::Index i = 0; i < logits.rows(); ++i) {
      Eigen::Index best = 0;
      logits.row(i).maxCoeff(&best);
      evaluation.right += best == block.labels[static_cast<std::size_t>(i)] ? 1 : 0;
    }
    LogSoftmax(logits);
    evaluation.loss += LossSum(logits, block.labels);
  }
  evaluation.loss /= static_cast<double>(rows.rows());
  return evaluation;
}

}  // namespace carnet::trainers
