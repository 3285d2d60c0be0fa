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
  // They are no part of C2SP's layout, and whoever gets them can read them.
  bool statements = false;
};

// Writes checkpoint, tile/… and tile/entries/… of the newest head into `directory`, which must be
// empty or missing; files and folders are made with the modes 0644 and 0755. Returns the exported
// size. Errors: ALREADY_EXISTS the folder has entries; others of base/files.h and the store. A
// failure leaves what was written.
absl::StatusOr<std::uint64_t> ExportTiles(const LogView& log,
                                          const std::filesystem::path& directory,
                                          const ExportOptions& options = {});

// Writes trust.policy and trusted-root.json into `directory`, replacing them. FAILED_PRECONDITION:
// an empty log.
absl::Status ExportTrust(const LogView& log, const std::filesystem::path& directory);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_EXPORT_H_
