// The compact form of a manifest, from the full one.
#ifndef CARNET_CLI_COMPACT_MANIFEST_H_
#define CARNET_CLI_COMPACT_MANIFEST_H_

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"

namespace carnet::cli {

// full: a manifest that was verified, of the head of `tree_size` records. Errors:
// ledger/verifier/manifest.h's and ledger/manifest.h's.
absl::StatusOr<Bytes> CompactManifest(ByteView full, std::uint64_t tree_size);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMPACT_MANIFEST_H_
