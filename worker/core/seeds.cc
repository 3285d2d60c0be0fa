#include "worker/core/seeds.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/status.h"
#include "crypto/hash.h"
#include "crypto/secret_bytes.h"

namespace carnet::worker {
namespace {

constexpr absl::string_view kSalt = "carnet/seed/v1";
constexpr absl::string_view kFit = "fit";
constexpr absl::string_view kRounding = "stochastic-rounding";
constexpr unsigned kSeedBits = 53;

void AppendBigEndian(std::uint64_t value, int size_bytes, Bytes* out) {
  for (int shift = 8 * (size_bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

Bytes Info(absl::string_view purpose, std::uint32_t round, absl::string_view spiffe_path,
           std::optional<std::uint64_t> block) {
  Bytes info = ToBytes(purpose);
  info.push_back(0);
  AppendBigEndian(round, 4, &info);
  info.insert(info.end(), spiffe_path.begin(), spiffe_path.end());
  if (block.has_value()) {
    info.push_back(0);
    AppendBigEndian(*block, 8, &info);
  }
  return info;
}

}  // namespace

std::uint64_t FitSeed(const Digest& spec_sha256, std::uint32_t round,
                      absl::string_view spiffe_path) {
  std::uint8_t bytes[8] = {};
  crypto::HkdfSha256(AsBytes(kSalt), spec_sha256, Info(kFit, round, spiffe_path, std::nullopt),
                     bytes);
  std::uint64_t seed = 0;
  for (const std::uint8_t byte : bytes) {
    seed = (seed << 8) | byte;
  }
  return seed >> (64 - kSeedBits);
}

model::BlockRandom RoundingRandom(const Digest& spec_sha256, std::uint32_t round,
                                  absl::string_view spiffe_path) {
  return [spec_sha256, round, path = std::string(spiffe_path)](
             std::uint64_t block_index, std::span<std::uint8_t> bytes) -> absl::Status {
    const crypto::SecretBytes key = crypto::HkdfSha256(
        AsBytes(kSalt), spec_sha256, Info(kRounding, round, path, block_index), kDigestBytes);
    for (std::uint32_t piece = 0; !bytes.empty(); ++piece) {
      const std::size_t take = std::min(bytes.size(), crypto::kHkdfSha512BytesMax);
      Bytes info;
      AppendBigEndian(piece, 4, &info);
      crypto::HkdfExpandSha512(key.View(), info, bytes.first(take));
      bytes = bytes.subspan(take);
    }
    return absl::OkStatus();
  };
}

}  // namespace carnet::worker
