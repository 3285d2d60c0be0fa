#include "model/layout.h"

#include <catch2/catch.hpp>

namespace carnet::model {
namespace {

absl::StatusCode CodeOf(std::vector<TensorShape> tensors) {
  return Layout::Create(std::move(tensors)).status().code();
}

TEST_CASE("Layout: sorts tensors by the bytes of their names and numbers their elements") {
  const auto layout = Layout::Create({{"b", {2, 3}}, {"a.weight", {4}}, {"B", {}}});
  REQUIRE(layout.ok());
  CHECK(layout->parameter_count() == 11);
  REQUIRE(layout->tensors().size() == 3);
  CHECK(layout->tensors()[0] == Tensor{"B", {}, 0, 1});
  CHECK(layout->tensors()[1] == Tensor{"a.weight", {4}, 1, 4});
  CHECK(layout->tensors()[2] == Tensor{"b", {2, 3}, 5, 6});
  REQUIRE(layout->Find("b") != nullptr);
  CHECK(layout->Find("b")->offset == 5);
  CHECK(layout->Find("c") == nullptr);
  CHECK(layout->Find("") == nullptr);
}

TEST_CASE("Layout: its text is a safetensors header with names sorted, and reads back") {
  const auto layout = Layout::Create({{"w", {2, 2}}, {"b\"\xC3\xA9", {3}}});
  REQUIRE(layout.ok());
  CHECK(layout->ToJson() ==
        "{\"b\\\"\xC3\xA9\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[12,28]}}");
  CHECK(layout->CanonicalBytes() == layout->ToJson());
  const auto again = Layout::FromJson(layout->ToJson());
  REQUIRE(again.ok());
  CHECK(*again == *layout);
  CHECK(again->ToJson() == layout->ToJson());
}

TEST_CASE("Layout: equality sees names, shapes and their order, not the order they were given in") {
  const auto layout = Layout::Create({{"a", {2, 3}}, {"b", {1}}});
  REQUIRE(layout.ok());
  CHECK(*layout == *Layout::Create({{"b", {1}}, {"a", {2, 3}}}));
  CHECK_FALSE(*layout == *Layout::Create({{"a", {3, 2}}, {"b", {1}}}));
  CHECK_FALSE(*layout == *Layout::Create({{"a", {2, 3}}, {"c", {1}}}));
  CHECK_FALSE(*layout == *Layout::Create({{"a", {2, 3}}}));
}

TEST_CASE("Layout: refuses what is over a limit, and takes what is at it") {
  CHECK(CodeOf({}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{std::string(kNameBytesMax, 'n'), {1}}}) == absl::StatusCode::kOk);
  CHECK(CodeOf({{std::string(kNameBytesMax + 1, 'n'), {1}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", std::vector<std::uint64_t>(kDimsMax, 2)}}) == absl::StatusCode::kOk);
  CHECK(CodeOf({{"a", std::vector<std::uint64_t>(kDimsMax + 1, 1)}}) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", {kParametersMax}}}) == absl::StatusCode::kOk);
  CHECK(CodeOf({{"a", {kParametersMax}}, {"b", {}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", {kParametersMax, 2}}}) == absl::StatusCode::kInvalidArgument);
  std::vector<TensorShape> many(kTensorsMax);
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i].name = std::to_string(i);
  }
  CHECK(CodeOf(many) == absl::StatusCode::kOk);
  many.push_back({"one more", {}});
  CHECK(CodeOf(many) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Layout: refuses a shape whose product overflows 64 bits") {
  CHECK(CodeOf({{"a", {std::uint64_t{1} << 33, std::uint64_t{1} << 33}}}) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", {~std::uint64_t{0}, ~std::uint64_t{0}, 2}}}) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", {2, 0}}}) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Layout: refuses names that are empty, repeated, reserved, not UTF-8 or hold controls") {
  CHECK(CodeOf({{"", {1}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a", {1}}, {"a", {2}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"__metadata__", {1}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a\xFF", {1}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{"a\nb", {1}}}) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf({{std::string("a\0b", 3), {1}}}) == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace carnet::model
