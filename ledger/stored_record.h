// Records on their way into the store and out of it: what OpenRecord and OpenVerifiedRecord
// (record.h) do, without doing any of it twice. Pure and thread-safe.
#ifndef CARNET_LEDGER_STORED_RECORD_H_
#define CARNET_LEDGER_STORED_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/record.h"

namespace carnet::ledger {

struct CheckedRecord {
  Record record;
  std::string entry;  // its leaf, which record.leaf_hash is of
};

// OpenRecord, and the leaf with it. Errors: as OpenRecord.
absl::StatusOr<CheckedRecord> CheckRecord(const v1::SignedRecord& record);

// OpenVerifiedRecord of a record whose leaf was already held against the tree; leaf_hash: its hash.
// opened: any record; what it has allocated is used again, so that many records of few types cost
// little. Errors: as OpenVerifiedRecord; `opened` is then unspecified.
absl::Status OpenStoredRecord(const v1::SignedRecord& record, const Digest& leaf_hash,
                              Record& opened);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_STORED_RECORD_H_
