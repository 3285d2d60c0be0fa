// Heads that a log signed with a key which it does not hold any more, because its state went back
// to before the handover to that key. What proves it is the chain of handovers: each is signed by
// the key before, and the first one by a key that the log still knows.
#ifndef CARNET_LEDGER_LATER_HEAD_H_
#define CARNET_LEDGER_LATER_HEAD_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/head.h"
#include "ledger/log.h"
#include "ledger/log_keys.h"

namespace carnet::ledger {

// The head, signed by one of `keys` or by a key that `handovers` (key-rotated records, oldest
// first) lead to; records that are no handover from a key so far are passed over. Pure. Error
// UNAUTHENTICATED: none of these signed it.
absl::StatusOr<Head> ParseLaterHead(absl::string_view note, const LogKeys& keys,
                                    const std::vector<v1::SignedRecord>& handovers);

// As Log::CheckOwnHead, for a head that somebody shows with the handovers that he followed. A head
// by a key that only they lead to is misbehaviour too, and closes the log.
absl::Status CheckShownHead(Log& log, absl::string_view note,
                            const std::vector<v1::SignedRecord>& handovers);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_LATER_HEAD_H_
