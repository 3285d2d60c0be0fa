// A folder for one test, removed with all it holds.
#ifndef CARNET_TESTS_UNIT_LEDGER_TEMP_DIR_H_
#define CARNET_TESTS_UNIT_LEDGER_TEMP_DIR_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace carnet::testing_ledger {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "carnet-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace carnet::testing_ledger

#endif  // CARNET_TESTS_UNIT_LEDGER_TEMP_DIR_H_
