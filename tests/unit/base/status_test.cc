#include "base/status.h"

#include <catch2/catch.hpp>

namespace carnet {
namespace {

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) {
    return absl::InvalidArgumentError("odd");
  }
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  CARNET_ASSIGN_OR_RETURN(const int half, Half(number));
  return Half(half);
}

absl::Status IsQuarterable(int number) {
  CARNET_RETURN_IF_ERROR(Quarter(number));
  return absl::OkStatus();
}

TEST_CASE("Status macros: hand on the first error and the value otherwise") {
  CHECK(*Quarter(8) == 2);
  CHECK(Quarter(6).status().message() == "odd");
  CHECK(IsQuarterable(8).ok());
  CHECK(IsQuarterable(7).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Status: details for the operator never enter the message") {
  const absl::Status status = WithRemedy(
      WithOperatorDetail(absl::NotFoundError("file: does not exist"), "/secret/place"), "Look.");
  CHECK(status.message() == "file: does not exist");
  CHECK(OperatorDetail(status) == "/secret/place");
  CHECK(Remedy(status) == "Look.");
  CHECK(DescribeForOperator(status) == "file: does not exist\n/secret/place\nLook.");
  CHECK(DescribeForOperator(absl::NotFoundError("gone")) == "gone");
}

TEST_CASE("Status: success carries no details") {
  CHECK(WithOperatorDetail(absl::OkStatus(), "detail").ok());
  CHECK(OperatorDetail(WithOperatorDetail(absl::OkStatus(), "detail")).empty());
}

}  // namespace
}  // namespace carnet
