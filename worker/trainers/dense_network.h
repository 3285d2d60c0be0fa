// A classifier of dense layers with ReLU between them and softmax cross-entropy at the end. One
// layer is softmax regression. Pure: no files, no randomness, one thread.
#ifndef CARNET_WORKER_TRAINERS_DENSE_NETWORK_H_
#define CARNET_WORKER_TRAINERS_DENSE_NETWORK_H_

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "worker/trainers/csv_data.h"

namespace carnet::trainers {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct DenseLayer {
  RowMatrix weight;         // inputs × outputs
  Eigen::RowVectorXd bias;  // outputs
};

struct Evaluation {
  double loss = 0;         // mean cross-entropy, natural logarithm
  std::int64_t right = 0;  // rows whose largest logit is their label; the lowest index wins ties
};

class DenseNetwork {
 public:
  // At least one layer; the outputs of each are the inputs of the next.
  explicit DenseNetwork(std::vector<DenseLayer> layers);

  const std::vector<DenseLayer>& layers() const { return layers_; }

  // One step of gradient descent on the mean loss over `batch` (indexes into `rows`); returns that
  // loss as it was before the step.
  double Step(const LabelledRows& rows, const std::vector<std::int64_t>& batch,
              double learning_rate);

  // Over all rows (at least one).
  Evaluation Evaluate(const LabelledRows& rows) const;

 private:
  // Adds the gradients and the loss, both summed over the block, not averaged.
  double AddGradients(const RowMatrix& features, const std::vector<std::int32_t>& labels,
                      std::vector<DenseLayer>& gradients) const;
  // Activations by layer: the input first, the logits last.
  std::vector<RowMatrix> Forward(const RowMatrix& features) const;

  std::vector<DenseLayer> layers_;
};

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_DENSE_NETWORK_H_
