// The starter packs, carried inside the program so that they are at hand wherever it is installed.
#ifndef CARNET_POLICIES_PACKS_H_
#define CARNET_POLICIES_PACKS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "policies/bundle.h"
#include "policies/loader.h"

namespace carnet::policies {

// The files of policies/packs/, by name: house.yaml, gdpr-chapter-v.yaml, …, groups.yaml,
// tests.yaml.
const std::vector<SourceFile>& PackFiles();

// All packs with this home jurisdiction; not issued. Error INVALID_ARGUMENT: no such jurisdiction.
absl::StatusOr<std::shared_ptr<const Bundle>> StarterBundle(const std::string& home);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_PACKS_H_
