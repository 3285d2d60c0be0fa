// A log in one file, as `carnet audit export` writes it: a ustar archive in one fixed form
// (docs/formats.md, "Audit bundle"). Reads it strictly: whatever is not in that form is refused,
// and every size is bounded before memory is taken.
#ifndef CARNET_LEDGER_READERS_ARCHIVE_SOURCE_H_
#define CARNET_LEDGER_READERS_ARCHIVE_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ledger/verifier/whole_log.h"

namespace carnet::ledger {

inline constexpr std::size_t kArchiveEntriesMax = 1'000'000;
inline constexpr std::size_t kArchiveAboutBytesMax = 4096;
inline constexpr std::size_t kArchiveHeadsMax = 64;  // earlier heads
// 256 statements of 1 MiB with their lengths: the largest resource.
inline constexpr std::size_t kArchiveResourceBytesMax = std::size_t{257} * 1024 * 1024;

class ArchiveSource final : public verifier::LogSource {
 public:
  // Fills all of `out` from `offset`, or fails. Called from the thread that calls Read.
  using ReadAt = std::function<absl::Status(std::uint64_t offset, std::span<std::uint8_t> out)>;

  // Reads the headers, not the contents. Errors: NOT_FOUND no such file. UNAUTHENTICATED: not in
  // the form, or over a bound; do not retry.
  static absl::StatusOr<std::unique_ptr<ArchiveSource>> Open(const std::filesystem::path& path);
  static absl::StatusOr<std::unique_ptr<ArchiveSource>> Open(ReadAt read, std::uint64_t size_bytes);

  absl::StatusOr<Bytes> Read(absl::string_view path) override;

  // The job that it was exported for; empty: none in particular.
  const std::string& job() const { return job_; }
  // Notes of earlier heads that came with it.
  const std::vector<std::string>& heads() const { return heads_; }
  // Names of all its entries, sorted.
  std::vector<std::string> Names() const;

 private:
  struct Entry {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
  };
  explicit ArchiveSource(ReadAt read) : read_(std::move(read)) {}
  absl::Status ReadIndex(std::uint64_t size_bytes);
  absl::Status ReadAbout();

  const ReadAt read_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::string job_;
  std::vector<std::string> heads_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_READERS_ARCHIVE_SOURCE_H_
