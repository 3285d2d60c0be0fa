#include "coordinator/rpc/upload_reactor.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/reasons.h"
#include "exchange/expected.h"

namespace carnet::coordinator {

UploadReactor::UploadReactor(const Services& services, Uploads& uploads, Transfers& transfers,
                             InstanceGate& instances, grpc::CallbackServerContext& context)
    : services_(services),
      uploads_(uploads),
      transfers_(transfers),
      context_(context),
      worker_(services.peers.Worker(context)) {
  const absl::Status caller =
      worker_.ok() ? instances.Stream(context, worker_->worker_id) : worker_.status();
  if (!caller.ok()) {
    End(caller);
    return;
  }
  ReadNext();
}

void UploadReactor::RunOnBulk(absl::AnyInvocable<void()> work) {
  const absl::Status admitted = services_.bulk.TrySubmit(std::move(work));
  if (!admitted.ok()) {
    End(absl::ResourceExhaustedError("too many transfers: resume later"));
  }
}

void UploadReactor::ReadNext() {
  if (turn_.Start([this] { StartRead(&request_); }) == StreamTurn::Next::kEnd) {
    End(absl::OkStatus());
  }
}

// What arrived has crossed, whether or not it is wanted. An offset is only the sender's word.
void UploadReactor::Count(std::uint64_t bytes) {
  crossed_.store(std::min(crossed_.load() + bytes, open_.sealed_bytes()));
}

void UploadReactor::OnReadDone(bool ok) {
  if (ok && opened_ && request_.has_chunk()) {
    Count(request_.chunk().data().size());
  }
  if (!turn_.Back()) {
    return;
  }
  if (!ok) {
    // The sender is done, or gone; what is durable stays for its next stream.
    End(complete_ ? absl::OkStatus() : absl::CancelledError("the upload is not whole: resume it"));
    return;
  }
  if (!opened_ && request_.has_open()) {
    opened_ = true;
    OnOpen();
  } else if (opened_ && request_.has_chunk() && upload_ != nullptr) {
    RunOnBulk([this] { OnChunk(); });
  } else {
    End(absl::InvalidArgumentError("an upload is one open, then chunks"));
  }
}

void UploadReactor::OnOpen() {
  open_ = std::move(*request_.mutable_open());
  absl::StatusOr<exchange::Header> header = exchange::ParseHeader(AsBytes(open_.artifact_header()));
  const absl::StatusOr<Digest> sealed_sha256 = ToDigest(AsBytes(open_.sealed_sha256()));
  if (!header.ok() || !sealed_sha256.ok() || open_.sealed_bytes() == 0) {
    End(absl::InvalidArgumentError("open: a header, a size and a digest"));
    return;
  }
  header_ = *std::move(header);
  // Nothing is looked at before its sender is known to have signed it.
  if (!exchange::VerifyArtifactSignature(worker_->statement_key, header_.sha256, *sealed_sha256,
                                         AsBytes(open_.signature()))
           .ok()) {
    Reject(reasons::kWrongSignature);
    return;
  }
  services_.engine.Submit(RecheckTask{worker_->worker_id, open_.task_id(), open_.ticket_id(), true},
                          "", [this](absl::StatusOr<Answer> answer) {
                            const absl::Status status =
                                answer.ok() ? answer->status : answer.status();
                            if (!status.ok()) {
                              End(status);
                              return;
                            }
                            services_.engine.Read([this](const State& state, absl::Time now) {
                              OnAllowed(state, now);
                            });
                          });
}

void UploadReactor::OnAllowed(const State& state, absl::Time now) {
  absl::StatusOr<OpenTask> task = FindTask(state, worker_->worker_id, open_.task_id(), now);
  if (!task.ok()) {
    End(task.status());
    return;
  }
  if (open_.sealed_bytes() > task->upload.bytes_max()) {
    Reject(reasons::kWrongLayout);
    return;
  }
  v1::StagingOrdered staging;
  std::string to_spiffe_id;
  absl::StatusOr<RoundExpectation> expected = absl::FailedPreconditionError("no round");
  if (task->name.kind == v1::TASK_KIND_SEND_SHARD) {
    staging = state.stagings.at(task->name.id).ordered;
    to_spiffe_id = state.workers.at(staging.to_worker_id()).terms.spiffe_id();
  } else {
    expected = ExpectationOf(state, task->name.id, worker_->worker_id);
  }
  // From here on a change of the facts reaches this stream.
  Transfers::Begun begun = transfers_.Begin(
      {worker_->worker_id, open_.task_id(), open_.ticket_id(), true}, *this, state, now);
  place_ = std::move(begun.place);
  for (Engine::Urgent& urgent : begun.urgent) {
    services_.engine.Submit(std::move(urgent.body), "", std::move(urgent.callback));
  }
  RunOnBulk([this, task = *std::move(task), expected = std::move(expected),
             staging = std::move(staging), to_spiffe_id = std::move(to_spiffe_id)] {
    CheckHeader(task, expected, staging, to_spiffe_id);
  });
}

void UploadReactor::CheckHeader(const OpenTask& task, absl::StatusOr<RoundExpectation> expected,
                                const v1::StagingOrdered& staging, std::string to_spiffe_id) {
  if (task.name.kind == v1::TASK_KIND_SEND_SHARD) {
    exchange::ShardHeaderFacts facts;
    facts.from_spiffe_id = worker_->spiffe_id;
    facts.to_spiffe_id = to_spiffe_id;
    if (!exchange::CompareHeaders(exchange::ShardHeader(staging, facts), header_.fields,
                                  exchange::kShardSenderFields)
             .ok()) {
      End(absl::InvalidArgumentError(reasons::kWrongHeader));
      return;
    }
    staging_id_ = task.name.id;
    StartSpool();
    return;
  }
  if (!expected.ok()) {
    End(expected.status());
    return;
  }
  const absl::StatusOr<std::string> reason =
      CheckDeltaHeader(services_, *expected, *worker_, header_.fields);
  if (!reason.ok()) {
    End(absl::UnavailableError("the upload cannot be checked now"));
  } else if (!reason->empty()) {
    Reject(*reason);
  } else {
    StartSpool();
  }
}

void UploadReactor::StartSpool() {
  const absl::StatusOr<Digest> sealed_sha256 = ToDigest(AsBytes(open_.sealed_sha256()));
  absl::StatusOr<std::unique_ptr<Upload>> upload =
      uploads_.Start(header_, open_.sealed_bytes(), *sealed_sha256, services_.clock.MonotonicNow());
  if (!upload.ok()) {
    End(upload.status());
    return;
  }
  upload_ = *std::move(upload);
  Count(upload_->first().durable_bytes);
  Reply(upload_->first());
}

void UploadReactor::OnChunk() {
  const v1::UploadChunk& chunk = request_.chunk();
  const absl::StatusOr<std::optional<exchange::Acknowledgement>> acknowledged =
      upload_->Write(chunk.offset(), AsBytes(chunk.data()), services_.clock.MonotonicNow());
  if (!acknowledged.ok()) {
    if (absl::IsDataLoss(acknowledged.status()) && staging_id_.empty()) {
      Reject(reasons::kWrongDigest);
    } else {
      End(acknowledged.status());
    }
  } else if (acknowledged->has_value()) {
    Reply(**acknowledged);
  } else {
    ReadNext();
  }
}

void UploadReactor::Reply(const exchange::Acknowledgement& acknowledgement) {
  complete_ = acknowledgement.complete;
  response_.set_durable_bytes(acknowledgement.durable_bytes);
  response_.set_complete(acknowledgement.complete);
  if (complete_ && !staging_id_.empty()) {
    services_.engine.SetUploaded(staging_id_, ToBytes(open_.sealed_sha256()));
  }
  if (turn_.Start([this] { StartWrite(&response_); }) == StreamTurn::Next::kEnd) {
    End(absl::OkStatus());
  }
}

void UploadReactor::OnWriteDone(bool ok) {
  if (!turn_.Back()) {
    return;
  }
  if (!ok) {
    End(absl::CancelledError("the peer left"));
  } else if (complete_) {
    End(absl::OkStatus());
  } else {
    ReadNext();
  }
}

void UploadReactor::Reject(const std::string& reason) {
  services_.engine.Submit(
      RejectUpload{worker_->worker_id, open_.task_id(), reason, open_.sealed_sha256()}, "",
      [this, reason](absl::StatusOr<Answer>) { End(absl::InvalidArgumentError(reason)); });
}

void UploadReactor::End(const absl::Status& status) {
  const std::optional<absl::Status> last = turn_.End(status);
  if (!last.has_value()) {
    return;
  }
  if (drop_.load() && upload_ != nullptr) {
    const absl::Status admitted = services_.storage.TrySubmit([this, last = *last] {
      if (const absl::Status dropped = upload_->Drop(); !dropped.ok()) {
        Log(LogLevel::kWarning, "spool.not_dropped", {{"why", dropped}});
      }
      upload_.reset();
      Finish(ToGrpcStatus(last));
    });
    if (admitted.ok()) {
      return;
    }
  }
  upload_.reset();
  Finish(ToGrpcStatus(*last));
}

std::uint64_t UploadReactor::Stop() {
  turn_.Stop();
  return crossed_.load();
}

void UploadReactor::Cut(const absl::Status& why, bool drop) {
  drop_.store(drop);
  if (turn_.Cut(why)) {
    End(why);
  }
}

}  // namespace carnet::coordinator
