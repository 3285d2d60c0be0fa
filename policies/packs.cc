#include "policies/packs.h"

namespace carnet::policies {

absl::StatusOr<std::shared_ptr<const Bundle>> StarterBundle(const std::string& home) {
  LoadOptions options;
  options.home = home;
  return BundleFromFiles(PackFiles(), options);
}

}  // namespace carnet::policies
