// The files behind a transfer (exchange/transfer.h). A receiver's spool is two files in a directory
// of its own:
//   <id>.spec    size and digest of what is expected, written before the first byte
//   <id>.spool   the bytes so far; whole when it has that size and digest
// where <id> is the hex SHA-256 of the artifact's header.
//
// What a crash means: before .spec is durable, nothing happened. After it, the bytes in .spool are
// hashed again when the spool is opened, and the transfer goes on behind them. Bytes that a power
// cut damaged show in the digest at the end; the spool is then dropped and the sender starts again.
//
// Blocking file work: call on a thread that may block. One thread at a time for each object.
#ifndef CARNET_EXCHANGE_SPOOL_H_
#define CARNET_EXCHANGE_SPOOL_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/files.h"
#include "crypto/hash.h"
#include "exchange/transfer.h"

namespace carnet::exchange {

// Spools of one directory.
inline constexpr std::size_t kSpoolsMax = 10'000;
// Left free on the file system when a transfer is taken, so that the ledger can still be written.
inline constexpr std::uint64_t kSpoolReserveBytes = std::uint64_t{64} << 20;

class ReceiveSpool {
 public:
  // Opens the spool of spec.id in `directory`, which exists, or makes it. Reads all that is there
  // (seconds per GiB) and truncates what passes the size. now: monotonic. Errors: INVALID_ARGUMENT
  // the spec is out of bounds. ALREADY_EXISTS the id is there with another size or digest.
  // RESOURCE_EXHAUSTED what is missing and kSpoolReserveBytes do not fit on the disk: nothing is
  // made; retry when there is room. DATA_LOSS it was whole, with another digest; it is gone now:
  // open it again and start from 0. Those of base/files.h.
  static absl::StatusOr<ReceiveSpool> Open(const std::filesystem::path& directory,
                                           const TransferSpec& spec, absl::Duration now);

  // Writes the next chunk. Errors: those of ReceiverState::OnChunk (nothing written) and of
  // base/files.h (the spool must be opened again).
  absl::Status Write(std::uint64_t offset, ByteView data);

  // fdatasyncs if that is due or everything has come, and says what to tell the sender; nothing
  // when not due. Errors: DATA_LOSS the whole has another digest: the spool is dropped. Those of
  // base/files.h.
  absl::StatusOr<std::optional<Acknowledgement>> Acknowledge(absl::Duration now);
  // The same, due or not: for the end of a stream, and for the first answer.
  absl::StatusOr<Acknowledgement> Flush(absl::Duration now);

  const ReceiverState& state() const { return state_; }
  const std::filesystem::path& path() const { return file_.path(); }
  // SHA-256 of the whole. REQUIRES: state().complete().
  const Digest& sha256() const { return sha256_; }

 private:
  ReceiveSpool(SpoolFile file, ReceiverState state, crypto::Sha256Stream hash)
      : file_(std::move(file)), state_(std::move(state)), hash_(std::move(hash)) {}
  absl::StatusOr<Acknowledgement> Verify(const Acknowledgement& synced);

  SpoolFile file_;
  ReceiverState state_;
  crypto::Sha256Stream hash_;
  Digest sha256_{};
};

std::filesystem::path SpoolPath(const std::filesystem::path& directory, const Digest& id);
// Durably removes both files; fine if they are gone. For a spool that was superseded, moved or is
// not wanted.
absl::Status DropSpool(const std::filesystem::path& directory, const Digest& id);
// Ids of the spools in `directory`, ascending, kSpoolsMax of them at most; files of other names are
// left alone.
absl::StatusOr<std::vector<Digest>> ListSpools(const std::filesystem::path& directory);

// A sender's file: immutable while it is sent.
class SendFile {
 public:
  // Errors: FAILED_PRECONDITION not a regular file or another size than `size_bytes`. Those of
  // base/files.h.
  static absl::StatusOr<SendFile> Open(const std::filesystem::path& path, std::uint64_t size_bytes);
  // Reads exactly out.size() bytes. Error OUT_OF_RANGE: past the end. Safe from any thread.
  absl::Status ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const;
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  SendFile(UniqueFd fd, std::filesystem::path path, std::uint64_t size_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), size_bytes_(size_bytes) {}
  UniqueFd fd_;
  std::filesystem::path path_;
  std::uint64_t size_bytes_;
};

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_SPOOL_H_
