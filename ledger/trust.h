// What an auditor must get from elsewhere than the log: its key and its first record.
#ifndef CARNET_LEDGER_TRUST_H_
#define CARNET_LEDGER_TRUST_H_

#include <string>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "ledger/note.h"

namespace carnet::ledger {

// A C2SP tlog-policy file: the log's vkey, `quorum none`, and the line `# genesis <hex of leaf 0>`
// that our tools require.
std::string TrustPolicyText(const NoteKey& log, const Digest& genesis_leaf_hash);

// The trusted root of Sigstore clients, as JSON. valid_from: when the log's key began to sign.
std::string TrustedRootJson(const NoteKey& log, absl::Time valid_from);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_TRUST_H_
