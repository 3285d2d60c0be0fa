#include "coordinator/publish/publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "ledger/errors.h"
#include "ledger/verifier/head_tracker.h"

namespace carnet::coordinator {

// What the callers of one head share.
struct Publisher::Attempt {
  ledger::SignedHead head;
  Mutex mutex;
  CondVar answered;
  std::size_t pending CARNET_GUARDED_BY(mutex) = 0;
  std::size_t answers CARNET_GUARDED_BY(mutex) = 0;
  std::string lines CARNET_GUARDED_BY(mutex);
};

namespace {

// Heads of a busy log come many a second; one round trip for several of them is enough.
constexpr absl::Duration kPublishSpacing = absl::Milliseconds(100);
// How often the lag is looked at while something waits.
constexpr absl::Duration kLagTick = absl::Seconds(1);

// The policy file names the log's keys of its day; the log knows those it handed over to since.
ledger::verifier::TrustPolicy FollowedPolicy(ledger::verifier::TrustPolicy policy,
                                             const ledger::LogView& log) {
  const absl::StatusOr<ledger::verifier::VerifierKey> own = LogOf(log);
  for (ledger::verifier::VerifierKey& named : policy.logs) {
    if (own.ok() && named.name == own->name) {
      named = *own;
    }
  }
  return policy;
}

}  // namespace

Publisher::Publisher(PublisherOptions options, ledger::Log& log, const Clock& clock, Rng& rng,
                     Metrics& metrics, std::function<void(std::string)> hold,
                     std::function<void(absl::Status)> misbehaviour, HttpCaller call)
    : options_(std::move(options)),
      log_(log),
      clock_(clock),
      rng_(rng),
      metrics_(metrics),
      hold_(std::move(hold)),
      misbehaviour_(std::move(misbehaviour)),
      busy_(options_.witnesses.size(), false),
      unpublished_since_(absl::InfiniteDuration()) {
  for (const WitnessPeer& peer : options_.witnesses) {
    clients_.push_back(std::make_unique<WitnessClient>(peer, call));
  }
  const std::size_t count = std::max<std::size_t>(clients_.size(), 1);
  callers_ = std::make_unique<BoundedExecutor>(
      BoundedExecutor::Options{"witnesses", static_cast<int>(count), count});
}

Publisher::~Publisher() {
  Stop();
}

absl::Status Publisher::CheckAgainst(const WitnessClient& client) {
  CARNET_ASSIGN_OR_RETURN(const std::string note, client.NewestHead(log_.key().name));
  const absl::Status checked = log_.CheckOwnHead(note);
  if (ledger::IsLogMisbehaviour(checked)) {
    KeepEvidence(note);
  }
  if (absl::IsUnauthenticated(checked)) {
    CARNET_RETURN_IF_ERROR(CheckForeignKey(note, client));
  }
  return checked;
}

absl::Status Publisher::CheckForeignKey(const std::string& note, const WitnessClient& client) {
  const absl::StatusOr<ledger::verifier::TreeHead> head =
      ledger::verifier::ReadUnverifiedHead(note);
  if (!head.ok() || head->origin != log_.key().name || head->size <= log_.Size() ||
      !ledger::verifier::VerifyCosignature({*head, note}, client.key()).ok()) {
    return absl::OkStatus();
  }
  const std::filesystem::path file =
      options_.evidence_dir / absl::StrCat("witnessed-", head->size, ".head");
  const absl::Status kept = WriteFileAtomic(file, AsBytes(note));
  Log(LogLevel::kError, "publish.witnessed_head", {{"file", file.string()}, {"kept", kept}});
  return log_.CloseAs(ledger::LogMisbehaviourError(
      absl::StrCat("log: a witness cosigned a head of ", head->size,
                   " records by a key that is not on record; it holds ", log_.Size(),
                   ": the state was rolled back")));
}

void Publisher::KeepEvidence(const std::string& other_head) const {
  const absl::StatusOr<ledger::verifier::VerifierKey> key = LogOf(log_);
  CARNET_CHECK(key.ok());
  absl::StatusOr<ledger::verifier::HeadTracker> tracker =
      ledger::verifier::HeadTracker::Create(*key, other_head);
  if (!tracker.ok()) {
    return;
  }
  const ledger::SignedHead own = log_.Head();
  const std::uint64_t other_size = tracker->head()->tree.size;
  const absl::StatusOr<v1::ConsistencyProof> proof =
      other_size < own.head.size ? log_.ConsistencyProof(other_size, own.head.size)
                                 : absl::StatusOr<v1::ConsistencyProof>(v1::ConsistencyProof());
  if (!proof.ok() || tracker->Advance(own.note, *proof).ok() || !tracker->fork().has_value()) {
    return;
  }
  const std::filesystem::path file = options_.evidence_dir / tracker->fork()->file_name;
  const absl::Status kept = WriteFileAtomic(file, AsBytes(tracker->fork()->evidence));
  Log(LogLevel::kError, "publish.fork_evidence", {{"file", file.string()}, {"kept", kept}});
}

absl::Status Publisher::CheckWitnesses() {
  Mutex mutex;
  absl::Status verdict = absl::OkStatus();
  for (const auto& client : clients_) {
    const WitnessClient* asked = client.get();
    const absl::Status submitted = callers_->Submit([this, asked, &mutex, &verdict] {
      const absl::Status checked = CheckAgainst(*asked);
      if (checked.ok() || absl::IsNotFound(checked)) {
        return;
      }
      Log(LogLevel::kWarning, "publish.witness_not_checked",
          {{"witness", asked->name()}, {"why", checked}});
      if (ledger::IsLogMisbehaviour(checked)) {
        const MutexLock lock(mutex);
        verdict = checked;
      }
    });
    CARNET_RETURN_IF_ERROR(submitted);
  }
  callers_->Drain();
  const MutexLock lock(mutex);
  return verdict;
}

absl::Status Publisher::Start() {
  CARNET_RETURN_IF_ERROR(log_.SetWitnessed(true));
  const absl::StatusOr<ledger::SignedHead> published = log_.PublishedHead();
  const bool accepted =
      published.ok() &&
      ledger::verifier::VerifyTrustedHead(published->note, FollowedPolicy(options_.policy, log_))
          .ok();
  if (published.ok() && !accepted) {
    Log(LogLevel::kWarning, "publish.withdrawn", {{"size", published->head.size}});
    CARNET_RETURN_IF_ERROR(log_.WithdrawPublished());
  }
  {
    const MutexLock lock(mutex_);
    const absl::Duration now = clock_.MonotonicNow();
    anything_published_ = accepted;
    published_size_ = accepted ? published->head.size : 0;
    // How old its cosignatures are is not known: they are made fresh at once.
    published_at_ = now - options_.period;
    if (!accepted || published_size_ < log_.Size()) {
      unpublished_since_ = now;
    }
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Publisher::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  callers_->Stop();
}

void Publisher::NewHead() {
  const MutexLock lock(mutex_);
  if (unpublished_since_ == absl::InfiniteDuration() && log_.Size() > published_size_) {
    unpublished_since_ = clock_.MonotonicNow();
    changed_.NotifyAll();
  }
}

bool Publisher::WaitForWork(absl::Duration not_before) {
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (stopping_) {
        return false;
      }
      const absl::Duration now = clock_.MonotonicNow();
      const absl::Duration due = unpublished_since_ != absl::InfiniteDuration()
                                     ? not_before
                                     : std::max(not_before, published_at_ + options_.period);
      if (now >= due) {
        return true;
      }
      changed_.WaitFor(mutex_, std::min(due - now, kLagTick));
    }
    ReportLag();
  }
}

