#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>

#include "absl/strings/str_format.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/status.h"
#include "coordinator/recover.h"
#include "crypto/hash.h"
#include "ledger/export.h"
#include "ledger/readers/directory_source.h"
#include "ledger/readers/state_source.h"
#include "ledger/record.h"
#include "ledger/trust.h"
#include "ledger/verifier/trust_policy.h"
#include "ledger/verifier/whole_log.h"
#include "tests/bench/ledger_bars.h"

namespace carnet::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 1000;
constexpr int kProofs = 20'000;
constexpr int kRestarts = 3;  // the best counts, for us and for the raw read alike
constexpr double kProofsPerSecond = 10'000;
// Per million records.
constexpr double kColdSeconds = 10;
constexpr double kRestartSeconds = 15;
constexpr double kSignatureShare = 0.6;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Millions(const ledger::LogView& log) {
  return static_cast<double>(log.Size()) / 1e6;
}

absl::StatusOr<double> TimeVerify(ledger::verifier::LogSource& source,
                                  const ledger::verifier::TrustPolicy& policy,
                                  const ledger::verifier::ForEach& for_each) {
  const auto start = Clock::now();
  const ledger::verifier::LogVerdict verdict =
      ledger::verifier::VerifyWholeLog(source, policy, {}, {}, for_each);
  if (verdict.failure.has_value()) {
    return verdict.failure->status;
  }
  return SecondsSince(start);
}

absl::StatusOr<Figure> MeasureProofRate(const ledger::LogView& log) {
  SystemRng rng;
  const Bytes picks = RandomBytes(rng, kProofs * 4);
  const auto start = Clock::now();
  for (int i = 0; i < kProofs; ++i) {
    std::uint64_t pick = 0;
    for (int byte = 0; byte < 4; ++byte) {
      pick = pick << 8 | picks[static_cast<std::size_t>(i * 4 + byte)];
    }
    CARNET_RETURN_IF_ERROR(log.InclusionProof(pick % log.Size(), log.Size()));
  }
  Figure figure;
  figure.bar = "B8 proofs";
  figure.what = absl::StrFormat("inclusion proofs from tiles, %d records", log.Size());
  figure.unit = "1/s";
  figure.figure = kProofs / SecondsSince(start);
  figure.limit = kProofsPerSecond;
  figure.at_least = 1.0;
  return figure;
}

// Ed25519 alone, on as many threads as `for_each` has.
absl::StatusOr<double> VerifyRate(const ledger::LogView& log,
                                  const ledger::verifier::ForEach& for_each) {
  constexpr std::size_t kTimes = 10'000;
  // A contribution, as nearly all are.
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, log.ReadRecord(log.Size() / 2));
  std::atomic<std::size_t> good = 0;
  const auto start = Clock::now();
  for_each(kTimes,
           [&](std::size_t) { good += ledger::VerifyRecordSignature(record).ok() ? 1 : 0; });
  const double seconds = SecondsSince(start);
  CARNET_CHECK(good == kTimes);
  return static_cast<double>(kTimes) / seconds;
}

// Every statement and signature of the log, beside Ed25519 alone on the same threads.
absl::StatusOr<Figure> MeasureSignatures(const SyntheticLog& synthetic, const ledger::LogView& log,
                                         const ledger::verifier::TrustPolicy& policy,
                                         const ledger::verifier::ForEach& for_each) {
  CARNET_ASSIGN_OR_RETURN(const auto state, ledger::StateSource::Open(synthetic.state_dir()));
  CARNET_ASSIGN_OR_RETURN(const double before, VerifyRate(log, for_each));
  CARNET_ASSIGN_OR_RETURN(const double whole_s, TimeVerify(*state, policy, for_each));
  CARNET_ASSIGN_OR_RETURN(const double after, VerifyRate(log, for_each));
  Figure signatures;
  signatures.unit = "1/s";
  signatures.figure = static_cast<double>(log.Size()) / whole_s;
  signatures.limit = (before + after) / 2;
  return signatures;
}

}  // namespace

