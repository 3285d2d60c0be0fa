#include "exchange/transfer.h"

#include <algorithm>

#include "base/status.h"

namespace carnet::exchange {

absl::Status CheckSpec(const TransferSpec& spec) {
  if (spec.size_bytes == 0 || spec.size_bytes > kTransferBytesMax) {
    return absl::InvalidArgumentError("transfer: the size is out of bounds");
  }
  return absl::OkStatus();
}

absl::StatusOr<ReceiverState> ReceiverState::Create(const TransferSpec& spec,
                                                    std::uint64_t durable_bytes,
                                                    absl::Duration now) {
  CARNET_RETURN_IF_ERROR(CheckSpec(spec));
  if (durable_bytes > spec.size_bytes) {
    return absl::InvalidArgumentError("transfer: more is there than the transfer has");
  }
  return ReceiverState(spec, durable_bytes, now);
}

absl::Status ReceiverState::OnReopen(const TransferSpec& spec) const {
  if (spec != spec_) {
    return absl::AlreadyExistsError("transfer: another size or digest under the same id");
  }
  return absl::OkStatus();
}

absl::Status ReceiverState::OnChunk(std::uint64_t offset, std::size_t size_bytes) const {
  if (complete_ || whole()) {
    return absl::FailedPreconditionError("transfer: everything was received already");
  }
  if (size_bytes == 0 || size_bytes > kChunkBytesMax) {
    return absl::InvalidArgumentError("transfer: a chunk has 1 byte to 1 MiB");
  }
  if (offset != received_bytes_) {
    return absl::OutOfRangeError("transfer: the chunk is not the next one");
  }
  if (size_bytes > spec_.size_bytes - received_bytes_) {
    return absl::OutOfRangeError("transfer: the chunk passes the announced size");
  }
  return absl::OkStatus();
}

void ReceiverState::OnWritten(std::size_t size_bytes) {
  CARNET_CHECK(size_bytes <= spec_.size_bytes - received_bytes_);
  received_bytes_ += size_bytes;
}

bool ReceiverState::SyncDue(absl::Duration now) const {
  const std::uint64_t waiting_bytes = received_bytes_ - durable_bytes_;
  if (waiting_bytes == 0) {
    return whole() && !complete_;
  }
  return whole() || waiting_bytes >= kAcknowledgeBytes || now - last_sync_ >= kAcknowledgeAfter;
}

Acknowledgement ReceiverState::OnSynced(absl::Duration now) {
  durable_bytes_ = received_bytes_;
  last_sync_ = now;
  return {.durable_bytes = durable_bytes_, .complete = complete_};
}

absl::StatusOr<Acknowledgement> ReceiverState::OnVerified(const Digest& sha256) {
  CARNET_CHECK(durable_bytes_ == spec_.size_bytes);
  if (spec_.sha256.has_value() && *spec_.sha256 != sha256) {
    return absl::DataLossError("transfer: the bytes have another digest than announced");
  }
  complete_ = true;
  return Acknowledgement{.durable_bytes = durable_bytes_, .complete = true};
}

absl::StatusOr<SenderState> SenderState::Create(const TransferSpec& spec) {
  CARNET_RETURN_IF_ERROR(CheckSpec(spec));
  return SenderState(spec);
}

absl::Status SenderState::OnStart(const Acknowledgement& first) {
  if (started_) {
    return absl::FailedPreconditionError("transfer: it was started already");
  }
  if (first.durable_bytes > spec_.size_bytes) {
    return absl::OutOfRangeError("transfer: the receiver has more than there is");
  }
  if (first.complete && first.durable_bytes != spec_.size_bytes) {
    return absl::FailedPreconditionError("transfer: complete without being whole");
  }
  started_ = true;
  sent_bytes_ = first.durable_bytes;
  durable_bytes_ = first.durable_bytes;
  complete_ = first.complete;
  return absl::OkStatus();
}

std::optional<Range> SenderState::Next() const {
  if (!started_ || complete_ || sent_bytes_ == spec_.size_bytes) {
    return std::nullopt;
  }
  const std::uint64_t left = spec_.size_bytes - sent_bytes_;
  return Range{
      .offset = sent_bytes_,
      .size_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunkBytesMax))};
}

void SenderState::OnSent(const Range& range) {
  const std::optional<Range> next = Next();
  CARNET_CHECK(next.has_value() && range == *next);
  sent_bytes_ += range.size_bytes;
}

absl::Status SenderState::OnAcknowledged(const Acknowledgement& acknowledgement) {
  if (!started_ || complete_) {
    return absl::FailedPreconditionError("transfer: an acknowledgement that nobody waits for");
  }
  if (acknowledgement.durable_bytes < durable_bytes_ ||
      acknowledgement.durable_bytes > sent_bytes_) {
    return absl::OutOfRangeError("transfer: an acknowledged offset that cannot be");
  }
  if (acknowledgement.complete && acknowledgement.durable_bytes != spec_.size_bytes) {
    return absl::FailedPreconditionError("transfer: complete without being whole");
  }
  durable_bytes_ = acknowledgement.durable_bytes;
  complete_ = acknowledgement.complete;
  return absl::OkStatus();
}

}  // namespace carnet::exchange
