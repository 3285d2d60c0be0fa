#include "worker/trainers/builtin.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <ostream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/trainers/csv_data.h"
#include "worker/trainers/dense_network.h"
#include "worker/trainers/network_files.h"
#include "worker/trainers/settings.h"
#include "worker/trainers/shuffle.h"

namespace carnet::trainers {
namespace {

constexpr char kVersion[] = "1.0";
// Progress lines of one fit, at most (besides the one of the last step).
constexpr std::uint64_t kProgressLinesMax = 20;

class BuiltinTrainer : public Trainer {
 public:
  BuiltinTrainer(std::string name, NetworkKind kind) : name_(std::move(name)), kind_(kind) {}

  std::string Name() const override { return name_; }
  std::string Version() const override { return kVersion; }

  absl::Status Start(const StartRequest& request) override {
    if (request.device != "auto" && request.device != "cpu") {
      return TrainerError(ErrorCode::kUnsupported, "this trainer runs on the device cpu only");
    }
    CARNET_ASSIGN_OR_RETURN(model::Layout layout, ReadLayout(request.layout_path));
    CARNET_ASSIGN_OR_RETURN(shape_, ShapeOf(kind_, layout));
    CARNET_ASSIGN_OR_RETURN(settings_, ParseSettings(request.settings, kind_, shape_));
    layout_ = std::move(layout);
    return absl::OkStatus();
  }

  absl::StatusOr<FitResult> Fit(const FitRequest& request, const ProgressSink& progress) override {
    CARNET_ASSIGN_OR_RETURN(const DenseNetwork base,
                            ReadNetwork(request.parameters_path, kind_, *layout_));
    CARNET_ASSIGN_OR_RETURN(const LabelledRows rows, LoadCsv(request.data_paths, Shape()));
    DenseNetwork network = base;
    Batches batches(rows.rows(), settings_.batch_size, request.seed);
    const std::uint64_t every = std::max<std::uint64_t>(1, request.steps / kProgressLinesMax);
    double loss_sum = 0;
    for (std::uint64_t step = 1; step <= request.steps; ++step) {
      const double loss = network.Step(rows, batches.Next(), settings_.learning_rate);
      if (!std::isfinite(loss)) {
        return TrainerError(ErrorCode::kNotFinite,
                            absl::StrCat("the loss is not finite at step ", step));
      }
      loss_sum += loss;
      if (step % every == 0 || step == request.steps) {
        progress({step, request.steps, loss});
      }
    }
    CARNET_RETURN_IF_ERROR(WriteNetwork(request.delta_path, *layout_, network, &base));
    FitResult result;
    result.examples = static_cast<std::uint64_t>(rows.rows());
    result.steps = request.steps;
    result.metrics["loss"] = loss_sum / static_cast<double>(request.steps);
    return result;
  }

  absl::StatusOr<EvaluateResult> Evaluate(const EvaluateRequest& request) override {
    CARNET_ASSIGN_OR_RETURN(const DenseNetwork network,
                            ReadNetwork(request.parameters_path, kind_, *layout_));
    CARNET_ASSIGN_OR_RETURN(const LabelledRows rows, LoadCsv(request.data_paths, Shape()));
    const Evaluation evaluation = network.Evaluate(rows);
    EvaluateResult result;
    result.examples = static_cast<std::uint64_t>(rows.rows());
    result.metrics["loss"] = evaluation.loss;
    result.metrics["accuracy"] =
        static_cast<double>(evaluation.right) / static_cast<double>(rows.rows());
    return result;
  }

  // Nothing outlives a fit but the delta, so the directory stays empty.
  absl::Status Checkpoint(const std::string& to) override {
    std::error_code error;
    std::filesystem::create_directories(to, error);
    if (error || !std::filesystem::is_directory(to, error)) {
      return TrainerError(ErrorCode::kIo, "the checkpoint directory cannot be made");
    }
    return absl::OkStatus();
  }

 private:
  CsvShape Shape() const { return {shape_.features, shape_.classes, settings_.features_scale}; }

  const std::string name_;
  const NetworkKind kind_;
  std::optional<model::Layout> layout_;  // set by Start
  NetworkShape shape_;
  Settings settings_;
};

std::optional<NetworkKind> KindFromName(absl::string_view name) {
  if (name == "softmax") {
    return NetworkKind::kSoftmax;
  }
  if (name == "mlp") {
    return NetworkKind::kMlp;
  }
  return std::nullopt;
}

// Uniform in ±sqrt(6 / inputs) (He et al., "Delving Deep into Rectifiers", ICCV 2015, for ReLU).
// Only exactly rounded operations, so the same seed gives the same bits everywhere.
RowMatrix InitialWeight(std::int64_t inputs, std::int64_t outputs, std::uint64_t state) {
  const double limit = std::sqrt(6.0 / static_cast<double>(inputs));
  RowMatrix weight(inputs, outputs);
  for (std::int64_t i = 0; i < inputs * outputs; ++i) {
    const std::uint64_t bits = SplitMix64At(state, static_cast<std::uint64_t>(i)) >> 11;
    const double unit = static_cast<double>(bits) * 0x1p-53;
    weight.data()[i] = (2.0 * unit - 1.0) * limit;
  }
  return weight;
}

DenseNetwork InitialNetwork(NetworkKind kind, const InitialModelSettings& settings) {
  const auto zero_bias = [](std::int64_t outputs) -> Eigen::RowVectorXd {
    return Eigen::RowVectorXd::Zero(outputs);
  };
  if (kind == NetworkKind::kSoftmax) {
    return DenseNetwork(
        {{RowMatrix::Zero(settings.features, settings.classes), zero_bias(settings.classes)}});
  }
  return DenseNetwork({{InitialWeight(settings.features, settings.hidden,
                                      SplitMix64Mix(settings.seed ^ SplitMix64Mix(1))),
                        zero_bias(settings.hidden)},
                       {InitialWeight(settings.hidden, settings.classes,
                                      SplitMix64Mix(settings.seed ^ SplitMix64Mix(2))),
                        zero_bias(settings.classes)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> MakeBuiltinTrainer(absl::string_view name) {
  const auto kind = KindFromName(name);
  if (!kind.has_value()) {
    return absl::NotFoundError("there is no such built-in trainer: expected softmax or mlp");
  }
  return std::unique_ptr<Trainer>(new BuiltinTrainer(std::string(name), *kind));
}

int RunBuiltinTrainer(absl::string_view name, std::istream& in, std::ostream& out) {
  const auto trainer = MakeBuiltinTrainer(name);
  if (!trainer.ok()) {
    const nlohmann::json reply = {
        {"error", {{"code", "unsupported"}, {"message", std::string(trainer.status().message())}}}};
    out << reply.dump() << '\n' << std::flush;
    return static_cast<int>(TrainerExit::kProtocol);
  }
  return static_cast<int>(ServeTrainer(**trainer, in, out));
}

absl::Status WriteInitialModel(absl::string_view name, const InitialModelSettings& settings,
                               const std::string& path) {
  const auto kind = KindFromName(name);
  if (!kind.has_value()) {
    return absl::NotFoundError("there is no such built-in trainer: expected softmax or mlp");
  }
  CARNET_ASSIGN_OR_RETURN(const model::Layout layout,
                          LayoutOf(*kind, {settings.features, settings.hidden, settings.classes}));
  return WriteNetwork(path, layout, InitialNetwork(*kind, settings), nullptr);
}

}  // namespace carnet::trainers
