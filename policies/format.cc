#include "policies/format.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "base/yaml.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kStep = 2;

std::size_t IndentOf(absl::string_view line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first == absl::string_view::npos ? line.size() : first;
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t';
}

// Walks the characters of a file's flow: it knows quotes, brackets and comments.
class Scanner {
 public:
  int depth() const { return depth_; }
  bool in_quotes() const { return quote_ != '\0'; }

  // The line, without indentation, with its blanks put right.
  std::string Rewrite(absl::string_view line) {
    out_.clear();
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      const char next = i + 1 < line.size() ? line[i + 1] : '\0';
      if (quote_ != '\0') {
        i += Quoted(c, next);
      } else if (c == '#' && (i == 0 || IsSpace(line[i - 1]))) {
        out_.append(Comment(line, i));
        break;
      } else if (IsSpace(c)) {
        Blank(line, i);
      } else {
        Plain(line, i);
      }
    }
    while (quote_ == '\0' && !out_.empty() && IsSpace(out_.back())) {
      out_.pop_back();
    }
    return out_;
  }

 private:
  // Characters consumed besides this one.
  std::size_t Quoted(char c, char next) {
    out_.push_back(c);
    if (c == '\\' && quote_ == '"' && next != '\0') {
      out_.push_back(next);
      return 1;
    }
    if (c == '\'' && quote_ == '\'' && next == '\'') {
      out_.push_back(next);
      return 1;
    }
    if (c == quote_) {
      quote_ = '\0';
      if (c == '\'') {
        UseDoubleQuotes();
      }
    }
    return 0;
  }

  void UseDoubleQuotes() {
    const absl::string_view inner =
        absl::string_view(out_).substr(quote_at_ + 1, out_.size() - quote_at_ - 2);
    if (quote_at_ != std::string::npos && inner.find_first_of("\\\"'") == absl::string_view::npos) {
      out_[quote_at_] = '"';
      out_.back() = '"';
    }
  }

  // Blanks before a comment stay as they are written, so that columns of comments stay columns.
  std::string Comment(absl::string_view line, std::size_t at) {
    std::size_t from = at;
    while (from > 0 && IsSpace(line[from - 1])) {
      --from;
    }
    while (!out_.empty() && IsSpace(out_.back())) {
      out_.pop_back();
    }
    const std::size_t blanks = out_.empty() ? 0 : std::max<std::size_t>(at - from, 1);
    return absl::StrCat(std::string(blanks, ' '),
                        absl::StripTrailingAsciiWhitespace(line.substr(at)));
  }

  // After a mark one blank, inside brackets none; blanks inside a text are its own.
  void Blank(absl::string_view line, std::size_t at) {
    const std::size_t before = out_.find_last_not_of(' ');
    const std::size_t next = line.find_first_not_of(" \t", at);
    if (before == std::string::npos || next == absl::string_view::npos) {
      return;
    }
    const char last = out_[before];
    const bool opened = depth_ > 0 && (last == '[' || last == '{');
    const bool closes = depth_ > 0 && (line[next] == ']' || line[next] == '}' || line[next] == ',');
    const bool again = (last == ':' || (depth_ > 0 && last == ',')) && out_.size() > before + 1;
    if (!opened && !closes && !again) {
      out_.push_back(' ');
    }
  }

  // Whether a value or key can begin here; elsewhere quotes and brackets are plain text.
  bool BeginsValue(absl::string_view line, std::size_t at) const {
    const std::size_t before = line.find_last_not_of(" \t", at == 0 ? 0 : at - 1);
    if (at == 0 || before == absl::string_view::npos) {
      return true;
    }
    const char last = line[before];
    return depth_ > 0 ? last == '[' || last == '{' || last == ',' || last == ':'
                      : last == ':' && before + 1 < at;
  }

  void Plain(absl::string_view line, std::size_t at) {
    const char c = line[at];
    const bool begins = BeginsValue(line, at);
    if ((c == '"' || c == '\'') && begins) {
      quote_ = c;
      quote_at_ = out_.size();
    } else if ((c == '[' || c == '{') && begins) {
      ++depth_;
    } else if ((c == ']' || c == '}') && depth_ > 0) {
      --depth_;
    }
    out_.push_back(c);
    if (c == ',' && depth_ > 0 && at + 1 < line.size() && !IsSpace(line[at + 1])) {
      out_.push_back(' ');
    }
  }

  std::string out_;
  char quote_ = '\0';
  std::size_t quote_at_ = 0;
  int depth_ = 0;
};

struct Level {
  std::size_t before;  // column as written
  std::size_t after;   // column as it shall be
  bool list;           // of the dashes of a list
};

// Whether the text ends with the head of a block of text: `note: >-`.
bool OpensBlockText(absl::string_view content) {
  absl::string_view code = content.substr(0, content.find(" #"));
  code = absl::StripTrailingAsciiWhitespace(code);
  const std::size_t last = code.find_last_of(' ');
  const absl::string_view word = last == absl::string_view::npos ? code : code.substr(last + 1);
  return !word.empty() && (word[0] == '>' || word[0] == '|') &&
         word.find_first_not_of("+-0123456789", 1) == absl::string_view::npos;
}

