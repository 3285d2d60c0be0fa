// Labelled rows from CSV files: numeric columns, the last one the label. No header line, no quotes,
// no empty cells; lines end with LF or CRLF (RFC 4180 §2.1), the last one may end without.
#ifndef CARNET_WORKER_TRAINERS_CSV_DATA_H_
#define CARNET_WORKER_TRAINERS_CSV_DATA_H_

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::trainers {

// Longest line, in bytes without its end.
inline constexpr std::size_t kCsvLineBytesMax = std::size_t{16} << 20;
// Most cells (rows × features) that are held in memory at once: 8 GiB of doubles.
inline constexpr std::uint64_t kCsvCellsMax = std::uint64_t{1} << 30;

struct LabelledRows {
  std::int64_t features_count = 0;
  std::vector<double> features;      // row-major, rows() × features_count, finite
  std::vector<std::int32_t> labels;  // each in 0..classes-1
  std::int64_t rows() const { return static_cast<std::int64_t>(labels.size()); }
};

struct CsvShape {
  std::int64_t features_count = 0;
  std::int64_t classes_count = 0;
  double features_scale = 1;  // each feature is multiplied by it
};

// Appends the rows that `in` holds to `rows`. `name` is the file's name in errors.
//
// Errors (TrainerError): kData another number of columns than features_count + 1, a cell that is no
// finite number, a label that is no integer in 0..classes-1, more than kCsvCellsMax cells. `rows`
// is then unspecified.
absl::Status ParseCsv(absl::string_view name, std::istream& in, const CsvShape& shape,
                      LabelledRows& rows);

// Reads each path: a file, or a directory whose *.csv files are taken in byte order of their names
// (subdirectories are not entered).
//
// Errors (TrainerError): kData a path is missing or unreadable, a directory without *.csv, no rows
// at all, and those of ParseCsv.
absl::StatusOr<LabelledRows> LoadCsv(const std::vector<std::string>& paths, const CsvShape& shape);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_CSV_DATA_H_