void Publisher::Run() {
  absl::Duration not_before = clock_.MonotonicNow();
  int failures = 0;
  while (WaitForWork(not_before)) {
    if (Try()) {
      failures = 0;
      not_before = clock_.MonotonicNow() + kPublishSpacing;
    } else {
      not_before = clock_.MonotonicNow() +
                   BackoffDelay(options_.retry, std::min(failures, 16), RandomUint64(rng_));
      ++failures;
    }
    ReportLag();
  }
}

bool Publisher::Try() {
  const auto attempt = std::make_shared<Attempt>();
  const absl::Duration began = clock_.MonotonicNow();
  attempt->head = log_.Head();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Ask(i, attempt);
  }
  std::size_t seen = 0;
  while (true) {
    std::string lines;
    bool done = false;
    {
      const MutexLock lock(attempt->mutex);
      while (attempt->pending > 0 && attempt->answers == seen) {
        attempt->answered.Wait(attempt->mutex);
      }
      seen = attempt->answers;
      done = attempt->pending == 0;
      lines = attempt->lines;
    }
    if (PublishIfMet(attempt->head, lines)) {
      MarkPublished(attempt->head.head.size, began);
      return true;
    }
    if (done) {
      Log(LogLevel::kWarning, "publish.policy_not_met",
          {{"size", attempt->head.head.size}, {"witnesses_answered", seen}});
      return false;
    }
  }
}

