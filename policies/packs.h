// The starter packs, carried inside the program so that they are at hand wherever it is installed.
#ifndef CARNET_POLICIES_PACKS_H_
#define CARNET_POLICIES_PACKS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "policies/bundle.h"
#include "policies/loader.h"

namespace carnet::policies {

// The files of policies/packs/, by name: ae-adgm.yaml, …, groups.yaml, …, tests/ae-adgm.yaml, ….
const std::vector<SourceFile>& PackFiles();

// All packs with this home jurisdiction; not issued. Error INVALID_ARGUMENT: no such jurisdiction.
absl::StatusOr<std::shared_ptr<const Bundle>> StarterBundle(const std::string& home);

// A pack: a policy with its tests, or the groups that all of them share ("groups").
struct Pack {
  std::string name;
  std::string kind;         // regime, guardrail or groups
  std::string title;        // of the policy
  std::string facts_as_of;  // YYYY-MM-DD; empty: a choice of the house
  std::string review_by;    // YYYY-MM-DD
  std::vector<SourceFile> files;
  Digest sha256;  // over each file's name, a zero byte, its text, a zero byte
};

// Sorted by name.
const std::vector<Pack>& Packs();
// Null where there is none.
const Pack* FindPack(absl::string_view name);

// Which packs the files of a folder came from, and what they were when they were written: the text
// of its packs.lock.
struct PackPin {
  Digest sha256;                        // of the pack
  std::map<std::string, Digest> files;  // of each file as written, by name
};
using PackLock = std::map<std::string, PackPin>;

inline constexpr char kPackLockName[] = "packs.lock";
inline constexpr std::size_t kPackLockBytesMax = std::size_t{1} << 20;

std::string PackLockToText(const PackLock& lock);
// Error INVALID_ARGUMENT: not what PackLockToText writes.
absl::StatusOr<PackLock> PackLockFromText(absl::string_view text);

// A file of a pack as it is put into a folder: a comment says where it is from.
std::string ImportedText(const Pack& pack, const SourceFile& file);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_PACKS_H_
