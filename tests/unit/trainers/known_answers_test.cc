// FedAvg over four workers, each a built-in trainer of its own, against known answers from outside:
// softmax regression with bias on the digits, zero start, full batch, rate 0.5, pixels / 16, rows
// 0..1436 train, the last 360 test, row i with worker i mod 4 (tests/oracle/fedavg_oracle.py
// computes the same table in float64 without any code of Carnet).
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <optional>

#include "model/safetensors.h"
#include "tests/testing/source_dir.h"
#include "tests/unit/trainers/talk.h"

namespace carnet::trainers {
namespace {

using nlohmann::json;

constexpr std::size_t kWorkers = 4;
constexpr std::size_t kTrainRows = 1437;

struct Federation {
  Federation() {
    std::ifstream file(testing::InTree("examples/digits/digits.csv"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line + "\n");
    }
    REQUIRE(lines.size() == 1797);
    std::string shards[kWorkers];
    std::string train;
    std::string test;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i < kTrainRows) {
        shards[i % kWorkers] += lines[i];
        train += lines[i];
      } else {
        test += lines[i];
      }
    }
    for (std::size_t w = 0; w < kWorkers; ++w) {
      directory.Write(std::to_string(w) + ".csv", shards[w]);
    }
    directory.Write("train", train);
    directory.Write("test", test);
    REQUIRE(WriteInitialModel("softmax", {64, 10, 0, 0}, model_path).ok());
    const auto reader = model::SafetensorsReader::Open(model_path);
    REQUIRE(reader.ok());
    layout = reader->layout();
    directory.Write("layout.json", layout->ToJson());
  }

  json Ask(const json& request) const {
    const Talk talk = TalkInJson(
        "softmax", {StartRequestJson(directory.Path("layout.json"),
                                     {{"learning_rate", 0.5}, {"features_scale", 0.0625}}),
                    request});
    REQUIRE(talk.ErrorCode().empty());
    return talk.Last()["done"];
  }

  std::vector<float> Read(const std::string& path) const {
    const auto reader = model::SafetensorsReader::Open(path);
    REQUIRE(reader.ok());
    std::vector<float> values(layout->parameter_count());
    REQUIRE(reader->Read(0, values).ok());
    return values;
  }

  // base + mean of deltas weighted by examples, in double, rounded once: as the coordinator does
  // it.
  void Round(int steps) const {
    std::vector<double> sum(layout->parameter_count(), 0.0);
    double weights = 0;
    for (std::size_t w = 0; w < kWorkers; ++w) {
      const std::string delta = directory.Path("delta");
      const json done =
          Ask(FitRequestJson(model_path, delta, directory.Path(std::to_string(w) + ".csv"), steps));
      const auto weight = done["examples"].get<double>();
      const std::vector<float> values = Read(delta);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += weight * static_cast<double>(values[i]);
      }
      weights += weight;
    }
    std::vector<float> model = Read(model_path);
    for (std::size_t i = 0; i < model.size(); ++i) {
      model[i] = static_cast<float>(static_cast<double>(model[i]) + sum[i] / weights);
    }
    auto writer = model::SafetensorsWriter::Create(model_path, *layout);
    REQUIRE(writer.ok());
    REQUIRE(writer->Append(model).ok());
    REQUIRE(writer->Finish().ok());
  }

  TemporaryDirectory directory;
  const std::string model_path = directory.Path("model.safetensors");
  std::optional<model::Layout> layout;
};

TEST_CASE("Built-in softmax: four workers reach the known loss and accuracy on the digits") {
  struct Answer {
    int steps;
    double train_loss;
    double test_accuracy;
  };
  const Answer answer = GENERATE(Answer{1, 0.59946177, 0.858333}, Answer{5, 0.21365782, 0.888889});
  const Federation federation;
  for (int round = 0; round < 50; ++round) {
    federation.Round(answer.steps);
  }
  const json train = federation.Ask(
      EvaluateRequestJson(federation.model_path, federation.directory.Path("train")));
  const json test =
      federation.Ask(EvaluateRequestJson(federation.model_path, federation.directory.Path("test")));
  CHECK(std::abs(train["metrics"]["loss"].get<double>() - answer.train_loss) < 1e-5);
  CHECK(std::abs(test["metrics"]["accuracy"].get<double>() - answer.test_accuracy) < 1e-6);
  CHECK(train["examples"] == 1437);
  CHECK(test["examples"] == 360);
}

}  // namespace
}  // namespace carnet::trainers
