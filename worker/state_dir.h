// What a worker keeps on disk, and where:
//   lock              one process at a time
//   keys/             tls, statement, wrapping (crypto/key_files.h)
//   csr.pem           the certificate request, made once: the same one gets the same answer
//   federation.json   what the join token said, without its secret
//   enrolment.pb      the coordinator's answer; its certificate is replaced at each renewal
//   head              the newest verified head, a signed note
//   published         the newest published head: it covers the receipts below its size
//   fork-N.tlog-fork  evidence of misbehaviour; its presence stops the worker
//   log-keys          vkeys that the log was handed over to, one a line, each with its record
//   accepted-log      which log may take the place of the one that it left (worker/accept_log.h)
//   before-*/         what it held of that one
//   receipts/         N.tlog-proof and N.dsse.json of every accepted record
//   tasks/            what a restart goes on with (worker/journal.h)
//   spool/            downloads under way
//   shards/           staged shards: dataset/shard
//   trainer/          private directories where memory-backed ones do not fit
//   logs/trainer.log  standard error of trainers
#ifndef CARNET_WORKER_STATE_DIR_H_
#define CARNET_WORKER_STATE_DIR_H_

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace carnet::worker {

// Read beside a running worker (worker/receipt_list.h).
inline constexpr char kFederationFileName[] = "federation.json";
inline constexpr char kEnrolmentName[] = "enrolment.pb";
inline constexpr char kLogKeysName[] = "log-keys";
inline constexpr char kReceiptsName[] = "receipts";
inline constexpr char kPublishedHeadName[] = "published";

class StateDir {
 public:
  // Makes what is missing and takes the lock. Errors: FAILED_PRECONDITION another process has it;
  // those of base/files.h.
  static absl::StatusOr<StateDir> Open(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path keys() const { return root_ / "keys"; }
  std::filesystem::path csr() const { return root_ / "csr.pem"; }
  std::filesystem::path federation() const { return root_ / kFederationFileName; }
  std::filesystem::path enrolment() const { return root_ / kEnrolmentName; }
  std::filesystem::path head() const { return root_ / "head"; }
  std::filesystem::path log_keys() const { return root_ / kLogKeysName; }
  // What it follows of people and policies, and what a coordinator said against itself about them.
  std::filesystem::path policies() const { return root_ / "policies"; }
  std::filesystem::path policy_contradiction() const { return root_ / "policy-contradiction.txt"; }
  std::filesystem::path receipts() const { return root_ / kReceiptsName; }
  std::filesystem::path published() const { return root_ / kPublishedHeadName; }
  std::filesystem::path tasks() const { return root_ / "tasks"; }
  std::filesystem::path spool() const { return root_ / "spool"; }
  std::filesystem::path shards() const { return root_ / "shards"; }
  std::filesystem::path trainer() const { return root_ / "trainer"; }
  std::filesystem::path trainer_log() const { return root_ / "logs" / "trainer.log"; }
  // The evidence file, if there is one.
  std::optional<std::filesystem::path> ForkEvidence() const;

 private:
  StateDir(std::filesystem::path root, FileLock lock)
      : root_(std::move(root)), lock_(std::move(lock)) {}
  std::filesystem::path root_;
  FileLock lock_;
};

// A small file, or nothing where there is none.
absl::StatusOr<std::optional<std::string>> ReadIfThere(const std::filesystem::path& path,
                                                       std::size_t bytes_max);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_STATE_DIR_H_
