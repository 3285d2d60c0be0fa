// Turns signed heads into published ones: sends the newest to the witnesses, collects their
// cosignatures, and publishes it when the log's policy is met. Appends never wait for it (P5: if
// the policy is not met, nothing is published and appends go on).
#ifndef CARNET_COORDINATOR_PUBLISH_PUBLISHER_H_
#define CARNET_COORDINATOR_PUBLISH_PUBLISHER_H_

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "carnet/v1/config.pb.h"
#include "coordinator/publish/witness_client.h"
#include "ledger/log.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::coordinator {

// The reason that jobs name while they wait for a published head.
inline constexpr char kWitnessesReason[] = "witnesses";

struct PublisherOptions {
  std::filesystem::path evidence_dir;  // of fork-<size>.tlog-fork (docs/formats.md)
  std::vector<WitnessPeer> witnesses;
  ledger::verifier::TrustPolicy policy;
  absl::Duration period = absl::Minutes(10);  // fresh cosignatures at least this often
  absl::Duration lag_max = absl::Hours(1);    // without a published head: no new round
  BackoffOptions retry{.first = absl::Seconds(1), .max = absl::Seconds(30), .factor = 2};
};

// Reads the policy file and what the configuration says of its witnesses; both are relative to
// `state_dir`. Errors INVALID_ARGUMENT, each with the file: a policy of another log or genesis, a
// witness without a URL or a CA that it needs, a quorum of nobody. Those of base/files.h.
absl::StatusOr<PublisherOptions> LoadPublisherOptions(const v1::PublishConfig& config,
                                                      const std::filesystem::path& state_dir,
                                                      const ledger::LogKeys& log,
                                                      const Digest& genesis_leaf);

class Publisher {
 public:
  // hold: called from the publisher's thread when the lag passes lag_max (kWitnessesReason) and
  // when it is back (empty). misbehaviour: called when a witness shows a head that this log signed
  // and does not extend. All arguments outlive the publisher.
  Publisher(PublisherOptions options, ledger::Log& log, const Clock& clock, Rng& rng,
            Metrics& metrics, std::function<void(std::string)> hold,
            std::function<void(absl::Status)> misbehaviour, HttpCaller call = HttpCall);
  // Stop().
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Before the first append after a start: compares the log with the newest head that each witness
  // knows. Waits for each at most its timeout; one that does not answer is warned of and passed
  // over. Error DATA_LOSS, ledger::IsLogMisbehaviour: a witness holds a head that this log signed
  // and does not hold any more. Both heads are in a file of evidence_dir then.
  absl::Status CheckWitnesses();

  // Turns publishing by witnesses on in the log, and starts. A published head that the policy of
  // now does not accept is withdrawn. Errors of Log::SetWitnessed.
  absl::Status Start();
  // Waits for requests under way, at most their timeout.
  void Stop();
  // A head was signed. Any thread.
  void NewHead() CARNET_EXCLUDES(mutex_);

 private:
  struct Attempt;

  void Run();
  // One head to every witness that is free; true: it is published.
  bool Try();
  void Ask(std::size_t witness, const std::shared_ptr<Attempt>& attempt);
  // Whether this log holds the newest head that the witness knows. Error IsLogMisbehaviour: it does
  // not; the two heads are evidence, and are kept. So is a larger head of this log by a key that is
  // not on record, if this witness cosigned it: the rotation to that key was lost with the records.
  // Those of WitnessClient::NewestHead.
  absl::Status CheckAgainst(const WitnessClient& client);
  void KeepEvidence(const std::string& other_head) const;
  // As CheckAgainst, for a head that no key on record signed. OK: it proves nothing.
  absl::Status CheckForeignKey(const std::string& note, const WitnessClient& client);
  // Whether the head with these lines meets the policy, and then publishes it.
  bool PublishIfMet(const ledger::SignedHead& head, const std::string& lines);
  void MarkPublished(std::uint64_t size, absl::Duration attempt_began) CARNET_EXCLUDES(mutex_);
  void ReportLag() CARNET_EXCLUDES(mutex_);
  // Waits until there is something to do; false: stop.
  bool WaitForWork(absl::Duration not_before) CARNET_EXCLUDES(mutex_);

  const PublisherOptions options_;
  ledger::Log& log_;
  const Clock& clock_;
  Rng& rng_;
  Metrics& metrics_;
  const std::function<void(std::string)> hold_;
  const std::function<void(absl::Status)> misbehaviour_;
  std::vector<std::unique_ptr<WitnessClient>> clients_;
  std::unique_ptr<BoundedExecutor> callers_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ CARNET_GUARDED_BY(mutex_) = false;
  std::vector<bool> busy_ CARNET_GUARDED_BY(mutex_);  // by witness
  std::uint64_t published_size_ CARNET_GUARDED_BY(mutex_) = 0;
  bool anything_published_ CARNET_GUARDED_BY(mutex_) = false;
  absl::Duration published_at_ CARNET_GUARDED_BY(mutex_);       // monotonic
  absl::Duration unpublished_since_ CARNET_GUARDED_BY(mutex_);  // monotonic; infinite: nothing is
  bool held_ = false;                                           // of the publisher's thread
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_PUBLISH_PUBLISHER_H_
