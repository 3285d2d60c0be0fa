#include "ledger/readers/directory_source.h"

#include <string>
#include <utility>

#include "base/files.h"

namespace carnet::ledger {
namespace {

// 256 statements of 1 MiB with their lengths: the largest resource.
constexpr std::size_t kResourceBytesMax = std::size_t{257} * 1024 * 1024;

}  // namespace

DirectorySource::DirectorySource(std::filesystem::path directory)
    : directory_(std::move(directory)) {}

absl::StatusOr<Bytes> DirectorySource::Read(absl::string_view path) {
  return ReadFile(directory_ / std::string(path), kResourceBytesMax);
}

}  // namespace carnet::ledger