class Formatter {
 public:
  std::string Run(absl::string_view text) {
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      absl::ConsumeSuffix(&line, "\r");
      Add(line);
    }
    FlushComments(0);
    while (!out_.empty() && out_.back() == '\n') {
      out_.pop_back();
    }
    return out_.empty() ? out_ : absl::StrCat(out_, "\n");
  }

 private:
  void Add(absl::string_view line) {
    const std::size_t indent = IndentOf(line);
    const bool empty = absl::StripAsciiWhitespace(line).empty();
    if (block_ && (empty || indent > block_column_)) {
      AddBlockText(line, indent, empty);
      return;
    }
    block_ = false;
    if (scanner_.in_quotes()) {  // a quoted text goes on: its line breaks and blanks are its own
      absl::StrAppend(&out_, scanner_.Rewrite(line), "\n");
      return;
    }
    if (empty && !pending_.empty()) {
      pending_.emplace_back();
      return;
    }
    if (empty) {
      AddEmpty();
      return;
    }
    if (scanner_.depth() > 0) {
      absl::StrAppend(&out_, std::string(flow_column_ + kStep, ' '),
                      scanner_.Rewrite(line.substr(indent)), "\n");
      return;
    }
    AddLine(line.substr(indent), indent);
  }

  // Comments belong to what follows and stand where it stands.
  void FlushComments(std::size_t column) {
    for (const std::string& comment : pending_) {
      if (comment.empty()) {
        AddEmpty();
      } else {
        absl::StrAppend(&out_, std::string(column, ' '), comment, "\n");
      }
    }
    pending_.clear();
  }

  void AddEmpty() {
    if (!out_.empty() && !absl::EndsWith(out_, "\n\n")) {
      out_.push_back('\n');
    }
  }

  void AddBlockText(absl::string_view line, std::size_t indent, bool empty) {
    if (empty) {
      out_.push_back('\n');
      return;
    }
    if (block_shift_ == 0) {
      block_shift_ = indent;
    }
    const std::size_t extra = indent - std::min(indent, block_shift_);
    absl::StrAppend(&out_, std::string(block_after_ + kStep + extra, ' '),
                    absl::StripTrailingAsciiWhitespace(line.substr(indent)), "\n");
  }

  // The column of what begins at `indent`, which is a dash or not.
  std::size_t Place(std::size_t indent, bool dash) {
    while (!levels_.empty() &&
           (levels_.back().before > indent ||
            (levels_.back().before == indent && levels_.back().list && !dash))) {
      levels_.pop_back();
    }
    if (levels_.empty()) {
      levels_.push_back({indent, 0, dash});
    } else if (levels_.back().before < indent || (dash && !levels_.back().list)) {
      levels_.push_back({indent, levels_.back().after + kStep, dash});
    }
    return levels_.back().after;
  }

  void AddLine(absl::string_view content, std::size_t indent) {
    if (content[0] == '#') {
      pending_.push_back(scanner_.Rewrite(content));
      return;
    }
    const std::size_t column = Place(indent, absl::StartsWith(content, "- "));
    FlushComments(column);
    std::string lead(column, ' ');
    flow_column_ = column;
    while (absl::StartsWith(content, "- ")) {
      const std::size_t inner = IndentOf(content.substr(1)) + 1;
      content.remove_prefix(inner);
      indent += inner;
      absl::StrAppend(&lead, "- ");
      flow_column_ = Place(indent, absl::StartsWith(content, "- "));
    }
    block_ = OpensBlockText(content);
    block_column_ = levels_.back().before;
    block_after_ = levels_.back().after;
    block_shift_ = 0;
    absl::StrAppend(&out_, lead, scanner_.Rewrite(content), "\n");
  }

  Scanner scanner_;
  std::string out_;
  std::vector<Level> levels_;
  std::vector<std::string> pending_;  // comments and, as empty ones, the lines between them
  std::size_t flow_column_ = 0;
  bool block_ = false;
  std::size_t block_column_ = 0;
  std::size_t block_after_ = 0;
  std::size_t block_shift_ = 0;
};

bool SameTree(const yaml::Node& a, const yaml::Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!SameTree(a.items[i], b.items[i])) {
      return false;
    }
  }
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    if (a.entries[i].key != b.entries[i].key || !SameTree(a.entries[i].value, b.entries[i].value)) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> FormatPolicyFile(absl::string_view text, absl::string_view filename) {
  CARNET_ASSIGN_OR_RETURN(const yaml::Node before, yaml::Parse(text, filename));
  std::string formatted = Formatter().Run(text);
  const absl::StatusOr<yaml::Node> after = yaml::Parse(formatted, filename);
  if (!after.ok() || !SameTree(before, *after) || Formatter().Run(formatted) != formatted) {
    return yaml::ErrorAt(filename, before.position, "a layout that cannot be put in order safely",
                         "break its longest lines at commas, and indent with two blanks");
  }
  return formatted;
}

}  // namespace carnet::policies
