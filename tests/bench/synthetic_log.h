// A coordinator's state folder with as many records as one likes: a founded federation and one job,
// rounds of a hundred contributions each. Real records, really signed; what they speak of was never
// trained.
#ifndef CARNET_TESTS_BENCH_SYNTHETIC_LOG_H_
#define CARNET_TESTS_BENCH_SYNTHETIC_LOG_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "crypto/ed25519.h"
#include "ledger/log.h"

namespace carnet::bench {

// Removes its directory in the end.
class SyntheticLog {
 public:
  // A new directory in `where`, with a founded federation.
  static absl::StatusOr<SyntheticLog> Found(const std::filesystem::path& where);
  ~SyntheticLog();
  SyntheticLog(SyntheticLog&& other) noexcept;
  SyntheticLog& operator=(SyntheticLog&&) = delete;

  std::filesystem::path state_dir() const { return directory_ / "state"; }
  // Opens the log as the coordinator does. One at a time.
  absl::StatusOr<std::unique_ptr<ledger::Log>> Open() const;

  // The next record of the job, unsigned: round-opened, a hundred contributions, round-closed,
  // aggregate, and again. `size` is the index that it will have.
  std::unique_ptr<google::protobuf::Message> Next(std::uint64_t size);
  absl::StatusOr<v1::SignedRecord> Sign(const google::protobuf::Message& record) const;
  // Next and Sign, so often.
  absl::StatusOr<std::vector<v1::SignedRecord>> Signed(std::uint64_t first, std::size_t count);
  const crypto::Ed25519KeyPair& key() const { return statement_key_; }

 private:
  SyntheticLog(std::filesystem::path directory, crypto::Ed25519KeyPair statement_key)
      : directory_(std::move(directory)), statement_key_(std::move(statement_key)) {}
  Digest Fresh();
  void FillCommon(v1::Common* common);
  std::unique_ptr<google::protobuf::Message> OpenRound();
  std::unique_ptr<google::protobuf::Message> Contribute(std::uint64_t size);
  std::unique_ptr<google::protobuf::Message> CloseRound();
  std::unique_ptr<google::protobuf::Message> PublishAggregate();

  std::filesystem::path directory_;  // Empty once moved from.
  crypto::Ed25519KeyPair statement_key_;
  std::uint64_t drawn_ = 0;
  bool submitted_ = false;
  std::uint32_t round_ = 0;
  std::size_t step_ = 0;  // within the round
  std::uint64_t opened_index_ = 0;
  Digest model_{};
  std::vector<std::uint64_t> contributions_;
};

}  // namespace carnet::bench

#endif  // CARNET_TESTS_BENCH_SYNTHETIC_LOG_H_
