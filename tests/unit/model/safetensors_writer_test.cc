#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <random>

#include "model/safetensors.h"
#include "tests/unit/model/temp_dir.h"

namespace carnet::model {
namespace {

using testing_model::ReadFile;
using testing_model::TempDir;

Layout TwoTensors() {
  return *Layout::Create({{"b", {2}}, {"a", {3}}});
}

TEST_CASE("Safetensors: the writer's file is canonical to the byte") {
  const TempDir dir;
  const Layout layout = TwoTensors();
  Bytes observed;
  auto writer = SafetensorsWriter::Create(dir.File("m"), layout, [&observed](ByteView bytes) {
    observed.insert(observed.end(), bytes.begin(), bytes.end());
  });
  REQUIRE(writer.ok());
  REQUIRE(writer->Append(std::vector<float>{1, 2, 3, 4}).ok());
  REQUIRE(writer->Append(std::vector<float>{-0.5F}).ok());
  REQUIRE(writer->Finish().ok());

  const Bytes file = ReadFile(dir.File("m"));
  CHECK(file == observed);
  CHECK(file.size() == CanonicalFileBytes(layout));
  // Little-endian length 112, a multiple of 8; two spaces pad the 110 bytes of JSON.
  CHECK(HexEncode(ByteView(file).first(8)) == "7000000000000000");
  CHECK(AsText(ByteView(file).subspan(8, 112)) ==
        R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
        R"("b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}  )");
  CHECK(HexEncode(ByteView(file).subspan(120)) == "0000803f000000400000404000008040000000bf");
  CHECK(dir.FileCount() == 1);

  const auto reader = SafetensorsReader::Open(dir.File("m"));
  REQUIRE(reader.ok());
  CHECK(reader->layout() == layout);
  CHECK(reader->file_layout().DataInNameOrder());
}

TEST_CASE("Safetensors: an unfinished file leaves nothing, and the old one stays") {
  const TempDir dir;
  testing_model::WriteFile(dir.File("m"), {1, 2, 3});
  {
    auto writer = SafetensorsWriter::Create(dir.File("m"), TwoTensors());
    REQUIRE(writer.ok());
    REQUIRE(writer->Append(std::vector<float>{1, 2}).ok());
    CHECK(writer->Finish().code() == absl::StatusCode::kFailedPrecondition);
    CHECK(dir.FileCount() == 2);
  }
  CHECK(dir.FileCount() == 1);
  CHECK(ReadFile(dir.File("m")) == Bytes{1, 2, 3});
}

TEST_CASE("Safetensors: the writer refuses NaN and infinities") {
  const TempDir dir;
  {
    auto writer = SafetensorsWriter::Create(dir.File("m"), TwoTensors());
    REQUIRE(writer.ok());
    CHECK(writer->Append(std::vector<float>{1, std::nanf("")}).code() ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(dir.FileCount() == 0);
}

TEST_CASE("Safetensors: two writers of one file exclude each other") {
  const TempDir dir;
  auto first = SafetensorsWriter::Create(dir.File("m"), TwoTensors());
  REQUIRE(first.ok());
  CHECK(SafetensorsWriter::Create(dir.File("m"), TwoTensors()).status().code() ==
        absl::StatusCode::kAlreadyExists);
  CHECK(SafetensorsWriter::Create(dir.File("none/m"), TwoTensors()).status().code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("Safetensors: no room for the file is RESOURCE_EXHAUSTED and leaves nothing") {
  // A limit on the size of files stands for a full disk: both fail the write in the middle.
  const TempDir dir;
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {130, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  absl::Status appended;
  {
    auto writer = SafetensorsWriter::Create(dir.File("m"), TwoTensors());
    if (writer.ok()) {
      appended = writer->Append(std::vector<float>{1, 2, 3, 4, 5});
    }
  }
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(appended.code() == absl::StatusCode::kResourceExhausted);
  CHECK(dir.FileCount() == 0);
}

TEST_CASE("Safetensors: any layout written reads back to the same values") {
  const auto seed = GENERATE(take(20, random(0U, ~0U)));
  CAPTURE(seed);
  std::minstd_rand rng(seed);
  std::vector<TensorShape> shapes(1 + rng() % 12);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    shapes[i].name = std::to_string(rng()) + "." + std::to_string(i);
    shapes[i].shape.resize(rng() % 4);
    for (std::uint64_t& dim : shapes[i].shape) {
      dim = 1 + rng() % 9;
    }
  }
  const auto layout = Layout::Create(shapes);
  REQUIRE(layout.ok());
  std::vector<float> values(layout->parameter_count());
  for (float& value : values) {
    value = static_cast<float>(rng()) / 1000.0F - 1e6F;
  }
  const TempDir dir;
  auto writer = SafetensorsWriter::Create(dir.File("m"), *layout);
  REQUIRE(writer.ok());
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t part = std::min<std::size_t>(values.size() - done, 1 + rng() % 50);
    REQUIRE(writer->Append(std::span<const float>(values).subspan(done, part)).ok());
    done += part;
  }
  REQUIRE(writer->Finish().ok());
  const auto reader = SafetensorsReader::Open(dir.File("m"));
  REQUIRE(reader.ok());
  CHECK(reader->layout() == *layout);
  std::vector<float> again(values.size());
  REQUIRE(reader->Read(0, again).ok());
  CHECK(again == values);
}

}  // namespace
}  // namespace carnet::model
