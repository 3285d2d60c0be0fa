#include <sqlite3.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "ledger/record.h"
#include "tests/bench/ledger_bars.h"

namespace carnet::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWriters = 64;
constexpr double kRecordsPerSecond = 10'000;
constexpr double kP99Millis = 50;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Appended {
  double seconds = 0;
  double p99_millis = 0;
};

// Each writer has one record under way and brings the next when it is durable; what came meanwhile
// is one batch, as the coordinator's engine makes it. `make` gives a writer its record.
template <typename Make>
absl::StatusOr<Appended> TimeAppends(ledger::Log& log, std::size_t count, Make make) {
  std::vector<double> millis;
  const auto start = Clock::now();
  for (std::size_t first = 0; first < count; first += kWriters) {
    const auto began = Clock::now();
    std::vector<v1::SignedRecord> batch;
    for (std::size_t i = first; i < std::min(first + kWriters, count); ++i) {
      batch.push_back(make(i));
    }
    CARNET_RETURN_IF_ERROR(log.Append(batch));
    millis.push_back(SecondsSince(began) * 1000);
  }
  Appended appended;
  appended.seconds = SecondsSince(start);
  std::sort(millis.begin(), millis.end());
  appended.p99_millis = millis[millis.size() * 99 / 100];
  return appended;
}

// Seconds that SQLite alone needs for the same bytes in transactions of the same size.
absl::StatusOr<double> TimeSqlite(const std::filesystem::path& file,
                                  const std::vector<v1::SignedRecord>& records) {
  sqlite3* database = nullptr;
  sqlite3_stmt* insert = nullptr;
  bool good = sqlite3_open(file.c_str(), &database) == SQLITE_OK &&
              sqlite3_exec(database,
                           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "CREATE TABLE records (idx INTEGER PRIMARY KEY, record BLOB)",
                           nullptr, nullptr, nullptr) == SQLITE_OK &&
              sqlite3_prepare_v2(database, "INSERT INTO records (record) VALUES (?1)", -1, &insert,
                                 nullptr) == SQLITE_OK;
  const auto start = Clock::now();
  for (std::size_t first = 0; good && first < records.size(); first += kWriters) {
    good = sqlite3_exec(database, "BEGIN", nullptr, nullptr, nullptr) == SQLITE_OK;
    for (std::size_t i = first; good && i < std::min(first + kWriters, records.size()); ++i) {
      const std::string bytes = records[i].SerializeAsString();
      sqlite3_bind_blob64(insert, 1, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
      good = sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
    }
    good = good && sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  const double seconds = SecondsSince(start);
  sqlite3_finalize(insert);
  sqlite3_close(database);
  if (!good) {
    return absl::InternalError("bench: SQLite alone failed");
  }
  return seconds;
}

struct SignatureRates {
  double sign = 0;
  double verify = 0;
};

SignatureRates MeasureSignatures(const SyntheticLog& log, const v1::SignedRecord& record) {
  constexpr int kTimes = 2000;
  SignatureRates rates;
  auto start = Clock::now();
  for (int i = 0; i < kTimes; ++i) {
    static_cast<void>(ledger::SignRecord(record.statement(), log.key()));
  }
  rates.sign = kTimes / SecondsSince(start);
  start = Clock::now();
  for (int i = 0; i < kTimes; ++i) {
    CARNET_CHECK(ledger::VerifyRecordSignature(record).ok());
  }
  rates.verify = kTimes / SecondsSince(start);
  return rates;
}

}  // namespace

absl::StatusOr<std::vector<Figure>> MeasureAppends(const std::filesystem::path& where,
                                                   std::size_t records) {
  CARNET_ASSIGN_OR_RETURN(SyntheticLog synthetic, SyntheticLog::Found(where));
  CARNET_ASSIGN_OR_RETURN(const auto log, synthetic.Open());
  CARNET_ASSIGN_OR_RETURN(const auto ready, synthetic.Signed(log->Size(), records));
  CARNET_ASSIGN_OR_RETURN(const Appended pre_signed,
                          TimeAppends(*log, records, [&](std::size_t i) { return ready[i]; }));
  std::vector<std::unique_ptr<google::protobuf::Message>> unsigned_records;
  for (std::size_t i = 0; i < records; ++i) {
    unsigned_records.push_back(synthetic.Next(log->Size() + i));
  }
  CARNET_ASSIGN_OR_RETURN(const Appended full, TimeAppends(*log, records, [&](std::size_t i) {
                            return synthetic.Sign(*unsigned_records[i]).value();
                          }));
  CARNET_ASSIGN_OR_RETURN(const double raw,
                          TimeSqlite(synthetic.state_dir().parent_path() / "raw.db", ready));
  const SignatureRates rates = MeasureSignatures(synthetic, ready.back());
  const double count = static_cast<double>(records);
  Figure rate;
  rate.bar = "B7";
  rate.what = absl::StrFormat("appends, 64 writers (SQLite alone %.0f/s, verify %.0f/s)",
                              count / raw, rates.verify);
  rate.unit = "1/s";
  rate.figure = count / pre_signed.seconds;
  rate.limit = kRecordsPerSecond;
  rate.at_least = 1.0;
  Figure p99 = rate;
  p99.bar = "B7 p99";
  p99.what = "how long a writer waits, 99th percentile";
  p99.unit = "ms";
  p99.figure = pre_signed.p99_millis;
  p99.limit = kP99Millis;
  p99.at_least.reset();
  p99.at_most = 1.0;
  Figure of_raw = rate;
  of_raw.bar = "B7 raw";
  of_raw.what = "the same beside SQLite alone with the same bytes";
  of_raw.limit = count / raw;
  of_raw.at_least.reset();
  Figure whole = of_raw;
  whole.bar = "B7 full";
  whole.what = absl::StrFormat("with making and signing each (sign %.0f/s)", rates.sign);
  whole.figure = count / full.seconds;
  return std::vector<Figure>{rate, p99, of_raw, whole};
}

}  // namespace carnet::bench
