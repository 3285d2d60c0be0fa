// The limit of B1, straight on OpenSSL: nothing of Carnet but the derivation of the chunk key.
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>

#include "base/status.h"
#include "coordinator/aggregation/parallel.h"
#include "crypto/hash.h"
#include "tests/bench/bars.h"

namespace carnet::bench {
namespace {

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr std::size_t kStripChunks = 4;
constexpr std::size_t kChunkValues = crypto::kChunkPlainBytes / sizeof(float);
constexpr int kNonceBytes = 12;
// key || base nonce || commitment, c2sp.org/chunked-encryption.
constexpr std::size_t kDerivedBytes = 32 + kNonceBytes + 32;

// One sealed delta, mapped and with its pages present.
struct Mapped {
  const std::uint8_t* data = nullptr;
  std::size_t size_bytes = 0;
  std::array<std::uint8_t, kDerivedBytes> derived{};

  Mapped() = default;
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (data != nullptr) {
      munmap(const_cast<std::uint8_t*>(data), size_bytes);
    }
  }

  bool Open(const aggregation::SealedDelta& delta) {
    const int fd = open(delta.file.c_str(), O_RDONLY | O_CLOEXEC);
    size_bytes = delta.size_bytes;
    void* mapped = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) {
      return false;
    }
    data = static_cast<const std::uint8_t*>(mapped);
    Bytes info = ToBytes("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM");
    info.push_back(0);
    info.insert(info.end(), data, data + crypto::kSealedSaltBytes);
    info.insert(info.end(), delta.context.begin(), delta.context.end());
    crypto::HkdfExpandSha512(delta.data_key.View(), info, derived);
    return true;
  }
};

// Opens chunk `index` into `plain`; the context is keyed already.
bool OpenChunk(EVP_CIPHER_CTX* cipher, const Mapped& delta, std::uint64_t index,
               std::span<std::uint8_t> plain) {
  std::array<std::uint8_t, kNonceBytes> nonce;
  std::copy_n(delta.derived.begin() + 32, kNonceBytes, nonce.begin());
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[nonce.size() - 1 - i] ^= static_cast<std::uint8_t>(index >> (8 * i));
  }
  const std::uint8_t* sealed = delta.data + crypto::ChunkOffset(index);
  const std::uint8_t* tag = sealed + plain.size();
  int written = 0;
  return EVP_DecryptInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(cipher, plain.data(), &written, sealed,
                           static_cast<int>(plain.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, crypto::kChunkTagBytes,
                             const_cast<std::uint8_t*>(tag)) == 1 &&
         EVP_DecryptFinal_ex(cipher, nullptr, &written) == 1;
}

// One thread's share: strips of four chunks, each summed over all deltas while the sums are in the
// cache.
bool OpenAndAdd(std::span<const Mapped> deltas, std::uint64_t parameters,
                std::atomic<std::uint64_t>& next_strip) {
  std::vector<CipherPtr> ciphers;
  for (const Mapped& delta : deltas) {
    ciphers.emplace_back(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    if (EVP_DecryptInit_ex(ciphers.back().get(), EVP_aes_256_gcm(), nullptr, delta.derived.data(),
                           nullptr) != 1) {
      return false;
    }
  }
  alignas(64) std::array<float, kChunkValues> plain;
  alignas(64) std::array<float, kStripChunks * kChunkValues> sums;
  for (;;) {
    const std::uint64_t first = next_strip++ * sums.size();
    if (first >= parameters) {
      break;
    }
    sums.fill(0);
    for (std::size_t d = 0; d < deltas.size(); ++d) {
      for (std::size_t done = 0; done < sums.size() && first + done < parameters;
           done += kChunkValues) {
        const std::size_t count = std::min<std::uint64_t>(kChunkValues, parameters - first - done);
        if (!OpenChunk(ciphers[d].get(), deltas[d], (first + done) / kChunkValues,
                       {reinterpret_cast<std::uint8_t*>(plain.data()), count * sizeof(float)})) {
          return false;
        }
        for (std::size_t i = 0; i < count; ++i) {
          sums[done + i] += plain[i];
        }
      }
    }
    // The sums must not be optimised away.
    asm volatile("" : : "g"(sums.data()) : "memory");
  }
  return true;
}

}  // namespace

absl::StatusOr<double> MeasureGcmLimit(const SyntheticRound& round, int threads) {
  std::vector<Mapped> deltas(round.files());
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    if (!deltas[i].Open(round.Delta(i, i))) {
      return absl::ResourceExhaustedError("bench: a sealed delta cannot be mapped");
    }
  }
  std::atomic<std::uint64_t> next_strip{0};
  std::atomic<bool> opened{true};
  const auto start = std::chrono::steady_clock::now();
  aggregation::RunOnThreads(threads, [&] {
    if (!OpenAndAdd(deltas, round.parameters(), next_strip)) {
      opened = false;
    }
  });
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  if (!opened) {
    return absl::DataLossError("bench: a chunk did not open");
  }
  return spent.count();
}

}  // namespace carnet::bench
