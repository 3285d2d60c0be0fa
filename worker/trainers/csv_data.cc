#include "worker/trainers/csv_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/trainers/line_reader.h"
#include "worker/trainers/protocol.h"

namespace carnet::trainers {
namespace {

absl::Status DataError(absl::string_view name, std::uint64_t line, absl::string_view what) {
  return TrainerError(ErrorCode::kData, absl::StrCat(name, " line ", line, ": ", what));
}

// The whole cell as a finite number; false otherwise.
bool ParseNumber(absl::string_view cell, double& value) {
  const char* end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(value);
}

bool ParseLabel(absl::string_view cell, std::int64_t classes_count, std::int32_t& label) {
  const char* end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, label);
  return result.ec == std::errc() && result.ptr == end && label >= 0 && label < classes_count;
}

// Appends the row of one line, without its end.
absl::Status ParseRow(absl::string_view name, std::uint64_t line_number, absl::string_view line,
                      const CsvShape& shape, LabelledRows& rows) {
  for (std::int64_t column = 0; column < shape.features_count; ++column) {
    const std::size_t comma = line.find(',');
    if (comma == absl::string_view::npos) {
      return DataError(
          name, line_number,
          absl::StrCat("expected ", shape.features_count + 1, " columns, found ", column + 1));
    }
    double value = 0;
    if (!ParseNumber(line.substr(0, comma), value) ||
        !std::isfinite(value * shape.features_scale)) {
      return DataError(name, line_number,
                       absl::StrCat("column ", column + 1, ": expected a finite number"));
    }
    rows.features.push_back(value * shape.features_scale);
    line.remove_prefix(comma + 1);
  }
  if (line.find(',') != absl::string_view::npos) {
    return DataError(name, line_number,
                     absl::StrCat("expected ", shape.features_count + 1, " columns, found more"));
  }
  std::int32_t label = 0;
  if (!ParseLabel(line, shape.classes_count, label)) {
    return DataError(name, line_number,
                     absl::StrCat("the label (last column) must be an integer from 0 to ",
                                  shape.classes_count - 1));
  }
  rows.labels.push_back(label);
  return absl::OkStatus();
}

absl::Status CheckRoom(absl::string_view name, const CsvShape& shape, const LabelledRows& rows) {
  const auto row_cells = static_cast<std::uint64_t>(shape.features_count);
  if (rows.features.size() + row_cells > kCsvCellsMax) {
    return TrainerError(ErrorCode::kData,
                        absl::StrCat(name, ": more than ", kCsvCellsMax, " cells of data"));
  }
  return absl::OkStatus();
}

absl::string_view WithoutCarriageReturn(absl::string_view line) {
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return line;
}

absl::Status LoadFile(const std::filesystem::path& path, const CsvShape& shape,
                      LabelledRows& rows) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return TrainerError(ErrorCode::kData, absl::StrCat("cannot open ", path.string()));
  }
  return ParseCsv(path.filename().string(), file, shape, rows);
}

absl::StatusOr<std::vector<std::filesystem::path>> CsvFiles(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_regular_file(status)) {
    return std::vector<fs::path>{path};
  }
  if (!fs::is_directory(status)) {
    return TrainerError(ErrorCode::kData, absl::StrCat("there is no file or directory ", path));
  }
  std::vector<fs::path> files;
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".csv" && entry->is_regular_file(error) && !error) {
      files.push_back(entry->path());
    }
  }
  if (error) {
    return TrainerError(ErrorCode::kData, absl::StrCat("cannot read the directory ", path));
  }
  if (files.empty()) {
    return TrainerError(ErrorCode::kData, absl::StrCat("there is no .csv file in ", path));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

// Line by line, so that a file is never held whole beside its numbers.
absl::Status ParseCsv(absl::string_view name, std::istream& in, const CsvShape& shape,
                      LabelledRows& rows) {
  rows.features_count = shape.features_count;
  std::string line;
  for (std::uint64_t line_number = 1;; ++line_number) {
    switch (ReadLine(in, kCsvLineBytesMax, line)) {
      case LineResult::kEnd:
        return absl::OkStatus();
      case LineResult::kFailed:
        return DataError(name, line_number, "cannot be read");
      case LineResult::kTooLong:
        return DataError(name, line_number, "the line is too long");
      case LineResult::kLine:
        break;
    }
    CARNET_RETURN_IF_ERROR(CheckRoom(name, shape, rows));
    CARNET_RETURN_IF_ERROR(ParseRow(name, line_number, WithoutCarriageReturn(line), shape, rows));
  }
}

absl::StatusOr<LabelledRows> LoadCsv(const std::vector<std::string>& paths, const CsvShape& shape) {
  LabelledRows rows;
  rows.features_count = shape.features_count;
  for (const std::string& path : paths) {
    CARNET_ASSIGN_OR_RETURN(const auto files, CsvFiles(path));
    for (const auto& file : files) {
      CARNET_RETURN_IF_ERROR(LoadFile(file, shape, rows));
    }
  }
  if (rows.labels.empty()) {
    return TrainerError(ErrorCode::kData, "the data has no rows");
  }
  return rows;
}

}  // namespace carnet::trainers
