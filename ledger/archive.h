// A whole log in one file, for `carnet audit --bundle`: a ustar archive in one fixed form
// (docs/formats.md, "Audit bundle"). It is made from the log's store alone; what lies beside it in
// the state folder, keys and vault above all, is never read.
#ifndef CARNET_LEDGER_ARCHIVE_H_
#define CARNET_LEDGER_ARCHIVE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ledger/view.h"

namespace carnet::ledger {

struct ArchiveOptions {
  std::string job;                 // whom it is for; empty: no job in particular
  std::vector<std::string> heads;  // notes of earlier heads, at most 64; checked by who audits
};

// Writes statements, entries, tiles and the newest head to `file`, replacing it; its mode is 0600,
// because whoever has it can read every statement. Returns the exported size. The same log and
// options give the same bytes. A failure leaves no file of that name that was not there before.
// Errors: NOT_FOUND the job is not on record; INVALID_ARGUMENT too many heads; others of
// base/files.h and the store.
absl::StatusOr<std::uint64_t> ExportArchive(const LogView& log, const std::filesystem::path& file,
                                            const ArchiveOptions& options);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_ARCHIVE_H_
