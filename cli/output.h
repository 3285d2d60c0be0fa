// How results look: numbers and sizes in words, tables, a progress line. What goes to a stream is
// the caller's; all but ProgressLine is pure.
#ifndef CARNET_CLI_OUTPUT_H_
#define CARNET_CLI_OUTPUT_H_

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "cli/commands.h"

namespace carnet::cli {

// "999 B", "12.3 KB", "4.0 GB": decimal, as the job file writes sizes.
std::string FormatBytes(std::uint64_t bytes);
// At most four significant digits: 0.8611, 12.35, 1e-05.
std::string FormatNumber(double value);
// The first 12 hex digits: enough to tell models apart on a screen. "-" for nothing.
std::string ShortDigest(ByteView digest);
// "accuracy 0.861, loss 0.62"; empty for none.
std::string FormatMetrics(const std::map<std::string, double>& metrics);

enum class Colour { kGood, kBad, kWarning, kDim };
// `text` in that colour, if the terminal shows colours.
std::string Coloured(const CommandContext& context, Colour colour, const std::string& text);

// Columns as wide as their widest cell, two spaces apart, no trailing spaces. Cells are UTF-8.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : head_(std::move(head)) {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string ToString() const;

 private:
  std::vector<std::string> head_;
  std::vector<std::vector<std::string>> rows_;
};

// "━━━━────" of `width` characters.
std::string Bar(double share, int width);

// One line that changes, on a terminal; nothing elsewhere. Whole lines go above it.
class ProgressLine {
 public:
  explicit ProgressLine(const CommandContext& context);
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Shows `text` in place of what the line said.
  void Show(const std::string& text);
  // Writes `text` as a line of its own that stays.
  void Print(const std::string& text);
  void Clear();
  bool active() const { return active_; }

 private:
  std::ostream& out_;
  const bool active_;
  bool shown_ = false;
};

}  // namespace carnet::cli

#endif  // CARNET_CLI_OUTPUT_H_
