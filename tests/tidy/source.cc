#include "tests/tidy/source.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace carnet::tidy {
namespace {

namespace fs = std::filesystem;

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool IsIgnoredFolder(const fs::path& relative) {
  static const auto* const kIgnored =
      new std::set<std::string>{"build", "demo", "node_modules", "__pycache__"};
  const std::string name = relative.filename().string();
  // scripts/demo is ours; the folder at the top is what it leaves behind.
  const bool at_top = !relative.has_parent_path();
  if (name == "build" || name == "demo") {
    return at_top;
  }
  return kIgnored->count(name) > 0 || (name.front() == '.' && name != ".ci");
}

bool IsOurs(const fs::path& relative) {
  static const auto* const kExtensions = new std::set<std::string>{
      ".cc", ".h", ".proto", ".py", ".sh", ".cmake", ".txt", ".md", ".go"};
  const std::string name = relative.filename().string();
  const std::string top = relative.begin()->string();
  return kExtensions->count(relative.extension().string()) > 0 || name == "package-lock.json" ||
         (!relative.has_extension() && (top == "scripts" || top == ".ci"));
}

// Walks C++ text once. Each method consumes one construct from `position` on.
class Scrubber {
 public:
  explicit Scrubber(const std::string& text) : text_(text), out_(text) {}

  std::string Run() {
    while (at_ < text_.size()) {
      if (StartsWith("//")) {
        BlankUntil("\n", 0);
      } else if (StartsWith("/*")) {
        BlankUntil("*/", 2);
      } else if (IsRawString()) {
        BlankRawString();
      } else if (text_[at_] == '"' || (text_[at_] == '\'' && !IsDigitSeparator())) {
        BlankQuoted(text_[at_]);
      } else {
        ++at_;
      }
    }
    return out_;
  }

 private:
  bool StartsWith(const char* prefix) const {
    return text_.compare(at_, std::string(prefix).size(), prefix) == 0;
  }

  bool IsRawString() const {
    return StartsWith("R\"") && (at_ == 0 || !IsWordChar(text_[at_ - 1]));
  }

  bool IsDigitSeparator() const {
    return at_ > 0 && at_ + 1 < text_.size() &&
           std::isxdigit(static_cast<unsigned char>(text_[at_ - 1])) != 0 &&
           std::isxdigit(static_cast<unsigned char>(text_[at_ + 1])) != 0 &&
           (at_ + 2 >= text_.size() || text_[at_ + 2] != '\'');
  }

  void Blank(std::size_t end) {
    for (; at_ < end; ++at_) {
      if (out_[at_] != '\n') {
        out_[at_] = ' ';
      }
    }
  }

  // Blanks up to `end_mark` and `extra` characters of it.
  void BlankUntil(const std::string& end_mark, std::size_t extra) {
    const std::size_t found = text_.find(end_mark, at_ + (extra > 0 ? 2 : 0));
    Blank(found == std::string::npos ? text_.size() : found + extra);
  }

  void BlankRawString() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string::npos) {
      Blank(text_.size());
      return;
    }
    const std::string close = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
    const std::size_t found = text_.find(close, open);
    Blank(found == std::string::npos ? text_.size() : found + close.size());
  }

  void BlankQuoted(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    Blank(std::min(end + 1, text_.size()));
  }

  const std::string& text_;
  std::string out_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Source> ReadTree(const std::string& root) {
  std::vector<Source> sources;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path relative = entry->path().lexically_relative(root);
    if (entry->is_directory(error)) {
      if (IsIgnoredFolder(relative)) {
        entry.disable_recursion_pending();
      }
    } else if (IsOurs(relative)) {
      std::ifstream input(entry->path(), std::ios::binary);
      sources.push_back(
          {relative.generic_string(),
           std::string((std::istreambuf_iterator<char>(input)), std::istreambuf_iterator<char>())});
    }
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  }
  return lines;
}

std::string CodeOnly(const std::string& text) {
  return Scrubber(text).Run();
}

std::string WithoutDirectives(const std::string& code) {
  std::string out = code;
  bool in_directive = false;
  bool at_line_start = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '\n') {
      in_directive = in_directive && i > 0 && code[i - 1] == '\\';
      at_line_start = true;
      continue;
    }
    if (at_line_start && out[i] == '#') {
      in_directive = true;
    }
    at_line_start = at_line_start && out[i] == ' ';
    if (in_directive) {
      out[i] = ' ';
    }
  }
  return out;
}

bool HasWord(const std::string& line, const std::string& word) {
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !IsWordChar(line[at - 1])) && (end == line.size() || !IsWordChar(line[end]))) {
      return true;
    }
  }
  return false;
}

std::string TopFolder(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string FileName(const std::string& path) {
  return fs::path(path).filename().string();
}

std::string Extension(const std::string& path) {
  return fs::path(path).extension().string();
}

bool IsCpp(const Source& source) {
  return absl::EndsWith(source.path, ".cc") || absl::EndsWith(source.path, ".h");
}

bool IsShell(const Source& source) {
  if (absl::EndsWith(source.path, ".sh")) {
    return true;
  }
  const std::string first = source.text.substr(0, source.text.find('\n'));
  return Extension(source.path).empty() && absl::StartsWith(first, "#!") && HasWord(first, "bash");
}

bool IsPython(const Source& source) {
  const std::string first = source.text.substr(0, source.text.find('\n'));
  return absl::EndsWith(source.path, ".py") ||
         (Extension(source.path).empty() && absl::StartsWith(first, "#!") &&
          absl::StrContains(first, "python"));
}

}  // namespace carnet::tidy
