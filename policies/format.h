// One way to write a policy file: what changes in a diff is then what was meant to change. Pure.
#ifndef CARNET_POLICIES_FORMAT_H_
#define CARNET_POLICIES_FORMAT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::policies {

// The same file with two blanks for each level, lists below their key by one level, one blank after
// a colon or a comma, none inside brackets, double quotes where single ones say the same, no blanks
// at the ends of lines, at most one empty line in a row, and one line feed at the end. Comments,
// the order of keys and where lines break stay. Formatting the result changes nothing.
//
// Error INVALID_ARGUMENT: no YAML that base/yaml.h reads, with file, line and column; or a layout
// that cannot be changed without changing what it means, which is said so.
absl::StatusOr<std::string> FormatPolicyFile(absl::string_view text, absl::string_view filename);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_FORMAT_H_
