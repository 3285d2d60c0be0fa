// The chain from a base model to a released one, in records that are already verified one by one.
// Pure; part of ledger/verifier/manifest.h.
#ifndef CARNET_LEDGER_VERIFIER_LINEAGE_H_
#define CARNET_LEDGER_VERIFIER_LINEAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::verifier {

// By index.
using RecordMap = std::map<std::uint64_t, VerifiedRecord>;

// What a step of the verification found wrong. `missing`: it may hold, but the manifest does not
// show it.
struct Finding {
  std::string expected;
  std::string actual;
  std::optional<std::uint64_t> index;
  bool missing = false;
};

// Who may sign what, as the records enrol them.
struct Enrolled {
  std::uint64_t index = 0;
  Bytes public_key;
  std::string region;
  std::string supplier;
  std::optional<std::uint64_t> revoked;  // index of the revocation
};
struct Members {
  std::map<std::string, Enrolled> users;    // by id
  std::map<std::string, Enrolled> workers;  // by id
};
Members EnrolledMembers(const RecordMap& records);

// Whether the coordinator signs records of this type.
bool IsCoordinators(const VerifiedRecord& record);

// The keys that genesis and the key-rotated records name. Sets `keys` unless something is wrong.
std::optional<Finding> FollowKeys(const RecordMap& records, std::optional<KeyHistory>& keys);

// Every record is signed by whom its type demands: the statement key in force at its index, the
// submitter, or the worker, enrolled before and not revoked before.
std::optional<Finding> CheckSigners(const RecordMap& records, const KeyHistory& keys,
                                    const Members& members);

// What a manifest holds of the log, verified to be there.
struct LineageRecords {
  const RecordMap& records;
  const std::map<std::uint64_t, Digest>& leaves;  // contributions of the compact form
};

// Walks the rounds of `job_id` from the base model until `model_sha256`, and fills the parts of
// `report` that say what, where and under which policy.
std::optional<Finding> CheckLineage(const LineageRecords& records, const v1::Genesis& genesis,
                                    const Members& members, const std::string& job_id,
                                    const Digest& model_sha256, ManifestReport& report);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_LINEAGE_H_
