// Which heads this log has published. A signed head follows each batch and goes into receipts and
// to witnesses; a published head is a signed head with the cosignatures that the log's policy asks
// for, and the only one at /checkpoint, in manifests, exports and tlog-proofs.
//
// Kept in one file of the state folder, `published`:
//   absent   the log has no witnesses: every signed head is published at once
//   empty    it has witnesses, and none of its heads has met the policy yet
//   a note   the newest head that met the policy, with its cosignatures
// Readers beside the running coordinator see the same, because every change is one atomic rename.
#ifndef CARNET_LEDGER_PUBLISHED_H_
#define CARNET_LEDGER_PUBLISHED_H_

#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ledger/head.h"
#include "ledger/log_keys.h"

namespace carnet::ledger {

inline constexpr char kPublishedFileName[] = "published";

struct Published {
  bool witnessed = false;  // false: every signed head is published at once
  std::optional<SignedHead> head;
};

// Errors: DATA_LOSS the file holds no head of a log with these keys; those of base/files.h.
absl::StatusOr<Published> ReadPublished(const std::filesystem::path& state_dir,
                                        const LogKeys& keys);

// Durable on return. Errors of base/files.h.
absl::Status WritePublished(const std::filesystem::path& state_dir, const Published& published);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_PUBLISHED_H_
