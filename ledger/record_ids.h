// Ids inside of a record that follow from its nonce (docs/formats.md, "Ids that follow from a
// record"): whoever holds the rest of the statement can work them out, so a compact manifest leaves
// them out. The verifier puts them back by code of its own (verifier/record_ids.h). Pure and
// thread-safe.
#ifndef CARNET_LEDGER_RECORD_IDS_H_
#define CARNET_LEDGER_RECORD_IDS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace carnet::ledger {

// Where the numbers of a record's ids may begin, and how far apart two of one prefix may be.
inline constexpr std::uint64_t kIdNumberBases[] = {0, std::uint64_t{1} << 20};
inline constexpr std::uint64_t kIdNumberGapMax = 1024;

// `statement` with every id of a decision or ticket that follows from its nonce replaced by its
// number: 0x01, the id's prefix `d` or `t`, and as LEB128 how many numbers lie between it and the
// one before it with this prefix. From the first id of a prefix that does not follow on, that
// prefix's stay as they are.
std::string ShortenIds(absl::string_view statement);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_RECORD_IDS_H_
