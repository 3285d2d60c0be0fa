// The rules of rules.h over the whole tree.
#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

#include "tests/testing/source_dir.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

const Sources& Tree() {
  static const auto* const kTree = new Sources(ReadTree(testing::InTree("")));
  return *kTree;
}

// Prints each finding on a line of its own.
bool IsClean(const Findings& findings) {
  for (const Finding& finding : findings) {
    std::fprintf(stderr, "%s:%zu: %s\n", finding.path.c_str(), finding.line, finding.what.c_str());
  }
  return findings.empty();
}

}  // namespace

TEST_CASE("Tidy: the tree that is checked is this one") {
  std::size_t cpp_files = 0;
  for (const Source& source : Tree()) {
    cpp_files += IsCpp(source) ? 1 : 0;
    CHECK(source.path.find("build/") != 0);
  }
  CHECK(cpp_files > 10);
}

TEST_CASE("Tidy: a room includes only rooms on lower floors, and walls hold") {
  CHECK(IsClean(CheckLayers(Tree())));
}

TEST_CASE("Tidy: the ledger's verifier shares no code with its writer") {
  CHECK(IsClean(CheckVerifierIsIndependent(Tree())));
}

TEST_CASE("Tidy: pure cores have no threads, clocks, randomness, sockets or files") {
  CHECK(IsClean(CheckPureCores(Tree())));
}

TEST_CASE("Tidy: functions have at most 70 lines") {
  CHECK(IsClean(CheckFunctionLengths(Tree())));
}

TEST_CASE("Tidy: files have at most 600 lines, and those over 500 are named") {
  const bool all_short = IsClean(CheckFileLengths(Tree(), kFileLinesWanted));
  CAPTURE(all_short);
  CHECK(IsClean(CheckFileLengths(Tree(), kFileLinesMax)));
}

TEST_CASE("Tidy: nothing is marked as unfinished") {
  CHECK(IsClean(CheckUnfinishedWords(Tree())));
}

TEST_CASE("Tidy: nothing throws, uses a namespace, or writes to std::cout outside cli") {
  CHECK(IsClean(CheckLanguage(Tree())));
}

TEST_CASE("Tidy: no test sleeps") {
  CHECK(IsClean(CheckSleeps(Tree())));
}

TEST_CASE("Tidy: no file names a path or a registry of one machine") {
  CHECK(IsClean(CheckMachinePaths(Tree())));
}

TEST_CASE("Tidy: headers start with a comment and are guarded by their path") {
  CHECK(IsClean(CheckHeaders(Tree())));
}

TEST_CASE("Tidy: every source is named where it is built") {
  CHECK(IsClean(CheckDeadFiles(Tree())));
}

TEST_CASE("Tidy: ctest can run every test by its name") {
  CHECK(IsClean(CheckTestNames(Tree())));
}

TEST_CASE("Tidy: every script is strict") {
  CHECK(IsClean(CheckScripts(Tree())));
}

}  // namespace carnet::tidy
