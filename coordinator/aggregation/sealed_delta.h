// One sealed delta on disk, opened and decoded part by part.
#ifndef CARNET_COORDINATOR_AGGREGATION_SEALED_DELTA_H_
#define CARNET_COORDINATOR_AGGREGATION_SEALED_DELTA_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/files.h"
#include "coordinator/aggregation/verdict.h"
#include "crypto/sealed.h"
#include "crypto/secret_bytes.h"
#include "model/codec.h"

namespace carnet::aggregation {

// Where a sealed delta stands and what opens it. Move-only: it holds a key.
struct SealedDelta {
  std::string contributor;  // SPIFFE path; named in errors.
  std::filesystem::path file;
  std::uint64_t offset_bytes = 0;  // Of the sealed message in the file.
  std::uint64_t size_bytes = 0;    // Of the sealed message, its 56-byte header included.
  crypto::SecretBytes data_key;    // crypto::kDataKeyBytes.
  Bytes context;  // What the sealing is bound to: the SHA-256 of the artifact's header.
};

// How a job's deltas are written; the same for all of its workers.
struct DeltaFormat {
  model::Codec codec = model::Codec::kFp32;
  std::uint64_t parameters = 0;  // Of the layout: 1..kParametersMax.
};

// Parameters that are opened and decoded in one piece: a whole block, or where the codec allows it
// a part of one, so that what a thread works on stays in its cache. Divides kBlockParameters.
std::size_t StripParameters(model::Codec codec);

// Const members are safe from any thread.
class SealedDeltaReader {
 public:
  struct Opened;

  // Checks sizes and key; reads only the sealed message's header.
  // Errors: those of base/files.h; INVALID_ARGUMENT a key or context of a wrong size; UNAVAILABLE
  // the file cannot be read; INTERNAL OpenSSL failed.
  static absl::StatusOr<Opened> Open(const SealedDelta& delta, const DeltaFormat& format);
  SealedDeltaReader(SealedDeltaReader&&) = default;
  SealedDeltaReader& operator=(SealedDeltaReader&&) = default;

  // Opens and decodes the parameters from `first`, a multiple of StripParameters: that many, or
  // fewer up to the end. NaN and infinities come through. Verdicts: kOk, kBadChunk, kBadBlock;
  // `values` is unspecified unless kOk. scratch: EncodedBlockBytes of the strip; holds plaintext
  // afterwards, for the caller to wipe. Errors: UNAVAILABLE the file cannot be read; INTERNAL
  // OpenSSL failed.
  absl::StatusOr<DeltaVerdict> ReadStrip(std::uint64_t first, std::span<float> values,
                                         std::span<std::uint8_t> scratch) const;

  // Opens the last chunk, whose being there says that the message is whole. Verdicts kOk,
  // kBadChunk; errors as ReadStrip.
  absl::StatusOr<DeltaVerdict> CheckEnd() const;

  // Bytes of the sealed message as they are on disk. Error UNAVAILABLE: they cannot be read.
  absl::Status ReadSealed(std::uint64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  SealedDeltaReader(UniqueFd fd, std::uint64_t offset, model::Codec codec,
                    crypto::ChunkOpener opener);

  UniqueFd fd_;
  std::uint64_t offset_bytes_;
  model::Codec codec_;
  crypto::ChunkOpener opener_;
};

struct SealedDeltaReader::Opened {
  DeltaVerdict verdict = DeltaVerdict::kOk;  // Else kTruncated, kWrongLayout or kWrongKey.
  std::optional<SealedDeltaReader> reader;   // Set when kOk.
};

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_SEALED_DELTA_H_
