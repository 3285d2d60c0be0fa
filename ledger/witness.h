// A witness of logs (C2SP tlog-witness v1.0.0, server side): it cosigns a head only if that extends
// every head of the log that it cosigned before, so that a log which shows two histories needs the
// help of its witnesses. What it promises:
//   The head recorded for a log only ever moves to one that provably extends it, and is durable
//   before its cosignature leaves. Restoring an old copy of the state folder breaks this promise:
//   make a new key then.
// Heads with extension lines are refused: nothing here audits them.
#ifndef CARNET_LEDGER_WITNESS_H_
#define CARNET_LEDGER_WITNESS_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/mutex.h"
#include "crypto/ed25519.h"
#include "ledger/cosignature.h"
#include "ledger/head.h"
#include "ledger/note.h"
#include "ledger/sqlite.h"
#include "ledger/witness_request.h"

namespace carnet::ledger {

inline constexpr char kWitnessStoreName[] = "witness.db";
inline constexpr std::size_t kWitnessLogsMax = 1024;

// An HTTP answer.
struct WitnessAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct WitnessOptions {
  std::filesystem::path state_dir;  // exists
  std::string name;                 // of the key; never another one for the same key
  std::vector<NoteKey> logs;        // whose heads it cosigns; at most kWitnessLogsMax. Several
                                    // keys of one origin are keys of one log: any of them counts
};

// Thread-safe; requests run one after another.
class Witness {
 public:
  // Takes the state lock. Errors: INVALID_ARGUMENT a bad name, too many logs, or a key twice.
  // FAILED_PRECONDITION another process runs on the folder, or it belongs to another name or key.
  // Those of the store (ledger/store.h) and of base/files.h.
  static absl::StatusOr<std::unique_ptr<Witness>> Open(WitnessOptions options,
                                                       crypto::Ed25519KeyPair key);

  const CosignerKey& key() const { return cosigner_; }

  // POST add-checkpoint. Statuses:
  //   200  cosigned; the body is the signature line. The head is durable.
  //   400  malformed, or `old` larger than the head
  //   403  not signed by the log's key, or a signature of a key of the log does not verify
  //   404  the log is not one of ours
  //   409  `old` is not the recorded size: the body is that size, content type text/x.tlog.size.
  //        Send again, with a proof from there.
  //   422  the proof does not hold, or another root at the recorded size
  //   500  the store failed; nothing was cosigned
  // now: of the cosignature.
  WitnessAnswer AddCheckpoint(absl::string_view body, absl::Time now) CARNET_EXCLUDES(mutex_);

  // For monitors: GET <hex sha256 of the origin>/checkpoint. The newest head that it cosigned, with
  // the log's signature and its own; 404: none.
  WitnessAnswer Checkpoint(absl::string_view origin_sha256_hex) const CARNET_EXCLUDES(mutex_);

 private:
  struct Recorded {
    std::uint64_t size = 0;
    Digest root{};
  };

  Witness(WitnessOptions options, crypto::Ed25519KeyPair key, FileLock lock,
          std::unique_ptr<SqliteConnection> store);
  absl::Status OpenStore() CARNET_EXCLUDES(mutex_);
  absl::StatusOr<Recorded> Read(const std::string& origin) const CARNET_REQUIRES(mutex_);
  // Whether `head` may follow `recorded`; an answer other than 200 says why not.
  static WitnessAnswer Judge(const AddCheckpointRequest& request, const Head& head,
                             const Recorded& recorded);
  // Records the head if the recorded size is still `old_size`, durably. ABORTED: it is not.
  absl::Status CompareAndSet(std::uint64_t old_size, const SignedHead& head)
      CARNET_REQUIRES(mutex_);
  absl::Status Replace(std::uint64_t old_size, const SignedHead& head) CARNET_REQUIRES(mutex_);
  absl::StatusOr<WitnessAnswer> Advance(const AddCheckpointRequest& request, const Head& head,
                                        absl::Time now) CARNET_EXCLUDES(mutex_);

  const CosignerKey cosigner_;
  const crypto::Ed25519KeyPair signing_key_;
  const FileLock lock_;
  std::map<std::string, std::vector<NoteKey>, std::less<>> logs_;  // by origin; constant
  std::map<std::string, std::string, std::less<>> origins_;        // by hex SHA-256; constant
  mutable Mutex mutex_;
  const std::unique_ptr<SqliteConnection> store_;  // used under mutex_
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_WITNESS_H_
