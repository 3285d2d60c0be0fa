#include "model/safetensors.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "tests/unit/model/temp_dir.h"

namespace carnet::model {
namespace {

using testing_model::TempDir;
using testing_model::WriteFile;

Bytes Head(const std::string& json) {
  Bytes head(8 + json.size());
  const std::uint64_t size = json.size();
  std::memcpy(head.data(), &size, 8);
  std::memcpy(head.data() + 8, json.data(), json.size());
  return head;
}

Bytes File(const std::string& json, const std::vector<float>& values) {
  Bytes file = Head(json);
  const auto* data = reinterpret_cast<const std::uint8_t*>(values.data());
  file.insert(file.end(), data, data + values.size() * sizeof(float));
  return file;
}

// Checks that a file with this head and `data_bytes` of data is refused, and why.
void CheckRefused(const std::string& json, std::uint64_t data_bytes, const std::string& reason) {
  CAPTURE(json);
  const Bytes head = Head(json);
  const auto parsed = ParseHead(head, head.size() + data_bytes);
  CHECK(parsed.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(parsed.status().message()), Catch::Contains(reason));
}

const char kOne[] = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST_CASE("Safetensors: a head written elsewhere is read: any order, metadata, padding") {
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"z":{"shape":[1,2],"dtype":"F32","data_offsets":[0,8]},)"
      R"("a":{"data_offsets":[8,12],"dtype":"F32","shape":[]}}   )";
  const Bytes head = Head(json);
  const auto file = ParseHead(head, head.size() + 12);
  REQUIRE(file.ok());
  CHECK(file->layout.parameter_count() == 3);
  CHECK(file->layout.tensors()[0].name == "a");
  CHECK(file->tensor_begins == std::vector<std::uint64_t>{head.size() + 8, head.size()});
  CHECK_FALSE(file->DataInNameOrder());
}

TEST_CASE("Safetensors: hostile offsets and shapes are refused") {
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + first +
           R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + second + "}}";
  };
  CheckRefused(two("[0,8]", "[4,12]"), 12, "overlap");
  CheckRefused(two("[0,8]", "[0,8]"), 8, "overlap");
  CheckRefused(two("[0,8]", "[12,20]"), 20, "gap");
  CheckRefused(two("[4,12]", "[12,20]"), 20, "gap");
  CheckRefused(one("[2]", "[0,8]"), 9, "bytes after");
  CheckRefused(one("[2]", "[0,8]"), 7, "ends before");
  CheckRefused(one("[3]", "[0,8]"), 8, "do not fit its shape");
  CheckRefused(one("[2]", "[8,0]"), 8, "do not fit its shape");
  CheckRefused(one("[2]", "[18446744073709551612,4]"), 8, "do not fit its shape");
  CheckRefused(one("[4294967296,4294967296]", "[0,0]"), 0, "2^40");
  CheckRefused(one("[4611686018427387904,4]", "[0,0]"), 0, "2^40");
  CheckRefused(one("[0]", "[0,0]"), 0, "dimension is 0");
  CheckRefused(one("[-2]", "[0,8]"), 8, "negative");
  CheckRefused(one("[2.0]", "[0,8]"), 8, "not an integer");
  CheckRefused(one("[2e0]", "[0,8]"), 8, "not an integer");
  CheckRefused(one("[99999999999999999999]", "[0,8]"), 8, "not an integer");
  CheckRefused(one("[\"2\"]", "[0,8]"), 8, "text");
  CheckRefused(one("[[2]]", "[0,8]"), 8, "list");
  CheckRefused(one("2", "[0,8]"), 8, "number");
  CheckRefused(one("[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, "dimensions");
  CheckRefused(one("[2]", "[0]"), 8, "two numbers");
  CheckRefused(one("[2]", "[0,8,8]"), 8, "number");
  CheckRefused(one("[2]", "[0,-8]"), 8, "negative");
}

TEST_CASE("Safetensors: another dtype than F32 is refused by name of the cure") {
  for (const std::string dtype : {"F64", "F16", "BF16", "I64", "f32", "F32 ", ""}) {
    CheckRefused(R"({"a":{"dtype":")" + dtype + R"(","shape":[2],"data_offsets":[0,8]}})", 8,
                 "convert the model to 32-bit floats");
  }
  CheckRefused(R"({"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}})", 8, "number");
}

TEST_CASE("Safetensors: repeated, missing and unknown keys are refused") {
  const std::string tensor = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  CheckRefused(R"({"a":)" + tensor + R"(,"a":)" + tensor + "}", 8, "name is repeated");
  CheckRefused(R"({"a":)" + tensor + R"(,"\u0061":)" + tensor + "}", 8, "name is repeated");
  CheckRefused(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8,
               "key is repeated");
  CheckRefused(R"({"__metadata__":{},"__metadata__":{},"a":)" + tensor + "}", 8, "repeated");
  CheckRefused(R"({"__metadata__":{"k":"1","k":"2"},"a":)" + tensor + "}", 8, "repeated");
  CheckRefused(R"({"__metadata__":{"k":1},"a":)" + tensor + "}", 8, "number");
  CheckRefused(R"({"__metadata__":{"k":{}},"a":)" + tensor + "}", 8, "object");
  CheckRefused(R"({"a":{"dtype":"F32","shape":[2]}})", 8, "must all be there");
  CheckRefused(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8, "must all be there");
  CheckRefused(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8, "must all be there");
  CheckRefused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8, "other than");
  CheckRefused("{}", 0, "tensors");
  CheckRefused(R"({"__metadata__":{"k":"v"}})", 0, "tensors");
}

