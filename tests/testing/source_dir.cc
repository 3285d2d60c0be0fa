#include "tests/testing/source_dir.h"

namespace carnet::testing {

std::string InTree(const std::string& path) {
  return std::string(CARNET_SOURCE_DIR "/") + path;
}

}  // namespace carnet::testing
