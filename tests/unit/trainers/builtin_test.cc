#include "worker/trainers/builtin.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/safetensors.h"
#include "tests/unit/trainers/talk.h"

namespace carnet::trainers {
namespace {

using nlohmann::json;

const char kRows[] = "0,16,0\n16,0,1\n8,8,2\n0,8,0\n16,4,1\n";

// A directory with a model of 2 features and 3 classes, its layout and a shard.
struct Site {
  explicit Site(const std::string& trainer) : name(trainer) {
    const InitialModelSettings initial = {2, 3, name == "mlp" ? 4 : 0, 11};
    REQUIRE(WriteInitialModel(name, initial, base).ok());
    const auto reader = model::SafetensorsReader::Open(base);
    REQUIRE(reader.ok());
    directory.Write("layout.json", reader->layout().ToJson());
    directory.Write("shard.csv", kRows);
  }
  Talk Fit(const json& settings, int steps = 3, std::uint64_t seed = 1) const {
    return TalkInJson(name, {StartRequestJson(layout, settings),
                             FitRequestJson(base, delta, shard, steps, seed)});
  }
  // Start with good settings, then `request`.
  Talk After(const json& request) const {
    return TalkInJson(name, {StartRequestJson(layout, {{"learning_rate", 0.5}}), request});
  }

