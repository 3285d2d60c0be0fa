// Reads bundles. Every mistake is an INVALID_ARGUMENT error whose message has one line for each, at
// most kLoadErrorsMax: `<file>:<line>:<column>: <what>; <what was expected or probably meant>`.
// Nothing here reads a clock; only LoadBundle reads files.
#ifndef CARNET_POLICIES_LOADER_H_
#define CARNET_POLICIES_LOADER_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "policies/bundle.h"

namespace carnet::policies {

inline constexpr std::size_t kLoadErrorsMax = 20;

struct SourceFile {
  std::string name;  // for messages
  std::string text;
};

struct LoadOptions {
  // Takes the place of `home` in the groups file; empty: that one holds.
  std::string home;
};

// The bundle in `directory`: every *.yaml in it and in its folder tests/ is a file of policies
// (`policy:`), groups (`groups:`) or tests (`tests:`). Not issued: revision 0, no end of validity.
// Errors: NOT_FOUND, PERMISSION_DENIED for files; INVALID_ARGUMENT for what is in them.
absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(const std::filesystem::path& directory,
                                                         const LoadOptions& options = {});

// The same from texts at hand.
absl::StatusOr<std::shared_ptr<const Bundle>> BundleFromFiles(const std::vector<SourceFile>& files,
                                                              const LoadOptions& options = {});

// Reads Bundle::CanonicalJson() back; the result's CanonicalJson() is the same bytes.
// Error INVALID_ARGUMENT: not canonical, more than kBundleJsonBytesMax, another facts version, or
// any mistake that LoadBundle would find (positions are 0:0, the path in the JSON is named).
absl::StatusOr<std::shared_ptr<const Bundle>> BundleFromJson(absl::string_view json);

// The same policies with another head: what `carnet init` and `policy activate` put into force.
// Error INVALID_ARGUMENT: revision 0, valid for more than kBundleValidityMax or not at all, times
// that are not whole seconds.
absl::StatusOr<std::shared_ptr<const Bundle>> IssueBundle(const Bundle& bundle,
                                                          const BundleHead& head);

// A bundle of some policies of another, with all groups; not issued. Error NOT_FOUND: no such
// policy.
absl::StatusOr<std::shared_ptr<const Bundle>> SubsetOf(const Bundle& bundle,
                                                       const std::vector<std::string>& policies);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_LOADER_H_