TEST_CASE("Safetensors: what is not one JSON object of this form is refused") {
  const std::string one = kOne;
  CheckRefused(" " + one, 8, "start with {");
  CheckRefused("[]", 8, "start with {");
  CheckRefused(one + one, 8, "not JSON");
  CheckRefused(one + "x", 8, "not JSON");
  CheckRefused(one.substr(0, one.size() - 1), 8, "not JSON");
  CheckRefused(R"({"a":null})", 8, "null");
  CheckRefused(R"({"a":true})", 8, "true and false");
  CheckRefused(R"({"a":[]})", 8, "list");
  CheckRefused(R"({"a":{"dtype":{}}})", 8, "object");
  CheckRefused("{\"\xFF\":{}}", 8, "not JSON");
  CheckRefused(R"({"\ud800":{}})", 8, "not JSON");
  // Deep nesting is refused at its second level, before it costs anything.
  CheckRefused(R"({"a":{"shape":)" + std::string(1 << 20, '[') + "}}", 8, "list");
}

TEST_CASE("Safetensors: every cut of a head is refused") {
  const Bytes head = Head(kOne);
  for (std::size_t size = 0; size < head.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(ParseHead(ByteView(head).first(size), head.size() + 8).ok());
  }
  CHECK(ParseHead(head, head.size() + 8).ok());
}

TEST_CASE("Safetensors: the head's length is checked before memory is taken") {
  const auto head_bytes = [](std::uint64_t length) {
    Bytes bytes(8);
    std::memcpy(bytes.data(), &length, 8);
    return HeadBytes(bytes);
  };
  CHECK_FALSE(head_bytes(0).ok());
  CHECK_FALSE(head_bytes(1).ok());
  CHECK(*head_bytes(2) == 10);
  CHECK(*head_bytes(kHeaderBytesMax) == kHeaderBytesMax + 8);
  CHECK_FALSE(head_bytes(kHeaderBytesMax + 1).ok());
  CHECK_FALSE(head_bytes(~std::uint64_t{0}).ok());

  const TempDir dir;
  Bytes huge(64, ' ');
  const std::uint64_t length = kHeaderBytesMax;
  std::memcpy(huge.data(), &length, 8);
  WriteFile(dir.File("huge"), huge);
  CHECK(SafetensorsReader::Open(dir.File("huge")).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Safetensors: a reader gives parameters in name order, across tensors") {
  const TempDir dir;
  const std::string json = R"({"z":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                           R"("a":{"dtype":"F32","shape":[3],"data_offsets":[8,20]}})";
  WriteFile(dir.File("m"), File(json, {10, 11, 1, 2, 3}));
  const auto reader = SafetensorsReader::Open(dir.File("m"));
  REQUIRE(reader.ok());
  std::vector<float> values(5);
  REQUIRE(reader->Read(0, values).ok());
  CHECK(values == std::vector<float>{1, 2, 3, 10, 11});
  std::vector<float> middle(2);
  REQUIRE(reader->Read(2, middle).ok());
  CHECK(middle == std::vector<float>{3, 10});
  CHECK(CheckFinite(*reader).ok());
}

TEST_CASE("Safetensors: a reader reports a file that was cut short, and never crashes") {
  const TempDir dir;
  WriteFile(dir.File("m"), File(kOne, {1, 2}));
  const auto reader = SafetensorsReader::Open(dir.File("m"));
  REQUIRE(reader.ok());
  std::filesystem::resize_file(dir.File("m"), 69);
  std::vector<float> values(2);
  CHECK(reader->Read(0, values).code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("Safetensors: NaN and infinities in a file are found") {
  const TempDir dir;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    WriteFile(dir.File("m"), File(kOne, {1, bad}));
    const auto reader = SafetensorsReader::Open(dir.File("m"));
    REQUIRE(reader.ok());
    CHECK(CheckFinite(*reader).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Safetensors: a mapped file gives its tensors by name and by place") {
  const TempDir dir;
  // The head's 54 bytes of JSON are padded to 56.
  WriteFile(dir.File("m"), File(std::string(kOne) + "  ", {1, 2}));
  const auto mapped = MappedSafetensors::Open(dir.File("m"));
  REQUIRE(mapped.ok());
  CHECK(mapped->Values(0).size() == 2);
  CHECK((*mapped->Values("a"))[1] == 2.0F);
  CHECK(mapped->Values("b").status().code() == absl::StatusCode::kNotFound);

  WriteFile(dir.File("odd"), File(std::string(kOne) + " ", {1, 2}));
  CHECK(MappedSafetensors::Open(dir.File("odd")).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(SafetensorsReader::Open(dir.File("odd")).ok());
}

TEST_CASE("Safetensors: what is not a regular file, or not there, is refused") {
  const TempDir dir;
  CHECK(SafetensorsReader::Open(dir.File("none")).status().code() == absl::StatusCode::kNotFound);
  CHECK(SafetensorsReader::Open(dir.File("")).status().code() ==
        absl::StatusCode::kInvalidArgument);
  REQUIRE(mkfifo(dir.File("fifo").c_str(), 0600) == 0);
  CHECK(SafetensorsReader::Open(dir.File("fifo")).status().code() ==
        absl::StatusCode::kInvalidArgument);
  WriteFile(dir.File("empty"), {});
  CHECK(SafetensorsReader::Open(dir.File("empty")).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace carnet::model
