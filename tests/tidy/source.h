// The text of the tree as the rules of rules.h see it.
#ifndef CARNET_TESTS_TIDY_SOURCE_H_
#define CARNET_TESTS_TIDY_SOURCE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace carnet::tidy {

// One text file. `path` is relative to the top of the tree.
struct Source {
  std::string path;
  std::string text;
};

// Every text file of ours below `root`, by path: C++, protos, Python, shell, CMake, Markdown, npm
// lockfiles. Leaves out what git ignores (builds, node_modules) and hidden folders other than .ci.
std::vector<Source> ReadTree(const std::string& root);

std::vector<std::string> Lines(const std::string& text);

// C++ `text` with the inside of comments, strings and character literals replaced by blanks: the
// same length, the same lines. Raw strings and digit separators are understood.
std::string CodeOnly(const std::string& text);

// `code` (of CodeOnly) with preprocessor lines blank too.
std::string WithoutDirectives(const std::string& code);

// Whether `word` stands in `line` with no letter, digit or underscore beside it.
bool HasWord(const std::string& line, const std::string& word);

// The first folder of a path; the file's name; its extension with the dot, or nothing.
std::string TopFolder(const std::string& path);
std::string FileName(const std::string& path);
std::string Extension(const std::string& path);

bool IsCpp(const Source& source);
// *.sh, and files without an extension whose first line names bash.
bool IsShell(const Source& source);
bool IsPython(const Source& source);

}  // namespace carnet::tidy

#endif  // CARNET_TESTS_TIDY_SOURCE_H_