  TemporaryDirectory directory;
  const std::string name;
  const std::string base = directory.Path("base.safetensors");
  const std::string layout = directory.Path("layout.json");
  const std::string shard = directory.Path("shard.csv");
  const std::string delta = directory.Path("delta.safetensors");
};

std::vector<float> ReadAll(const std::string& path) {
  const auto reader = model::SafetensorsReader::Open(path);
  REQUIRE(reader.ok());
  std::vector<float> values(reader->layout().parameter_count());
  REQUIRE(reader->Read(0, values).ok());
  return values;
}

TEST_CASE(
    "Built-in trainers: fit leaves a delta of the same layout and reports examples, steps and "
    "loss") {
  const Site site(GENERATE(as<std::string>(), "softmax", "mlp"));
  const Talk talk = site.Fit({{"learning_rate", 0.5}, {"features_scale", 0.0625}});
  REQUIRE(talk.ErrorCode().empty());
  CHECK(talk.exit_code == 1);  // the input ended without stop
  CHECK(talk.replies.front()["trainer"] == site.name);
  const json done = talk.Last()["done"];
  CHECK(done["examples"] == 5);
  CHECK(done["steps"] == 3);
  CHECK(std::isfinite(done["metrics"]["loss"].get<double>()));
  CHECK(talk.replies.size() == 5);  // start, three steps, done
  const auto reader = model::SafetensorsReader::Open(site.delta);
  REQUIRE(reader.ok());
  CHECK(reader->layout().ToJson() == ReadWhole(site.layout));
}

TEST_CASE("Built-in trainers: training lowers the loss and evaluate reports it with the accuracy") {
  const Site site(GENERATE(as<std::string>(), "softmax", "mlp"));
  const json settings = {{"learning_rate", 0.5}, {"features_scale", 0.0625}};
  REQUIRE(site.Fit(settings, 500).ErrorCode().empty());
  // base + delta is the local model.
  std::vector<float> local = ReadAll(site.base);
  const std::vector<float> delta = ReadAll(site.delta);
  for (std::size_t i = 0; i < local.size(); ++i) {
    local[i] += delta[i];
  }
  const auto layout = model::Layout::FromJson(ReadWhole(site.layout));
  auto writer = model::SafetensorsWriter::Create(site.directory.Path("local.safetensors"), *layout);
  REQUIRE(writer.ok());
  REQUIRE(writer->Append(local).ok());
  REQUIRE(writer->Finish().ok());
  const Talk talk = TalkInJson(
      site.name,
      {StartRequestJson(site.layout, settings), EvaluateRequestJson(site.base, site.shard),
       EvaluateRequestJson(site.directory.Path("local.safetensors"), site.shard)});
  REQUIRE(talk.replies.size() == 3);
  const json before = talk.replies[1]["done"];
  const json after = talk.replies[2]["done"];
  CHECK(after["examples"] == 5);
  CHECK(after["metrics"]["loss"].get<double>() < 0.5 * before["metrics"]["loss"].get<double>());
  CHECK(after["metrics"]["accuracy"] == 1.0);
}

TEST_CASE("Built-in trainers: the seed changes the batches and nothing else") {
  const Site site(GENERATE(as<std::string>(), "softmax", "mlp"));
  const json batches = {{"learning_rate", 0.5}, {"batch_size", 2}};
  const auto delta_of = [&site](const json& settings, std::uint64_t seed) {
    REQUIRE(site.Fit(settings, 7, seed).ErrorCode().empty());
    return ReadWhole(site.delta);
  };
  CHECK(delta_of(batches, 1) == delta_of(batches, 1));
  CHECK(delta_of(batches, 1) != delta_of(batches, 2));
  CHECK(delta_of({{"learning_rate", 0.5}}, 1) == delta_of({{"learning_rate", 0.5}}, 2));
}

TEST_CASE("Built-in trainers: settings are read strictly") {
  const Site site("softmax");
  const json good =
      GENERATE(json({{"learning_rate", 0.5}}),
               json({{"learning_rate", 1}, {"batch_size", 2.0}, {"features_scale", 0.5}}),
               json({{"learning_rate", 0.5}, {"features", 2}, {"classes", 3}}));
  CHECK(site.Fit(good).ErrorCode().empty());
  const json bad =
      GENERATE(json::object(), json({{"learning_rate", 0}}), json({{"learning_rate", -1}}),
               json({{"learning_rate", "0.5"}}), json({{"learning_rate", true}}),
               json({{"learning_rate", 0.5}, {"momentum", 0.9}}),
               json({{"learning_rate", 0.5}, {"batch_size", -1}}),
               json({{"learning_rate", 0.5}, {"batch_size", 2.5}}),
               json({{"learning_rate", 0.5}, {"features_scale", 0}}),
               json({{"learning_rate", 0.5}, {"features", 64}}),
               json({{"learning_rate", 0.5}, {"classes", 10}}),
               json({{"learning_rate", 0.5}, {"hidden", 4}}));
  CAPTURE(bad.dump());
  CHECK(TalkInJson("softmax", {StartRequestJson(site.layout, bad)}).ErrorCode() == "settings");
}

TEST_CASE("Built-in trainers: another device than cpu is refused") {
  const Site site("softmax");
  json start = StartRequestJson(site.layout, {{"learning_rate", 0.5}});
  start["device"] = "cuda";
  CHECK(TalkInJson("softmax", {start}).ErrorCode() == "unsupported");
}

TEST_CASE("Built-in trainers: a layout of another network is refused at start") {
  const Site site("softmax");
  const std::string text = GENERATE(
      as<std::string>(), "", "{}", "not json",
      R"({"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})",
      R"({"bias":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]}})",
      R"({"bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"weight":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]}})");
  const std::string other = site.directory.Write("other.json", text);
  const json settings = {{"learning_rate", 0.5}};
  CHECK(TalkInJson("softmax", {StartRequestJson(other, settings)}).ErrorCode() == "layout");
  CHECK(TalkInJson("mlp", {StartRequestJson(site.layout, settings)}).ErrorCode() == "layout");
  CHECK(TalkInJson("mlp", {StartRequestJson(site.directory.Path("none"), settings)}).ErrorCode() ==
        "layout");
}

TEST_CASE("Built-in trainers: bad parameter files fail the request and leave no delta") {
  const Site site("softmax");
  const std::string whole = ReadWhole(site.base);
  std::string with_nan = whole;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(with_nan.data() + with_nan.size() - sizeof nan, &nan, sizeof nan);
  const std::string other = site.directory.Path("other.safetensors");
  REQUIRE(WriteInitialModel("softmax", {2, 4, 0, 0}, other).ok());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {site.directory.Path("none"), "parameters"},
      {site.directory.Write("cut", whole.substr(0, whole.size() - 4)), "parameters"},
      {site.directory.Write("empty", ""), "parameters"},
      {site.directory.Write("nan", with_nan), "not-finite"},
      {other, "layout"}};
  for (const auto& entry : cases) {
    CAPTURE(entry.first);
    const Talk fit = site.After(FitRequestJson(entry.first, site.delta, site.shard, 1));
    CHECK(fit.ErrorCode() == entry.second);
    CHECK(fit.exit_code == 1);  // it stayed for the next request
    CHECK(site.After(EvaluateRequestJson(entry.first, site.shard)).ErrorCode() == entry.second);
  }
  CHECK_FALSE(std::filesystem::exists(site.delta));
}

