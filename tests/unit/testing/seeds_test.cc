#include "tests/testing/seeds.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <vector>

namespace carnet::testing {
namespace {

void Set(const char* name, const char* value) {
  REQUIRE((value == nullptr ? unsetenv(name) : setenv(name, value, 1)) == 0);
}

}  // namespace

TEST_CASE("Seeds: follow the commit, and two commits share none") {
  Set("CARNET_SEED", nullptr);
  Set("CARNET_COMMIT_NUMBER", nullptr);
  CHECK(Seeds(3) == std::vector<std::uint64_t>{0, 1, 2});
  Set("CARNET_COMMIT_NUMBER", "7");
  CHECK(Seeds(3) == std::vector<std::uint64_t>{21, 22, 23});
  Set("CARNET_COMMIT_NUMBER", "8");
  CHECK(Seeds(3) == std::vector<std::uint64_t>{24, 25, 26});
}

TEST_CASE("Seeds: a replay runs the one seed that it names") {
  Set("CARNET_COMMIT_NUMBER", "7");
  Set("CARNET_SEED", "18446744073709551615");
  CHECK(Seeds(100) == std::vector<std::uint64_t>{18446744073709551615U});
}

}  // namespace carnet::testing
