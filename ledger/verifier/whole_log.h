// Checking a whole log: leaves, tiles, root, head; and every statement against its leaf where
// statements are given. Pure: bytes come from a LogSource.
#ifndef CARNET_LEDGER_VERIFIER_WHOLE_LOG_H_
#define CARNET_LEDGER_VERIFIER_WHOLE_LOG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/erasures.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/record.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::ledger::verifier {

// Where a log's bytes are. Errors: NOT_FOUND it is not there; others pass through.
class LogSource {
 public:
  virtual ~LogSource() = default;
  // A C2SP resource: "checkpoint", "tile/0/000", "tile/entries/000.p/3", and "statements/000.p/3"
  // where there are any.
  virtual absl::StatusOr<Bytes> Read(absl::string_view path) = 0;
};

struct LogReport {
  TreeHead head;
  bool operator_only = false;
  std::vector<std::pair<std::string, absl::Time>> cosigned;
  std::uint64_t entries_checked = 0;
  std::uint64_t tiles_checked = 0;
  std::uint64_t statements_checked = 0;  // 0: the source holds none
  std::uint64_t old_heads_checked = 0;
  std::vector<Erased> erased;  // by the index of the order; empty where there are no statements
};

// A failure, and where.
struct LogFailure {
  absl::Status status;                 // its code says the exit code (errors.h)
  std::optional<std::uint64_t> index;  // the first bad record, where one is to blame
};

struct LogVerdict {
  LogReport report;                   // as far as it came
  std::optional<LogFailure> failure;  // none: everything holds
};

// A record whose statement was checked against its entry. Borrowed for the call alone.
struct TakenRecord {
  const TreeHead& head;  // of the log that is read
  std::uint64_t index;
  const VerifiedRecord& record;
  const v1::SignedRecord& signed_record;
};
// Takes each record, in order. Whether the entries give the head's root is known at the end only:
// what it was told is believed only if nothing failed.
using RecordTaker = std::function<void(const TakenRecord& taken)>;

// Calls work(0) to work(count - 1), each once, on any threads, and returns when all have returned:
// OneAfterTheOther, or carnet::ParallelForEach (base/parallel.h).
using ForEach =
    std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;
void OneAfterTheOther(std::size_t count, const std::function<void(std::size_t)>& work);

// old_heads: notes of the same log from earlier; each must be a prefix (else DATA_LOSS: the log
// signed both). take: may be empty; called only where the source holds statements, on the calling
// thread.
LogVerdict VerifyWholeLog(LogSource& source, const TrustPolicy& policy,
                          const std::vector<std::string>& old_heads, const RecordTaker& take = {});
// for_each: for statements and their signatures, a bundle at a time.
LogVerdict VerifyWholeLog(LogSource& source, const TrustPolicy& policy,
                          const std::vector<std::string>& old_heads, const RecordTaker& take,
                          const ForEach& for_each);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_WHOLE_LOG_H_
