// What every service method works with, and who calls it. The peer's identity comes from its
// certificate alone.
#ifndef CARNET_COORDINATOR_RPC_SERVICES_H_
#define CARNET_COORDINATOR_RPC_SERVICES_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "coordinator/blobs/blobs.h"
#include "coordinator/engine/engine.h"
#include "coordinator/rpc/authorities.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/key_files.h"
#include "crypto/x25519.h"
#include "ledger/log.h"

namespace carnet::coordinator {

struct WorkerPeer {
  std::string worker_id;
  std::string spiffe_id;
  crypto::Ed25519PublicKey statement_key{};
  crypto::X25519PublicKey wrapping_key{};
};
struct UserPeer {
  std::string user_id;
};

// Certificates -> who they are, as the records say. Follows the commits. Thread-safe.
class PeerDirectory {
 public:
  // For Engine::AddCommitListener, and once at start.
  void Update(const State& state) CARNET_EXCLUDES(mutex_);
  // Whose certificates count, before the first question; it outlives this. Without it none does.
  void SetAuthorities(const Authorities* authorities) { authorities_ = authorities; }

  // UNAUTHENTICATED: no certificate, one of nobody on record, or of an authority that does not
  // count any more. PERMISSION_DENIED "revoked".
  absl::StatusOr<WorkerPeer> Worker(const grpc::ServerContextBase& context) const
      CARNET_EXCLUDES(mutex_);
  absl::StatusOr<UserPeer> User(const grpc::ServerContextBase& context) const
      CARNET_EXCLUDES(mutex_);
  // The same by what a certificate says that TLS verified.
  absl::StatusOr<WorkerPeer> WorkerOf(const crypto::CertificateInfo& info) const
      CARNET_EXCLUDES(mutex_);
  absl::StatusOr<UserPeer> UserOf(const crypto::CertificateInfo& info) const
      CARNET_EXCLUDES(mutex_);

 private:
  absl::Status CheckIssuer(const crypto::CertificateInfo& info) const;

  const Authorities* authorities_ = nullptr;
  mutable Mutex mutex_;
  std::uint64_t facts_version_ CARNET_GUARDED_BY(mutex_) = 0;
  std::size_t users_count_ CARNET_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::pair<WorkerPeer, bool>> workers_
      CARNET_GUARDED_BY(mutex_);                                     // by SPKI digest; revoked
  std::map<std::string, UserPeer> users_ CARNET_GUARDED_BY(mutex_);  // by user id
};

// The record that answers a command goes to whoever asked for it, as its receipt: that is no
// reading of the log. Remembers the newest answers only. Thread-safe.
class OwnAnswers {
 public:
  void Note(const std::string& user_id, std::uint64_t index) CARNET_EXCLUDES(mutex_);
  bool Has(const std::string& user_id, std::uint64_t index) const CARNET_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::deque<std::pair<std::string, std::uint64_t>> newest_
      CARNET_GUARDED_BY(mutex_);  // at most kOwnAnswersMax
};
inline constexpr std::size_t kOwnAnswersMax = 4096;

// Everything outlives the services.
struct Services {
  Engine& engine;
  ledger::Log& log;
  Blobs& blobs;
  const crypto::KeyFiles& keys;
  StatementKeys& statement_keys;
  Authorities& authorities;
  PeerDirectory& peers;
  BoundedExecutor& storage;  // short reads and writes
  BoundedExecutor& bulk;     // chunks of transfers
  BoundedExecutor& verify;   // whole verifications
  BoundedExecutor& examine;  // proposals and drafts: seconds each, and nothing waits for them
  Clock& clock;
  Rng& rng;
  int verify_threads = 1;
  std::size_t uploads_active_max = 16;
  std::shared_ptr<OwnAnswers> own_answers = std::make_shared<OwnAnswers>();
};

// What crosses: the code and message(); the operator's details stay here, in the log.
grpc::Status ToGrpcStatus(const absl::Status& status);

// A request id is 16 bytes. Error INVALID_ARGUMENT.
absl::Status CheckRequestId(const std::string& request_id);

// Calls without a deadline, or with one beyond this, are refused: a call that nobody waits for
// holds its place for ever.
inline constexpr absl::Duration kUnaryDeadlineMax = absl::Minutes(30);

// Runs `work`, which fills the response, on `executor`, and finishes the call with its status.
// A full executor finishes it with RESOURCE_EXHAUSTED at once.
void FinishOn(BoundedExecutor& executor, grpc::ServerUnaryReactor* reactor,
              absl::AnyInvocable<absl::Status()> work);

// Submits `body`; when its answer is durable, `fill` runs on the storage executor with the index of
// the answering record (which exists) and finishes the call.
void SubmitAndFinish(const Services& services, CommandBody body, const std::string& request_id,
                     grpc::ServerUnaryReactor* reactor,
                     absl::AnyInvocable<absl::Status(std::uint64_t index)> fill);

// The same for a person: `make` gives the command of the user who calls, or the error that the call
// is finished with. UNAUTHENTICATED: nobody on record calls.
using MakeCommand = absl::AnyInvocable<absl::StatusOr<CommandBody>(const std::string& user_id)>;
grpc::ServerUnaryReactor* SubmitForUser(const Services& services,
                                        grpc::CallbackServerContext* context,
                                        const std::string& request_id, MakeCommand make,
                                        absl::AnyInvocable<absl::Status(std::uint64_t index)> fill);

// A `fill` that gives `response` the record's receipt.
template <typename Response>
absl::AnyInvocable<absl::Status(std::uint64_t index)> ReceiptInto(const Services& services,
                                                                  Response* response) {
  return [&services, response](std::uint64_t index) -> absl::Status {
    absl::StatusOr<v1::Receipt> receipt = services.log.MakeReceipt(index);
    if (receipt.ok()) {
      *response->mutable_receipt() = *std::move(receipt);
    }
    return receipt.status();
  };
}

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_SERVICES_H_
