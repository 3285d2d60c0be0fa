// What identifies a shard, and a trainer's files: digests that `sha256sum` can reproduce, computed
// the same way at home (`carnet init`) and by every worker. Blocking file work; any thread.
#ifndef CARNET_EXCHANGE_DATA_DIGEST_H_
#define CARNET_EXCHANGE_DATA_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace carnet::exchange {

// Files of one folder or trainer.
inline constexpr std::size_t kDataFilesMax = 100'000;

// Regular files below `directory`, as relative paths in ascending order of their bytes.
// Errors: FAILED_PRECONDITION an entry that is neither a regular file nor a folder (links are not
// followed), or a path with a line break. RESOURCE_EXHAUSTED more than kDataFilesMax. Those of
// base/files.h.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::filesystem::path& directory);

// SHA-256 of a regular file's bytes. Errors: those of base/files.h.
absl::StatusOr<Digest> FileDigest(const std::filesystem::path& path);

// SHA-256 of the text that `cd base && sha256sum PATHS` prints for `paths` in ascending order:
// "<64 hex digits>  <path>\n" for each. Error INVALID_ARGUMENT: a path is repeated or holds a line
// break or a backslash (which sha256sum would escape).
absl::StatusOr<Digest> FilesDigest(const std::filesystem::path& base,
                                   std::vector<std::string> paths);

// A shard: a file's digest, or that of all files of a folder (FilesDigest).
absl::StatusOr<Digest> PathDigest(const std::filesystem::path& path);

// Rows of a shard as far as that can be told from outside: lines that are not empty in a *.csv
// file, or in all *.csv files of a folder. 0: no such file, so nothing is known.
absl::StatusOr<std::uint64_t> CountRows(const std::filesystem::path& path);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_DATA_DIGEST_H_
