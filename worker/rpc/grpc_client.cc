#include "worker/rpc/grpc_client.h"

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "base/status.h"
#include "carnet/v1/federation.grpc.pb.h"
#include "exchange/instance.h"
#include "exchange/join_token.h"
#include "worker/rpc/transfer_calls.h"

namespace carnet::worker {
namespace {

constexpr absl::Duration kCallMax = absl::Seconds(30);
constexpr absl::Duration kProbeMax = absl::Milliseconds(200);
// It opens every chunk and decodes every block before it answers.
constexpr absl::Duration kSubmitMax = absl::Minutes(10);
// A task's records: round-opened, job and user, each at most 1 MiB with its proof.
constexpr int kMessageBytesMax = 8 << 20;

class GrpcClient final : public CoordinatorClient {
 public:
  GrpcClient(std::shared_ptr<grpc::Channel> channel, std::string instance)
      : stub_(v1::Federation::NewStub(std::move(channel))), instance_(std::move(instance)) {}

  absl::StatusOr<v1::NextTaskResponse> NextTask(const v1::NextTaskRequest& request,
                                                absl::Duration wait_max) override {
    grpc::ClientContext context;
    SayWho(context);
    {
      const MutexLock lock(mutex_);
      if (std::exchange(poll_cancelled_, false)) {
        return absl::CancelledError("poll: cancelled");
      }
      poll_ = &context;
    }
    SetDeadline(context, wait_max);
    v1::NextTaskResponse response;
    const grpc::Status status = stub_->NextTask(&context, request, &response);
    {
      const MutexLock lock(mutex_);
      poll_ = nullptr;
      poll_cancelled_ = false;
    }
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return WhyUnreachable(request);
    }
    CARNET_RETURN_IF_ERROR(FromGrpcStatus(status));
    TakeTurn(context);
    return response;
  }

  void CancelPoll() override {
    const MutexLock lock(mutex_);
    poll_cancelled_ = true;
    if (poll_ != nullptr) {
      poll_->TryCancel();
    }
  }

  absl::Status Download(const v1::DownloadRequest& request, const ChunkSink& sink,
                        const CancelFlag& cancel) override {
    return DownloadOnce(*stub_, instance_, request, sink, cancel);
  }
  absl::Status Upload(const v1::UploadOpen& open, const exchange::SendFile& file,
                      const CancelFlag& cancel) override {
    return UploadOnce(*stub_, instance_, open, file, cancel);
  }

  absl::StatusOr<v1::SubmitRecordResponse> SubmitContribution(
      const v1::SubmitRecordRequest& request) override {
    return Call<v1::SubmitRecordResponse>(&v1::Federation::Stub::SubmitContribution, request,
                                          kSubmitMax);
  }
  absl::StatusOr<v1::SubmitRecordResponse> SubmitEvaluation(
      const v1::SubmitRecordRequest& request) override {
    return Call<v1::SubmitRecordResponse>(&v1::Federation::Stub::SubmitEvaluation, request,
                                          kCallMax);
  }
  absl::StatusOr<v1::ConfirmStagedResponse> ConfirmStaged(
      const v1::ConfirmStagedRequest& request) override {
    return Call<v1::ConfirmStagedResponse>(&v1::Federation::Stub::ConfirmStaged, request, kCallMax);
  }
  absl::Status FailTask(const v1::FailTaskRequest& request) override {
    return Call<v1::FailTaskResponse>(&v1::Federation::Stub::FailTask, request, kCallMax).status();
  }
  absl::StatusOr<v1::GetConsistencyResponse> GetConsistency(
      const v1::GetConsistencyRequest& request) override {
    return Call<v1::GetConsistencyResponse>(&v1::Federation::Stub::GetConsistency, request,
                                            kCallMax);
  }

 private:
  // Which process polls, and the newest turn that it was given.
  void SayWho(grpc::ClientContext& context) {
    const MutexLock lock(mutex_);
    context.AddMetadata(exchange::kInstanceMetadata, instance_);
    if (!turn_.empty()) {
      context.AddMetadata(exchange::kTurnMetadata, turn_);
    }
  }
  void TakeTurn(const grpc::ClientContext& context) {
    const auto& given = context.GetServerInitialMetadata();
    const auto turn = given.find(exchange::kTurnMetadata);
    if (turn != given.end() && turn->second.size() == exchange::kTurnBytes) {
      const MutexLock lock(mutex_);
      turn_.assign(turn->second.data(), turn->second.size());
    }
  }

  // A call that waited for a connection says only that its time is over; one that does not wait
  // says what is wrong.
  absl::Status WhyUnreachable(const v1::NextTaskRequest& request) {
    grpc::ClientContext context;
    SayWho(context);
    SetDeadline(context, kProbeMax);
    context.set_wait_for_ready(false);
    v1::NextTaskResponse unused;
    const absl::Status status = FromGrpcStatus(stub_->NextTask(&context, request, &unused));
    return status.ok() ? absl::UnavailableError("the coordinator answers late") : status;
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(grpc::Status (v1::Federation::Stub::*method)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             Response*),
                                const Request& request, absl::Duration timeout) {
    grpc::ClientContext context;
    SetDeadline(context, timeout);
    Response response;
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    CARNET_RETURN_IF_ERROR(FromGrpcStatus(status));
    return response;
  }

  const std::unique_ptr<v1::Federation::Stub> stub_;
  const std::string instance_;
  Mutex mutex_;
  std::string turn_ CARNET_GUARDED_BY(mutex_);
  grpc::ClientContext* poll_ CARNET_GUARDED_BY(mutex_) = nullptr;
  bool poll_cancelled_ CARNET_GUARDED_BY(mutex_) = false;
};

// gRPC's target for several addresses: tried in order.
absl::StatusOr<std::string> TargetOf(const std::vector<std::string>& addresses) {
  if (addresses.empty()) {
    return absl::InvalidArgumentError("coordinator: no address");
  }
  if (addresses.size() == 1) {
    return addresses.front();
  }
  // ipv4: lists only literals; a name must stand alone.
  for (const std::string& address : addresses) {
    CARNET_ASSIGN_OR_RETURN(const exchange::HostPort place, exchange::ParseHostPort(address));
    if (place.host.find_first_not_of("0123456789.") != std::string::npos) {
      return addresses.front();
    }
  }
  return absl::StrCat("ipv4:", absl::StrJoin(addresses, ","));
}

}  // namespace

void AllowTls13Only() {
  ::setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
}

absl::StatusOr<std::unique_ptr<CoordinatorClient>> MakeGrpcClient(
    const GrpcClientOptions& options, const crypto::SecretBytes& key_pem) {
  CARNET_ASSIGN_OR_RETURN(const std::string target, TargetOf(options.addresses));
  if (options.instance.size() != exchange::kInstanceBytes) {
    return absl::InvalidArgumentError("coordinator: an instance of 16 bytes");
  }
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = options.ca_certificate_pem;
  tls.pem_cert_chain = options.certificate_pem;
  tls.pem_private_key = ToString(key_pem.View());
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(exchange::CoordinatorServerName(options.trust_domain));
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  // gRPC spreads these by a fifth. "Min" is how long it gives one attempt to connect.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  // A connection of its own: two workers in one process must not share certificates.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(target, grpc::SslCredentials(tls), arguments);
  crypto::Wipe(
      {reinterpret_cast<std::uint8_t*>(tls.pem_private_key.data()), tls.pem_private_key.size()});
  return std::make_unique<GrpcClient>(std::move(channel), ToString(options.instance));
}

}  // namespace carnet::worker
