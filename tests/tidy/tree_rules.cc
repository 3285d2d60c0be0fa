#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

// carnet/base/bytes.h -> CARNET_BASE_BYTES_H_
std::string GuardOf(const std::string& path) {
  std::string guard = "CARNET_";
  for (const char c : path) {
    guard += std::isalnum(static_cast<unsigned char>(c)) != 0
                 ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                 : '_';
  }
  return guard + "_";
}

// Whether `path` stands in CMake text as a whole word, or below a variable: `${...}/path`.
bool IsNamed(const std::string& cmake, const std::string& path) {
  for (std::size_t at = cmake.find(path); at != std::string::npos; at = cmake.find(path, at + 1)) {
    const bool below_variable = at > 1 && cmake.compare(at - 2, 2, "}/") == 0;
    const char before = at == 0 || below_variable ? ' ' : cmake[at - 1];
    const std::size_t end = at + path.size();
    const char after = end == cmake.size() ? ' ' : cmake[end];
    if (absl::StrContains(" \n\t(\"", std::string(1, before)) &&
        absl::StrContains(" \n\t)\"", std::string(1, after))) {
      return true;
    }
  }
  return false;
}

std::string ParentFolder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// Headers of tests need no naming where they are built: being included is enough.
bool IsIncludedTestHeader(const std::string& path, const Sources& sources) {
  if (!absl::EndsWith(path, ".h") || TopFolder(path) != "tests") {
    return false;
  }
  const std::string ending = absl::StrCat("/", FileName(path), "\"");
  return std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
    return IsCpp(source) && absl::StrContains(source.text, ending);
  });
}

// The first argument of TEST_CASE and its kin on each line of `text` that has one.
struct TestName {
  std::size_t line;
  std::string name;
};

std::vector<TestName> TestNames(const std::string& text) {
  std::vector<TestName> names;
  const std::vector<std::string> lines = Lines(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!absl::StartsWith(lines[i], "TEST_CASE") && !absl::StartsWith(lines[i], "SCENARIO")) {
      continue;
    }
    const std::size_t open = lines[i].find('"');
    std::size_t close = open == std::string::npos ? open : open + 1;
    while (close != std::string::npos && close < lines[i].size() && lines[i][close] != '"') {
      close += lines[i][close] == '\\' ? 2 : 1;
    }
    if (close != std::string::npos && close < lines[i].size()) {
      names.push_back({i + 1, lines[i].substr(open + 1, close - open - 1)});
    }
  }
  return names;
}

}  // namespace

Findings CheckHeaders(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!absl::EndsWith(source.path, ".h")) {
      continue;
    }
    if (!absl::StartsWith(source.text, "//")) {
      findings.push_back(
          {source.path, 1, "a header starts with a comment that says what it is for"});
    }
    const std::string guard = GuardOf(source.path);
    if (!absl::StrContains(source.text,
                           absl::StrCat("#ifndef ", guard, "\n#define ", guard, "\n"))) {
      findings.push_back({source.path, 0, absl::StrCat("the include guard is ", guard)});
    }
  }
  return findings;
}

Findings CheckDeadFiles(const Sources& sources) {
  static const auto* const kTops =
      new std::set<std::string>{"api",      "base",        "crypto", "model", "ledger", "policies",
                                "exchange", "coordinator", "worker", "cli",   "tests"};
  std::map<std::string, std::string> cmake_of_folder;
  std::string shared_cmake;
  for (const Source& source : sources) {
    if (FileName(source.path) == "CMakeLists.txt") {
      cmake_of_folder[ParentFolder(source.path)] = source.text;
    } else if (Extension(source.path) == ".cmake") {
      shared_cmake += source.text;
    }
  }
  Findings findings;
  for (const Source& source : sources) {
    const bool is_proto = absl::EndsWith(source.path, ".proto");
    if (kTops->count(TopFolder(source.path)) == 0 || (!IsCpp(source) && !is_proto)) {
      continue;
    }
    std::string folder = ParentFolder(source.path);
    while (!folder.empty() && cmake_of_folder.count(folder) == 0) {
      folder = ParentFolder(folder);
    }
    const bool alive = IsNamed(shared_cmake, source.path) ||
                       IsIncludedTestHeader(source.path, sources) ||
                       (!folder.empty() &&
                        IsNamed(cmake_of_folder.at(folder), source.path.substr(folder.size() + 1)));
    if (!alive) {
      findings.push_back({source.path, 0, "no CMakeLists.txt names it: dead, or never compiled"});
    }
  }
  return findings;
}

Findings CheckTestNames(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!IsCpp(source) || TopFolder(source.path) != "tests") {
      continue;
    }
    for (const TestName& test : TestNames(source.text)) {
      if (test.name.find_first_of(";[]*\\~#") != std::string::npos) {
        findings.push_back(
            {source.path, test.line,
             "a test's name has none of ; [ ] * \\ ~ # and no quotes: ctest cannot pass "
             "them on to Catch2"});
      }
    }
  }
  return findings;
}

Findings CheckScripts(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    // A file that is only sourced says so in its first line, and takes the strictness of whoever
    // does.
    if (IsShell(source) && !absl::StartsWith(source.text, "# shellcheck shell=bash") &&
        !absl::StrContains(source.text, "\nset -euo pipefail\n")) {
      findings.push_back({source.path, 0, "a script says `set -euo pipefail`"});
    }
  }
  return findings;
}

}  // namespace carnet::tidy
