#include <cctype>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

// Written in two halves, so that this file does not break its own rule.
const std::vector<std::string>& UnfinishedWords() {
  static const auto* const kWords = new std::vector<std::string>{
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X",
      "HA"
      "CK"};
  return *kWords;
}

const std::vector<std::string>& MachineRoots() {
  static const auto* const kRoots = new std::vector<std::string>{
      "/wo"
      "rk/",
      "/fa"
      "rm/",
      "/ro"
      "ot/",
      "/ho"
      "me/",
      "/Us"
      "ers/",
      "/t"
      "mp/"};
  return *kRoots;
}

// Whether `line` names an absolute path below `root`, and not a longer path or address that
// contains it.
bool NamesPathBelow(const std::string& line, const std::string& root) {
  for (std::size_t at = line.find(root); at != std::string::npos; at = line.find(root, at + 1)) {
    const char before = at == 0 ? ' ' : line[at - 1];
    const std::size_t end = at + root.size();
    const bool longer = std::isalnum(static_cast<unsigned char>(before)) != 0 ||
                        absl::StrContains("_.-/}*", std::string(1, before));
    const bool goes_on =
        end < line.size() &&
        (std::isalpha(static_cast<unsigned char>(line[end])) != 0 || line[end] == '.');
    if (!longer && goes_on) {
      return true;
    }
  }
  return false;
}

// A throw is the only way to stop yaml-cpp's parser from within its callbacks; base/yaml catches it
// in the same file. Fakes of tests play libraries that throw.
bool MayNotThrow(const std::string& path) {
  return !absl::StartsWith(path, "base/yaml") && TopFolder(path) != "tests";
}

// Adds a finding for every line of C++ code (comments and strings apart) that `matches`.
template <typename Matches>
void AddWhere(const Source& source, const std::string& what, Matches matches, Findings& findings) {
  const std::vector<std::string> code = Lines(CodeOnly(source.text));
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (matches(code[i])) {
      findings.push_back({source.path, i + 1, what});
    }
  }
}

}  // namespace

Findings CheckUnfinishedWords(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    const std::vector<std::string> lines = Lines(source.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (const std::string& word : UnfinishedWords()) {
        // mktemp's template is no such word.
        if (HasWord(lines[i], word) && !absl::StrContains(lines[i], "mktemp")) {
          findings.push_back(
              {source.path, i + 1, absl::StrCat("says ", word, "; finish it or leave it")});
        }
      }
    }
  }
  return findings;
}

Findings CheckLanguage(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!IsCpp(source)) {
      continue;
    }
    if (MayNotThrow(source.path)) {
      AddWhere(
          source, "throws; return an absl::Status",
          [](const std::string& line) { return HasWord(line, "throw"); }, findings);
    }
    AddWhere(
        source, "using namespace; name what is used",
        [](const std::string& line) { return HasWord(line, "using namespace"); }, findings);
    if (TopFolder(source.path) != "cli") {
      AddWhere(
          source, "std::cout outside cli/",
          [](const std::string& line) { return absl::StrContains(line, "std::cout"); }, findings);
    }
  }
  return findings;
}

Findings CheckSleeps(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!IsCpp(source) || TopFolder(source.path) != "tests") {
      continue;
    }
    for (const char* word : {"sleep_for", "sleep_until", "SleepFor", "usleep", "nanosleep"}) {
      AddWhere(
          source, absl::StrCat(word, " in a test; wait for a condition or turn a fake clock"),
          [word](const std::string& line) { return HasWord(line, word); }, findings);
    }
  }
  return findings;
}

Findings CheckMachinePaths(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    const std::vector<std::string> lines = Lines(source.text);
    const bool is_lockfile = FileName(source.path) == "package-lock.json";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (const std::string& root : MachineRoots()) {
        if (NamesPathBelow(lines[i], root)) {
          findings.push_back(
              {source.path, i + 1, absl::StrCat("names a path of one machine, ", root)});
        }
      }
      if (is_lockfile && absl::StrContains(lines[i], "\"resolved\": \"http")) {
        findings.push_back(
            {source.path, i + 1,
             "names a registry; set omit-lockfile-registry-resolved=true in .npmrc"});
      }
    }
  }
  return findings;
}

}  // namespace carnet::tidy
