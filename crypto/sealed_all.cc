// Whole messages with several threads.
#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "crypto/sealed.h"

namespace carnet::crypto {
namespace {

// Chunks that a thread takes at a time.
constexpr std::uint64_t kBatchChunks = 16;

// A run of chunks: [begin, end).
struct Batch {
  std::uint64_t begin;
  std::uint64_t end;
};

// Calls `work` for every batch of `chunk_count` chunks, from `threads` threads at once. Each thread
// gets an object of its own from `make_work`, which may hold buffers.
template <typename MakeWork>
absl::Status RunBatches(std::uint64_t chunk_count, int threads, const MakeWork& make_work) {
  if (threads < 1 || threads > kSealThreadsMax) {
    return absl::InvalidArgumentError("sealed: the number of threads is out of range");
  }
  const std::uint64_t batch_count = (chunk_count + kBatchChunks - 1) / kBatchChunks;
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  Mutex mutex;
  absl::Status first_error;  // Guarded by mutex.
  const auto run = [&] {
    auto work = make_work();
    while (!stop.load(std::memory_order_relaxed)) {
      const std::uint64_t batch = next.fetch_add(1, std::memory_order_relaxed);
      if (batch >= batch_count) {
        return;
      }
      const std::uint64_t begin = batch * kBatchChunks;
      absl::Status status = work(Batch{begin, std::min(begin + kBatchChunks, chunk_count)});
      if (!status.ok()) {
        stop.store(true, std::memory_order_relaxed);
        const MutexLock lock(mutex);
        if (first_error.ok()) {
          first_error = std::move(status);
        }
      }
    }
  };
  const std::uint64_t helpers =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(threads), batch_count) - 1;
  std::vector<std::thread> pool;
  pool.reserve(static_cast<std::size_t>(helpers));
  try {
    for (std::uint64_t i = 0; i < helpers; ++i) {
      pool.emplace_back(run);
    }
  } catch (const std::system_error&) {
    // The system gives no more threads: those that run do all the work.
  }
  run();
  for (std::thread& thread : pool) {
    thread.join();
  }
  return first_error;
}

}  // namespace

absl::Status SealAll(const ChunkSealer& sealer, std::uint64_t plain_bytes, const ReadAt& read_plain,
                     const WriteAt& write_sealed, int threads) {
  CARNET_RETURN_IF_ERROR(SealedSize(plain_bytes));
  CARNET_RETURN_IF_ERROR(write_sealed(0, sealer.header()));
  const std::uint64_t chunk_count = ChunkCount(plain_bytes);
  return RunBatches(chunk_count, threads, [&] {
    return [&, plain = Bytes(kBatchChunks * kChunkPlainBytes),
            sealed = Bytes(kBatchChunks * kChunkSealedBytes)](Batch batch) mutable -> absl::Status {
      const std::uint64_t offset = batch.begin * kChunkPlainBytes;
      std::span<std::uint8_t> in = std::span(plain).first(static_cast<std::size_t>(
          std::min(plain_bytes - offset, (batch.end - batch.begin) * kChunkPlainBytes)));
      if (!in.empty()) {
        CARNET_RETURN_IF_ERROR(read_plain(offset, in));
      }
      std::size_t filled = 0;
      for (std::uint64_t index = batch.begin; index < batch.end; ++index) {
        const ByteView chunk = in.first(std::min(in.size(), kChunkPlainBytes));
        in = in.subspan(chunk.size());
        const std::size_t size = chunk.size() + kChunkTagBytes;
        CARNET_RETURN_IF_ERROR(sealer.SealChunk(index, chunk, index + 1 == chunk_count,
                                                std::span(sealed).subspan(filled, size)));
        filled += size;
      }
      return write_sealed(ChunkOffset(batch.begin), ByteView(sealed).first(filled));
    };
  });
}

absl::Status SealAll(const ChunkSealer& sealer, ByteView plain, std::span<std::uint8_t> sealed,
                     int threads) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes, SealedSize(plain.size()));
  if (sealed.size() != sealed_bytes) {
    return absl::InvalidArgumentError("sealed: the buffer does not fit the message");
  }
  std::copy(sealer.header().begin(), sealer.header().end(), sealed.begin());
  const std::uint64_t chunk_count = ChunkCount(plain.size());
  return RunBatches(chunk_count, threads, [&] {
    return [&](Batch batch) -> absl::Status {
      for (std::uint64_t index = batch.begin; index < batch.end; ++index) {
        const std::size_t offset = static_cast<std::size_t>(index) * kChunkPlainBytes;
        const ByteView chunk =
            plain.subspan(offset, std::min(plain.size() - offset, kChunkPlainBytes));
        CARNET_RETURN_IF_ERROR(
            sealer.SealChunk(index, chunk, index + 1 == chunk_count,
                             sealed.subspan(static_cast<std::size_t>(ChunkOffset(index)),
                                            chunk.size() + kChunkTagBytes)));
      }
      return absl::OkStatus();
    };
  });
}

absl::Status OpenAll(const ChunkOpener& opener, const ReadAt& read_sealed,
                     const WriteAt& write_plain, int threads) {
  return RunBatches(opener.chunk_count(), threads, [&] {
    return [&, sealed = Bytes(kBatchChunks * kChunkSealedBytes),
            plain = Bytes(kBatchChunks * kChunkPlainBytes)](Batch batch) mutable -> absl::Status {
      const std::size_t in_bytes =
          static_cast<std::size_t>(batch.end - batch.begin - 1) * kChunkSealedBytes +
          opener.ChunkPlainSize(batch.end - 1) + kChunkTagBytes;
      std::span<std::uint8_t> in = std::span(sealed).first(in_bytes);
      CARNET_RETURN_IF_ERROR(read_sealed(ChunkOffset(batch.begin), in));
      std::size_t filled = 0;
      for (std::uint64_t index = batch.begin; index < batch.end; ++index) {
        const std::size_t size = opener.ChunkPlainSize(index);
        CARNET_RETURN_IF_ERROR(opener.OpenChunk(index, in.first(size + kChunkTagBytes),
                                                std::span(plain).subspan(filled, size)));
        in = in.subspan(size + kChunkTagBytes);
        filled += size;
      }
      return filled == 0
                 ? absl::OkStatus()
                 : write_plain(batch.begin * kChunkPlainBytes, ByteView(plain).first(filled));
    };
  });
}

absl::Status OpenAll(const ChunkOpener& opener, ByteView sealed, std::span<std::uint8_t> plain,
                     int threads) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes, SealedSize(opener.plain_size()));
  if (sealed.size() != sealed_bytes || plain.size() != opener.plain_size()) {
    return absl::InvalidArgumentError("sealed: the buffer does not fit the message");
  }
  const absl::Status status = RunBatches(opener.chunk_count(), threads, [&] {
    return [&](Batch batch) -> absl::Status {
      for (std::uint64_t index = batch.begin; index < batch.end; ++index) {
        const std::size_t size = opener.ChunkPlainSize(index);
        CARNET_RETURN_IF_ERROR(opener.OpenChunk(
            index,
            sealed.subspan(static_cast<std::size_t>(ChunkOffset(index)), size + kChunkTagBytes),
            plain.subspan(static_cast<std::size_t>(index) * kChunkPlainBytes, size)));
      }
      return absl::OkStatus();
    };
  });
  if (!status.ok()) {
    Wipe(plain);
  }
  return status;
}

}  // namespace carnet::crypto