TEST_CASE("Built-in trainers: missing and malformed data fail the request") {
  const Site site("softmax");
  CHECK(site.After(FitRequestJson(site.base, site.delta, site.directory.Path("none"), 1))
            .ErrorCode() == "data");
  const std::string bad = site.directory.Write("bad.csv", "1,2,3\n");  // labels are 0..2
  CHECK(site.After(FitRequestJson(site.base, site.delta, bad, 1)).ErrorCode() == "data");
  CHECK_FALSE(std::filesystem::exists(site.delta));
}

TEST_CASE("Built-in trainers: training that diverges is refused as not finite, without a delta") {
  const Site site("mlp");
  CHECK(site.Fit({{"learning_rate", 1e300}, {"features_scale", 1e100}}).ErrorCode() ==
        "not-finite");
  CHECK_FALSE(std::filesystem::exists(site.delta));
  CHECK_FALSE(std::filesystem::exists(site.delta + ".partial"));
}

TEST_CASE("Built-in trainers: a delta that cannot be written is an io error") {
  const Site site("softmax");
  const std::string nowhere = site.directory.Path("no/such/delta.safetensors");
  CHECK(site.After(FitRequestJson(site.base, nowhere, site.shard, 1)).ErrorCode() == "io");
}

TEST_CASE("Built-in trainers: checkpoint makes the directory and refuses a place where it cannot") {
  const Site site("softmax");
  CHECK(site.After({{"op", "checkpoint"}, {"to", site.directory.Path("ckpt/")}}).Last() ==
        json{{"done", json::object()}});
  CHECK(std::filesystem::is_directory(site.directory.Path("ckpt")));
  CHECK(site.After({{"op", "checkpoint"}, {"to", site.shard}}).ErrorCode() == "io");
}

TEST_CASE("Initial model: softmax starts at zero, mlp from its seed within its bounds") {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("base.safetensors");
  REQUIRE(WriteInitialModel("softmax", {64, 10, 0, 5}, path).ok());
  CHECK(ReadAll(path) == std::vector<float>(650, 0.0f));
  REQUIRE(WriteInitialModel("mlp", {64, 10, 32, 5}, path).ok());
  const std::string first = ReadWhole(path);
  const auto mapped = model::MappedSafetensors::Open(path);
  REQUIRE(mapped.ok());
  const float limit = std::sqrt(6.0f / 64.0f);
  double sum = 0;
  float largest = 0;
  const auto weight = mapped->Values("layer1.weight");
  const auto bias = mapped->Values("layer2.bias");
  REQUIRE((weight.ok() && bias.ok()));
  for (const float value : *weight) {
    sum += static_cast<double>(value);
    largest = std::max(largest, std::abs(value));
  }
  CHECK(largest <= limit);
  CHECK(largest > 0.95f * limit);
  CHECK(std::abs(sum / 2048) < 0.02);
  for (const float value : *bias) {
    CHECK(value == 0.0f);
  }
  REQUIRE(WriteInitialModel("mlp", {64, 10, 32, 5}, path).ok());
  CHECK(ReadWhole(path) == first);
  REQUIRE(WriteInitialModel("mlp", {64, 10, 32, 6}, path).ok());
  CHECK(ReadWhole(path) != first);
}

TEST_CASE(
    "Initial model: sizes out of their range and unknown names are refused, nothing is written") {
  const TemporaryDirectory directory;
  const std::string path = directory.Path("base.safetensors");
  CHECK(absl::IsNotFound(WriteInitialModel("resnet", {64, 10, 0, 0}, path)));
  const InitialModelSettings softmax_bad =
      GENERATE(InitialModelSettings{0, 10, 0, 0}, InitialModelSettings{64, 1, 0, 0},
               InitialModelSettings{-1, 10, 0, 0}, InitialModelSettings{(1 << 20) + 1, 10, 0, 0},
               InitialModelSettings{1 << 20, 1 << 20, 0, 0}, InitialModelSettings{64, 10, 3, 0});
  CHECK(absl::IsInvalidArgument(WriteInitialModel("softmax", softmax_bad, path)));
  CHECK(absl::IsInvalidArgument(WriteInitialModel("mlp", {64, 10, 0, 0}, path)));
  CHECK_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace carnet::trainers
