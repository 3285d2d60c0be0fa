#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

struct Extent {
  std::size_t first_line;
  std::size_t last_line;
};

std::size_t LineAt(const std::string& text, std::size_t position) {
  return 1 + static_cast<std::size_t>(std::count(
                 text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
}

// Finds the functions of C++ code by its braces. What stands before an opening brace, back to the
// last
// `;`, `{` or `}`, tells namespaces, types and initializers from functions; within a function
// nothing needs telling apart.
class FunctionFinder {
 public:
  explicit FunctionFinder(const std::string& text) : code_(WithoutDirectives(CodeOnly(text))) {}

  std::vector<Extent> Run() {
    for (at_ = 0; at_ < code_.size(); ++at_) {
      switch (code_[at_]) {
        case '(':
          ++parentheses_;
          break;
        case ')':
          --parentheses_;
          break;
        case '{':
          Open();
          break;
        case '}':
          Close();
          break;
        case ';':
          if (parentheses_ == 0) {
            head_ = at_ + 1;
          }
          break;
        case ':':
          SkipAccessSpecifier();
          break;
        default:
          break;
      }
    }
    return functions_;
  }

 private:
  struct Brace {
    bool is_function;
    std::size_t head;
    int parentheses;
  };

  void Open() {
    const bool inside =
        std::any_of(open_.begin(), open_.end(), [](const Brace& b) { return b.is_function; });
    open_.push_back({!inside && parentheses_ == 0 && HeadIsFunction(), head_, parentheses_});
    parentheses_ = 0;
    head_ = at_ + 1;
  }

  void Close() {
    if (open_.empty()) {
      return;
    }
    const Brace brace = open_.back();
    open_.pop_back();
    parentheses_ = brace.parentheses;
    const std::size_t next = code_.find_first_not_of(" \n", at_ + 1);
    // Braces of a constructor's initializers, or of a default argument: the head goes on.
    if (parentheses_ > 0 ||
        (next != std::string::npos && (code_[next] == ',' || code_[next] == '{'))) {
      head_ = brace.head;
      return;
    }
    if (brace.is_function) {
      const std::size_t start = std::min(code_.find_first_not_of(" \n", brace.head), at_);
      functions_.push_back({LineAt(code_, start), LineAt(code_, at_)});
    }
    head_ = at_ + 1;
  }

  void SkipAccessSpecifier() {
    const std::string head(absl::StripAsciiWhitespace(code_.substr(head_, at_ - head_)));
    if (head == "public" || head == "private" || head == "protected") {
      head_ = at_ + 1;
    }
  }

  // `head` without a leading template<...>, whose parameters may say `class`.
  static std::string WithoutTemplate(const std::string& head) {
    if (!absl::StartsWith(head, "template")) {
      return head;
    }
    int depth = 0;
    for (std::size_t i = 0; i < head.size(); ++i) {
      depth += head[i] == '<' ? 1 : 0;
      if (head[i] == '>' && --depth == 0) {
        return head.substr(i + 1);
      }
    }
    return head;
  }

  bool HeadIsFunction() const {
    const std::string head =
        WithoutTemplate(std::string(absl::StripAsciiWhitespace(code_.substr(head_, at_ - head_))));
    if (head.empty() || head.back() == '=' || !absl::StrContains(head, "(")) {
      return false;
    }
    for (const char* word : {"namespace", "class", "struct", "union", "enum"}) {
      if (HasWord(head, word)) {
        return false;
      }
    }
    return true;
  }

  const std::string code_;
  std::vector<Extent> functions_;
  std::vector<Brace> open_;
  std::size_t at_ = 0;
  std::size_t head_ = 0;
  int parentheses_ = 0;
};

std::size_t Indent(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// A function ends with the last line that is indented more than its `def`.
std::vector<Extent> PythonFunctions(const std::string& text) {
  const std::vector<std::string> lines = Lines(text);
  std::vector<Extent> functions;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t indent = Indent(lines[i]);
    if (lines[i].compare(indent, 4, "def ") != 0) {
      continue;
    }
    std::size_t last = i;
    for (std::size_t j = i + 1; j < lines.size(); ++j) {
      if (lines[j].empty()) {
        continue;
      }
      // The closing parenthesis of a long parameter list stands under its `def`.
      if (Indent(lines[j]) <= indent && lines[j][Indent(lines[j])] != ')') {
        break;
      }
      last = j;
    }
    functions.push_back({i + 1, last + 1});
  }
  return functions;
}

std::vector<Extent> ShellFunctions(const std::string& text) {
  const std::vector<std::string> lines = Lines(text);
  std::vector<Extent> functions;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!absl::EndsWith(lines[i], "() {")) {
      continue;
    }
    for (std::size_t j = i + 1; j < lines.size(); ++j) {
      if (lines[j] == "}") {
        functions.push_back({i + 1, j + 1});
        break;
      }
    }
  }
  return functions;
}

std::vector<Extent> FunctionsOf(const Source& source) {
  if (IsCpp(source)) {
    return FunctionFinder(source.text).Run();
  }
  if (IsPython(source)) {
    return PythonFunctions(source.text);
  }
  return IsShell(source) ? ShellFunctions(source.text) : std::vector<Extent>();
}

}  // namespace

Findings CheckFunctionLengths(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    for (const Extent& function : FunctionsOf(source)) {
      const std::size_t lines = function.last_line - function.first_line + 1;
      if (lines > kFunctionLinesMax) {
        findings.push_back(
            {source.path, function.first_line,
             absl::StrCat("a function of ", lines, " lines; at most ", kFunctionLinesMax)});
      }
    }
  }
  return findings;
}

Findings CheckFileLengths(const Sources& sources, std::size_t lines_max) {
  Findings findings;
  for (const Source& source : sources) {
    const std::size_t lines = Lines(source.text).size();
    if ((IsCpp(source) || IsPython(source) || IsShell(source)) && lines > lines_max) {
      findings.push_back({source.path, 0, absl::StrCat(lines, " lines; at most ", lines_max)});
    }
  }
  return findings;
}

}  // namespace carnet::tidy
