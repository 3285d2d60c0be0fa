// The coordinator as a person calls it: gRPC with mutual TLS 1.3, and what comes back checked
// against the log's key. Calls block.
#ifndef CARNET_CLI_CLIENT_H_
#define CARNET_CLI_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "carnet/v1/governance.grpc.pb.h"
#include "carnet/v1/jobs.grpc.pb.h"
#include "cli/client_context.h"
#include "crypto/ed25519.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/record.h"

namespace carnet::cli {

inline constexpr absl::Duration kCallMax = absl::Seconds(60);
inline constexpr absl::Duration kTransferMax = absl::Hours(24);

// Thread-safe. Errors of calls: those of jobs.proto; UNAVAILABLE and DEADLINE_EXCEEDED name the
// address and what to do.
class Client {
 public:
  // The context of --state or of CARNET_CONTEXT. Nothing is sent yet. Errors: those of FindContext,
  // LoadContext, of the certificate and key files.
  static absl::StatusOr<std::unique_ptr<Client>> Open(const std::string& state_dir);
  // The same with the context.yaml itself.
  static absl::StatusOr<std::unique_ptr<Client>> OpenContext(const std::filesystem::path& file);

  const ClientIdentity& identity() const { return identity_; }
  v1::Jobs::Stub& jobs() { return *jobs_; }
  v1::Admin::Stub& admin() { return *admin_; }
  v1::Governance::Stub& governance() { return *governance_; }

  // One unary call: client.Call(client.jobs(), &v1::Jobs::Stub::GetJob, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, absl::Duration timeout = kCallMax) {
    grpc::ClientContext context;
    SetDeadline(context, timeout);
    Response response;
    const absl::Status status = ToStatus((stub.*method)(&context, request, &response));
    if (!status.ok()) {
      return status;
    }
    return response;
  }

  absl::Status ToStatus(const grpc::Status& status) const;
  // Waits until the coordinator can be reached again, at most so long. gRPC works on a connection
  // only inside calls, and calls fail at once while there is none, so whoever wants it back waits
  // here.
  bool WaitForConnection(absl::Duration timeout) {
    return channel_->WaitForConnected(std::chrono::system_clock::now() +
                                      absl::ToChronoMicroseconds(timeout));
  }
  static void SetDeadline(grpc::ClientContext& context, absl::Duration timeout) {
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout));
  }

  // The user's key that signs records. Errors: those of crypto/key_files.h.
  absl::StatusOr<crypto::Ed25519KeyPair> StatementKey() const;
  // 16 fresh random bytes.
  std::string NewRequestId();
  Rng& rng() { return rng_; }

  // The key of the log that the context names, with those that it was handed over to since, as far
  // as a head asked for them.
  ledger::verifier::VerifierKey LogKey() const CARNET_EXCLUDES(mutex_);
  // The key-rotated records of the log, verified and proven, ascending index.
  struct Rotation {
    std::uint64_t index = 0;
    ledger::verifier::VerifiedRecord record;
  };
  absl::StatusOr<std::vector<Rotation>> FetchRotations() const;

  // Whether `record` is in the log under the head that came with it, and what it says. Errors:
  // UNAUTHENTICATED the proof, the head or the record does not verify.
  absl::StatusOr<ledger::verifier::VerifiedRecord> VerifyRecord(
      const v1::GetRecordResponse& response) const;
  // The same of a record that the caller holds. Returns the index.
  absl::StatusOr<std::uint64_t> VerifyReceipt(const v1::SignedRecord& record,
                                              const v1::Receipt& receipt) const;
  // The record at `index`, verified.
  absl::StatusOr<ledger::verifier::VerifiedRecord> FetchRecord(std::uint64_t index);
  // What a receipt of a call says, by fetching the record that it names: its index. A receipt whose
  // record is not there is an error as above.
  absl::StatusOr<std::uint64_t> CheckReceipt(const v1::Receipt& receipt);

 private:
  // The head by the log's key. Where that is not the one that signed, it follows the records that
  // hand the log over. Error UNAUTHENTICATED.
  absl::StatusOr<ledger::verifier::VerifiedHead> CheckHead(const std::string& note) const
      CARNET_EXCLUDES(mutex_);
  absl::StatusOr<std::vector<v1::GetRecordResponse>> AskForRotations() const;

  Client(ClientIdentity identity, ledger::verifier::VerifierKey log_key,
         std::shared_ptr<grpc::Channel> channel);

  const ClientIdentity identity_;
  mutable Mutex mutex_;
  mutable ledger::verifier::VerifierKey log_key_ CARNET_GUARDED_BY(mutex_);
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Jobs::Stub> jobs_;
  const std::unique_ptr<v1::Admin::Stub> admin_;
  const std::unique_ptr<v1::Governance::Stub> governance_;
  SystemRng rng_;
};

}  // namespace carnet::cli

#endif  // CARNET_CLI_CLIENT_H_
