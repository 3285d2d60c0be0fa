// Bundles as `carnet ledger export --bundles` writes them, for the programs that make logs for
// other people's verifiers.
#ifndef CARNET_TESTS_INTEROP_BUNDLE_FILES_H_
#define CARNET_TESTS_INTEROP_BUNDLE_FILES_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "ledger/view.h"

namespace carnet {

absl::Status WriteText(const std::filesystem::path& path, absl::string_view text);

// A bundle for each index, and bundles.json, which names them.
absl::Status WriteBundles(const ledger::LogView& log, const std::vector<std::uint64_t>& indexes,
                          const std::filesystem::path& out);

}  // namespace carnet

#endif  // CARNET_TESTS_INTEROP_BUNDLE_FILES_H_
