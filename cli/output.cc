#include "cli/output.h"

#include <algorithm>
#include <array>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kShortDigestChars = 12;

// Characters, not bytes: UTF-8 continuation bytes do not count.
std::size_t WidthOf(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

const char* CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kGood:
      return "32";
    case Colour::kBad:
      return "31";
    case Colour::kWarning:
      return "33";
    default:
      return "2";
  }
}

}  // namespace

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"B", "KB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) {
    return absl::StrCat(bytes, " B");
  }
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 999.95 would print as 1000.0.
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatNumber(double value) {
  return absl::StrFormat("%.4g", value);
}

std::string ShortDigest(ByteView digest) {
  return digest.empty() ? "-" : HexEncode(digest).substr(0, kShortDigestChars);
}

std::string FormatMetrics(const std::map<std::string, double>& metrics) {
  return absl::StrJoin(metrics, ", ", [](std::string* out, const auto& metric) {
    absl::StrAppend(out, metric.first, " ", FormatNumber(metric.second));
  });
}

std::string Coloured(const CommandContext& context, Colour colour, const std::string& text) {
  return context.colour ? absl::StrCat("\x1b[", CodeOf(colour), "m", text, "\x1b[0m") : text;
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (const std::string& cell : head_) {
    widths.push_back(WidthOf(cell));
  }
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], WidthOf(row[i]));
    }
  }
  std::string text;
  const auto append = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths[i] - WidthOf(row[i]) + 2, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  };
  append(head_);
  for (const std::vector<std::string>& row : rows_) {
    append(row);
  }
  return text;
}

std::string Bar(double share, int width) {
  const int full = std::clamp(static_cast<int>(share * width + 0.5), 0, width);
  std::string text;
  for (int i = 0; i < width; ++i) {
    text += i < full ? "━" : "─";
  }
  return text;
}

ProgressLine::ProgressLine(const CommandContext& context)
    : out_(*context.out), active_(context.out_is_terminal && !context.json) {}

void ProgressLine::Show(const std::string& text) {
  if (active_) {
    out_ << "\r\x1b[K" << text << std::flush;
    shown_ = true;
  }
}

void ProgressLine::Print(const std::string& text) {
  Clear();
  out_ << text << std::endl;
}

void ProgressLine::Clear() {
  if (shown_) {
    out_ << "\r\x1b[K" << std::flush;
    shown_ = false;
  }
}

}  // namespace carnet::cli