absl::Status FillLog(SyntheticLog& synthetic, std::uint64_t records) {
  CARNET_ASSIGN_OR_RETURN(const auto log, synthetic.Open());
  while (log->Size() < records) {
    const std::size_t count = std::min<std::uint64_t>(kBatch, records - log->Size());
    CARNET_ASSIGN_OR_RETURN(const auto batch, synthetic.Signed(log->Size(), count));
    CARNET_RETURN_IF_ERROR(log->Append(batch));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Figure>> MeasureProofs(const SyntheticLog& synthetic) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(synthetic.state_dir()));
  CARNET_ASSIGN_OR_RETURN(const Figure proofs, MeasureProofRate(*log));
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord first, log->ReadRecord(0));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record genesis, ledger::OpenRecord(first));
  CARNET_ASSIGN_OR_RETURN(
      const auto policy,
      ledger::verifier::ParseTrustPolicy(ledger::TrustPolicyText(log->key(), genesis.leaf_hash)));
  const std::filesystem::path site = synthetic.state_dir().parent_path() / "site";
  CARNET_RETURN_IF_ERROR(ledger::ExportTiles(*log, site));
  ledger::DirectorySource tiles(site);
  CARNET_ASSIGN_OR_RETURN(const double cold_s,
                          TimeVerify(tiles, policy, ledger::verifier::OneAfterTheOther));
  Figure cold;
  cold.bar = "B8 cold";
  cold.what = absl::StrFormat("every leaf and tile of %d records", log->Size());
  cold.unit = "s";
  cold.figure = cold_s;
  cold.limit = kColdSeconds * Millions(*log);
  cold.at_most = 1.0;
  CARNET_ASSIGN_OR_RETURN(Figure signed_one, MeasureSignatures(synthetic, *log, policy,
                                                               ledger::verifier::OneAfterTheOther));
  signed_one.bar = "B8 signed";
  signed_one.what = "and every statement and signature, beside Ed25519 alone, one thread each";
  signed_one.at_least = kSignatureShare;
  CARNET_ASSIGN_OR_RETURN(Figure signed_all,
                          MeasureSignatures(synthetic, *log, policy, ParallelForEach));
  signed_all.bar = "B8 cores";
  signed_all.what = "the same, both on every core";
  return std::vector<Figure>{proofs, cold, signed_one, signed_all};
}

namespace {

// Reading and hashing the log's bytes, and nothing else.
absl::StatusOr<double> TimeRawRead(const SyntheticLog& synthetic) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(synthetic.state_dir()));
  const auto start = Clock::now();
  for (std::uint64_t index = 0; index < log->Size(); index += kBatch) {
    const std::uint64_t count = std::min<std::uint64_t>(kBatch, log->Size() - index);
    CARNET_ASSIGN_OR_RETURN(const auto records, log->ReadRange(index, count));
    for (const ledger::StoredRecord& stored : records) {
      static_cast<void>(crypto::Sha256(AsBytes(stored.record.statement())));
      static_cast<void>(crypto::Sha256(AsBytes(stored.entry)));
    }
  }
  return SecondsSince(start);
}

absl::StatusOr<double> TimeRestart(const SyntheticLog& synthetic, std::uint64_t* records) {
  const auto start = Clock::now();
  CARNET_ASSIGN_OR_RETURN(const auto log, synthetic.Open());
  CARNET_ASSIGN_OR_RETURN(const coordinator::State state, coordinator::FoldLedger(*log));
  *records = state.size;
  return SecondsSince(start);
}

}  // namespace

absl::StatusOr<std::vector<Figure>> MeasureRestart(const SyntheticLog& synthetic) {
  double raw_s = std::numeric_limits<double>::infinity();
  double restart_s = raw_s;
  std::uint64_t records = 0;
  for (int run = 0; run < kRestarts; ++run) {
    CARNET_ASSIGN_OR_RETURN(const double raw, TimeRawRead(synthetic));
    CARNET_ASSIGN_OR_RETURN(const double restart, TimeRestart(synthetic, &records));
    raw_s = std::min(raw_s, raw);
    restart_s = std::min(restart_s, restart);
  }
  Figure figure;
  figure.bar = "B10";
  figure.unit = "s";
  figure.figure = restart_s;
  figure.what =
      absl::StrFormat("restart with %d records (raw read and hash %.1f s)", records, raw_s);
  figure.limit = kRestartSeconds * static_cast<double>(records) / 1e6;
  figure.at_most = 1.0;
  return std::vector<Figure>{figure};
}

}  // namespace carnet::bench
