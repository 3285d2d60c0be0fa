#include "worker/trainers/csv_data.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "tests/unit/trainers/talk.h"

namespace carnet::trainers {
namespace {

absl::StatusOr<LabelledRows> Parse(const std::string& text, double scale = 1) {
  std::istringstream in(text);
  LabelledRows rows;
  const absl::Status status = ParseCsv("shard.csv", in, {2, 10, scale}, rows);
  if (!status.ok()) {
    return status;
  }
  return rows;
}

TEST_CASE("CSV data: reads numbers, scales features, takes the last column as the label") {
  const auto rows = Parse("0,16,3\r\n-1.5,2e1,9\n.5,4.,0", 0.0625);
  REQUIRE(rows.ok());
  CHECK(rows->features == std::vector<double>{0, 1, -0.09375, 1.25, 0.03125, 0.25});
  CHECK(rows->labels == std::vector<std::int32_t>{3, 9, 0});
}

TEST_CASE("CSV data: refuses a row that is not features and a label, naming the line") {
  const std::string bad =
      GENERATE(as<std::string>(), "1,2", "1,2,3,4", "", "a,b,1", "1,,3", "1, 2,3", "nan,1,1",
               "inf,1,1", "1e999,1,1", "0x10,1,1", "+1,1,1", "1,2,10", "1,2,-1", "1,2,1.0", "1,2,",
               "1,2,x", "1;2;3", "\"1\",2,3");
  CAPTURE(bad);
  const auto rows = Parse("1,2,3\n" + bad + "\n");
  REQUIRE_FALSE(rows.ok());
  CHECK(ErrorCodeOf(rows.status()) == ErrorCode::kData);
  CHECK(rows.status().message().find("shard.csv line 2") != absl::string_view::npos);
}

TEST_CASE("CSV data: errors never quote a cell") {
  const auto rows = Parse("1,secret-value,3\n");
  REQUIRE_FALSE(rows.ok());
  CHECK(rows.status().message().find("secret") == absl::string_view::npos);
}

TEST_CASE("CSV data: refuses a line longer than kCsvLineBytesMax") {
  const auto rows = Parse(std::string(kCsvLineBytesMax + 1, '1'));
  CHECK(ErrorCodeOf(rows.status()) == ErrorCode::kData);
}

TEST_CASE("CSV data: a directory is its csv files in the order of their names") {
  const TemporaryDirectory directory;
  directory.Write("b.csv", "2,2,2\n");
  directory.Write("a.csv", "1,1,1\n");
  directory.Write("notes.txt", "not data");
  std::filesystem::create_directory(directory.Path("sub.csv"));
  const auto rows = LoadCsv({directory.Path(""), directory.Path("b.csv")}, {2, 10, 1});
  REQUIRE(rows.ok());
  CHECK(rows->labels == std::vector<std::int32_t>{1, 2, 2});
}

TEST_CASE("CSV data: refuses missing paths, directories without csv files and empty data") {
  const TemporaryDirectory directory;
  CHECK(ErrorCodeOf(LoadCsv({directory.Path("none.csv")}, {2, 10, 1}).status()) ==
        ErrorCode::kData);
  CHECK(ErrorCodeOf(LoadCsv({directory.Path("")}, {2, 10, 1}).status()) == ErrorCode::kData);
  const std::string empty = directory.Write("empty.csv", "");
  CHECK(ErrorCodeOf(LoadCsv({empty}, {2, 10, 1}).status()) == ErrorCode::kData);
}

}  // namespace
}  // namespace carnet::trainers
