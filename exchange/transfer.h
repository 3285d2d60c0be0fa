// The one resumable transfer, both sides, as pure state machines: no files, clocks or threads.
//
//   sender                                   receiver
//     open {id, size, SHA-256}           ->    the spool of that id, or a new one
//                                        <-    durable offset: where to go on
//     chunks of at most 1 MiB, in order  ->    written; fdatasynced every 16 MiB or 1 s and at the
//     end
//                                        <-    acknowledgement: everything before this offset is
//                                        durable
//                                        <-    complete: whole, durable, and its SHA-256 is the one
//                                        announced
//
// An upload runs this over a stream of both directions. In a download the worker is the receiver:
// it asks for `offset`, and acknowledgements stay with it as fdatasyncs. A sender reads from one
// immutable file, so a chunk that is sent again is the same bytes; a receiver that gets others
// finds out by the digest.
#ifndef CARNET_EXCHANGE_TRANSFER_H_
#define CARNET_EXCHANGE_TRANSFER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"

namespace carnet::exchange {

inline constexpr std::size_t kChunkBytesMax = std::size_t{1} << 20;
inline constexpr std::uint64_t kAcknowledgeBytes = std::uint64_t{16} << 20;
inline constexpr absl::Duration kAcknowledgeAfter = absl::Seconds(1);
// Largest transfer, in bytes: far above every model that this version trains, far below overflow.
inline constexpr std::uint64_t kTransferBytesMax = std::uint64_t{1} << 46;

// What moves. `id` is the SHA-256 of the artifact's header.
struct TransferSpec {
  Digest id{};
  std::uint64_t size_bytes = 0;  // of the ciphertext, 1..kTransferBytesMax
  std::optional<Digest> sha256;  // of the ciphertext; always known in an upload

  bool operator==(const TransferSpec&) const = default;
};
// Error INVALID_ARGUMENT: a size out of bounds.
absl::Status CheckSpec(const TransferSpec& spec);

// A range of the file that moves.
struct Range {
  std::uint64_t offset = 0;
  std::size_t size_bytes = 0;

  bool operator==(const Range&) const = default;
};

// What a receiver tells its sender.
struct Acknowledgement {
  std::uint64_t durable_bytes = 0;
  bool complete = false;

  bool operator==(const Acknowledgement&) const = default;
};

// One transfer as its receiver sees it. `now` is a monotonic clock's.
class ReceiverState {
 public:
  // durable_bytes: what an earlier run left whole and durable, 0..spec.size_bytes.
  // Error INVALID_ARGUMENT: the spec or `durable_bytes` is out of bounds.
  static absl::StatusOr<ReceiverState> Create(const TransferSpec& spec, std::uint64_t durable_bytes,
                                              absl::Duration now);

  // Somebody opens the id of this transfer again. Error ALREADY_EXISTS: with another size or
  // digest; that is another artifact under the same id, and nothing of it is taken.
  absl::Status OnReopen(const TransferSpec& spec) const;

  // A chunk came; on OK the caller writes it at `offset` and feeds it to its hash, then calls
  // OnWritten. Errors (the stream ends, the transfer stays as it is):
  //   OUT_OF_RANGE         `offset` is not received_bytes(), or the chunk passes the end
  //   INVALID_ARGUMENT     empty, or more than kChunkBytesMax
  //   FAILED_PRECONDITION  everything has been received already
  absl::Status OnChunk(std::uint64_t offset, std::size_t size_bytes) const;
  void OnWritten(std::size_t size_bytes);

  // Whether the caller has to make the bytes durable now, and then call OnSynced.
  bool SyncDue(absl::Duration now) const;
  // The first `durable_bytes` are durable; returns what to tell the sender. A whole transfer is
  // complete only by OnVerified.
  Acknowledgement OnSynced(absl::Duration now);

  // All bytes are there and durable: their digest. Error DATA_LOSS: not the one announced; the
  // caller drops the spool, and the sender starts again from 0.
  absl::StatusOr<Acknowledgement> OnVerified(const Digest& sha256);

  const TransferSpec& spec() const { return spec_; }
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t durable_bytes() const { return durable_bytes_; }
  bool whole() const { return received_bytes_ == spec_.size_bytes; }
  bool complete() const { return complete_; }

 private:
  ReceiverState(const TransferSpec& spec, std::uint64_t durable_bytes, absl::Duration now)
      : spec_(spec),
        received_bytes_(durable_bytes),
        durable_bytes_(durable_bytes),
        last_sync_(now) {}

  TransferSpec spec_;
  std::uint64_t received_bytes_;
  std::uint64_t durable_bytes_;
  absl::Duration last_sync_;
  bool complete_ = false;
};

// One transfer as its sender sees it, for one connection: after a break, make a new one.
class SenderState {
 public:
  // Error INVALID_ARGUMENT: the spec is out of bounds.
  static absl::StatusOr<SenderState> Create(const TransferSpec& spec);

  // The receiver's first answer, or the offset that it asks for.
  // Errors: OUT_OF_RANGE beyond the end. FAILED_PRECONDITION the transfer was started already, or
  // complete without being whole.
  absl::Status OnStart(const Acknowledgement& first);

  // The next chunk to send, if there is one; the caller reads it from its file. Nothing before
  // OnStart.
  std::optional<Range> Next() const;
  void OnSent(const Range& range);

  // Errors: OUT_OF_RANGE a durable offset that goes back or passes what was sent.
  // FAILED_PRECONDITION before OnStart, after completion, or complete without being whole.
  absl::Status OnAcknowledged(const Acknowledgement& acknowledgement);

  std::uint64_t sent_bytes() const { return sent_bytes_; }
  std::uint64_t durable_bytes() const { return durable_bytes_; }
  bool all_sent() const { return started_ && sent_bytes_ == spec_.size_bytes; }
  bool complete() const { return complete_; }

 private:
  explicit SenderState(const TransferSpec& spec) : spec_(spec) {}

  TransferSpec spec_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t durable_bytes_ = 0;
  bool started_ = false;
  bool complete_ = false;
};

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_TRANSFER_H_
