// Who the model of a manifest went to, in records that are already verified one by one. Pure; part
// of ledger/verifier/manifest.h.
#ifndef CARNET_LEDGER_VERIFIER_RELEASES_H_
#define CARNET_LEDGER_VERIFIER_RELEASES_H_

#include <cstdint>
#include <optional>

#include "carnet/v1/records.pb.h"
#include "ledger/verifier/lineage.h"
#include "ledger/verifier/manifest.h"

namespace carnet::ledger::verifier {

// What the record at `index` says.
ModelRelease ReleaseIn(std::uint64_t index, const v1::Release& record);

// Puts the releases of the report's model into it: `report` is what CheckLineage left. Each names
// the round that made the model, every shard of that lineage, a person who is enrolled and not
// revoked before, and the policies in force at its place in the log.
std::optional<Finding> CheckReleases(const RecordMap& records, const v1::Genesis& genesis,
                                     const Members& members, ManifestReport& report);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_RELEASES_H_
