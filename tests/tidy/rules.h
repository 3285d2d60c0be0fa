// The habits of the house that a program can check. Each rule looks at sources and names what
// breaks it; tidy_test.cc runs all on the tree, planted_test.cc shows that each finds what it is
// for.
#ifndef CARNET_TESTS_TIDY_RULES_H_
#define CARNET_TESTS_TIDY_RULES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tests/tidy/source.h"

namespace carnet::tidy {

// One violation. `line` counts from 1; 0 is the file as a whole.
struct Finding {
  std::string path;
  std::size_t line;
  std::string what;
};
using Findings = std::vector<Finding>;
using Sources = std::vector<Source>;

inline constexpr std::size_t kFunctionLinesMax = 70;
// A file of more than kFileLinesWanted lines is noted, one of more than kFileLinesMax is a finding.
inline constexpr std::size_t kFileLinesWanted = 500;
inline constexpr std::size_t kFileLinesMax = 600;

// layer_rules.cc. A room includes only rooms on lower floors; tests include anything and nothing
// includes tests; gRPC stays at the edges; SQLite and OpenSSL stay where they are wrapped.
Findings CheckLayers(const Sources& sources);
// The ledger's verifier reaches no writer file, through any header.
Findings CheckVerifierIsIndependent(const Sources& sources);
// Pure folders include nothing with threads, clocks, randomness, sockets or files.
Findings CheckPureCores(const Sources& sources);

// size_rules.cc. From a function's first line to its closing brace; physical lines of a file.
Findings CheckFunctionLengths(const Sources& sources);
Findings CheckFileLengths(const Sources& sources, std::size_t lines_max);

// word_rules.cc. Words that mark unfinished work; language that the house does without; sleeps in
// tests; paths of one machine, registry hosts in lockfiles.
Findings CheckUnfinishedWords(const Sources& sources);
Findings CheckLanguage(const Sources& sources);
Findings CheckSleeps(const Sources& sources);
Findings CheckMachinePaths(const Sources& sources);

// tree_rules.cc. Headers start with a comment and have a guard named after their path; each source
// is named in the nearest CMakeLists.txt; test names are ones that ctest can pass on; scripts are
// strict.
Findings CheckHeaders(const Sources& sources);
Findings CheckDeadFiles(const Sources& sources);
Findings CheckTestNames(const Sources& sources);
Findings CheckScripts(const Sources& sources);

}  // namespace carnet::tidy

#endif  // CARNET_TESTS_TIDY_RULES_H_
