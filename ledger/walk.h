// Reading a whole log as fast as its records can be folded in: reading, checking and parsing on
// several threads, handing over in order.
#ifndef CARNET_LEDGER_WALK_H_
#define CARNET_LEDGER_WALK_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "ledger/record.h"
#include "ledger/view.h"

namespace carnet::ledger {

// Records read ahead at most: for each thread two tiles of 256, of at most 1 MiB each.
inline constexpr unsigned kWalkTilesPerThread = 2;

// Calls `visit`, on the calling thread, for every record of `log` in order, up to the size at the
// call. `record` is good until `visit` returns. As LogView::ForEachRecord, each statement is
// checked against its stored leaf and its leaf against the tree, and opened by OpenVerifiedRecord
// besides. threads: that read ahead; at least 1. Errors, each naming the first index that it is
// about: DATA_LOSS, IsLogMisbehaviour (errors.h) a record that is not the one that the tree holds;
// DATA_LOSS one that cannot be read. LogView's. An error of `visit` ends it and is returned.
// Records before the first bad one are visited.
absl::Status ForEachOpened(
    const LogView& log, unsigned threads,
    const std::function<absl::Status(std::uint64_t index, const Record& record)>& visit);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_WALK_H_
