// A log as a folder of files that any web server can serve and any C2SP client can check.
#ifndef CARNET_LEDGER_EXPORT_H_
#define CARNET_LEDGER_EXPORT_H_

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/view.h"

namespace carnet::ledger {

struct ExportOptions {
  // The statements too, as `statements/<N>[.p/<W>]`: 256 of `uint32be length || statement` each.
  // They are no part of C2SP's layout, and whoever gets them can read them. A folder that has
  // statements gets the new ones too, whatever stands here.
  bool statements = false;
};

struct Exported {
  std::uint64_t size = 0;           // of the head that stands there now
  std::uint64_t files_written = 0;  // besides the head; what was there already is not written again
};

// Writes checkpoint, tile/… and tile/entries/… of the published head into `directory`: missing,
// empty, or an earlier export of the same log (whole or cut off), which grows by what is new. Files
// and folders are made with the modes 0644 and 0755.
//
// Each file appears whole; the head comes last, so that whoever finds a head finds what it implies.
// Partial tiles stay until the full tile stands beside them, as readers of earlier heads ask for
// them; then they go. A crash at any point leaves the earlier export, to which the next one adds.
//
// Errors: NOT_FOUND no head is published yet. ALREADY_EXISTS the folder holds something else.
// FAILED_PRECONDITION: its head is newer than the published one, an export of another log, or
// another process exports into it. DATA_LOSS, IsLogMisbehaviour: the folder's head is newer than
// this log, or has another root: the log was rolled back or forked; nothing was written. Others of
// base/files.h and the store.
absl::StatusOr<Exported> ExportTiles(const LogView& log, const std::filesystem::path& directory,
                                     const ExportOptions& options = {});

// Writes trust.policy and trusted-root.json into `directory`, replacing them. FAILED_PRECONDITION:
// an empty log.
absl::Status ExportTrust(const LogView& log, const std::filesystem::path& directory);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_EXPORT_H_