void Publisher::Ask(std::size_t witness, const std::shared_ptr<Attempt>& attempt) {
  {
    // One that still works on an earlier head is passed over.
    const MutexLock lock(mutex_);
    if (busy_[witness] || stopping_) {
      return;
    }
    busy_[witness] = true;
  }
  {
    const MutexLock lock(attempt->mutex);
    ++attempt->pending;
  }
  const absl::Status submitted = callers_->TrySubmit([this, witness, attempt] {
    WitnessClient& client = *clients_[witness];
    const absl::StatusOr<std::string> line = client.Cosign(attempt->head, log_);
    metrics_.Add(metric::kWitnessRequests, {line.ok() ? "cosigned" : "failed"});
    if (!line.ok()) {
      Log(LogLevel::kWarning, "publish.witness_failed",
          {{"witness", client.name()}, {"why", line.status()}});
    }
    if (absl::IsOutOfRange(line.status())) {
      // It knows something else than the head that was sent. Either this log moved on meanwhile, or
      // it lost what it signed, or it tells two stories.
      const absl::Status checked = CheckAgainst(client);
      if (ledger::IsLogMisbehaviour(checked)) {
        misbehaviour_(checked);
      }
    }
    {
      const MutexLock lock(mutex_);
      busy_[witness] = false;
    }
    const MutexLock lock(attempt->mutex);
    --attempt->pending;
    ++attempt->answers;
    attempt->lines += line.ok() ? *line : "";
    attempt->answered.NotifyAll();
  });
  if (!submitted.ok()) {
    {
      const MutexLock lock(mutex_);
      busy_[witness] = false;
    }
    const MutexLock lock(attempt->mutex);
    --attempt->pending;
  }
}

bool Publisher::PublishIfMet(const ledger::SignedHead& head, const std::string& lines) {
  const std::string note = absl::StrCat(head.note, lines);
  if (!ledger::verifier::VerifyTrustedHead(note, FollowedPolicy(options_.policy, log_)).ok()) {
    return false;
  }
  const absl::Status published = log_.Publish(note);
  if (!published.ok()) {
    Log(LogLevel::kError, "publish.failed", {{"size", head.head.size}, {"why", published}});
    if (ledger::IsLogMisbehaviour(published)) {
      misbehaviour_(published);
    }
  }
  return published.ok();
}

void Publisher::MarkPublished(std::uint64_t size, absl::Duration attempt_began) {
  const MutexLock lock(mutex_);
  published_size_ = size;
  anything_published_ = true;
  published_at_ = clock_.MonotonicNow();
  // What was signed since came after the attempt began.
  unpublished_since_ = log_.Size() > size ? attempt_began : absl::InfiniteDuration();
}

void Publisher::ReportLag() {
  absl::Duration lag;
  {
    const MutexLock lock(mutex_);
    lag = unpublished_since_ == absl::InfiniteDuration()
              ? absl::ZeroDuration()
              : clock_.MonotonicNow() - unpublished_since_;
    metrics_.Set(metric::kLedgerPublishedSize,
                 anything_published_ ? static_cast<double>(published_size_) : 0);
  }
  metrics_.Set(metric::kLedgerPublishLag, absl::ToDoubleSeconds(lag));
  const bool hold = lag > options_.lag_max;
  if (hold != held_) {
    held_ = hold;
    Log(LogLevel::kWarning, hold ? "publish.rounds_held" : "publish.rounds_go_on",
        {{"lag_seconds", absl::ToDoubleSeconds(lag)}});
    hold_(hold ? kWitnessesReason : "");
  }
}

}  // namespace carnet::coordinator
