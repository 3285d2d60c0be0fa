// What can be wrong with a sealed delta.
#ifndef CARNET_COORDINATOR_AGGREGATION_VERDICT_H_
#define CARNET_COORDINATOR_AGGREGATION_VERDICT_H_

#include <cstdint>

#include "coordinator/core/reasons.h"

namespace carnet::aggregation {

enum class DeltaVerdict : std::uint8_t {
  kOk,
  kTruncated,             // The file does not hold the whole sealed message.
  kWrongLayout,           // The sealed message is not as long as this codec and layout make it.
  kWrongKey,              // It was not sealed with this key under this context.
  kSealedDigestMismatch,  // The ciphertext is not the one that was announced.
  kBadChunk,              // A chunk is not the one that was sealed.
  kBadBlock,              // A block is none that the codec writes.
  kNotFinite,             // A value is NaN or infinite.
  kNormExceeded,          // The L2 norm is above the clip and its slack.
};

// The reason as records carry it (coordinator/core/reasons.h); empty for kOk.
constexpr const char* ReasonOf(DeltaVerdict verdict) {
  switch (verdict) {
    case DeltaVerdict::kOk:
      return "";
    case DeltaVerdict::kTruncated:
      return coordinator::reasons::kTruncated;
    case DeltaVerdict::kWrongLayout:
    case DeltaVerdict::kBadBlock:
      return coordinator::reasons::kWrongLayout;
    case DeltaVerdict::kWrongKey:
      return coordinator::reasons::kWrongHeader;
    case DeltaVerdict::kSealedDigestMismatch:
      return coordinator::reasons::kWrongDigest;
    case DeltaVerdict::kBadChunk:
      return coordinator::reasons::kBadChunk;
    case DeltaVerdict::kNotFinite:
      return coordinator::reasons::kNotFinite;
    case DeltaVerdict::kNormExceeded:
      return coordinator::reasons::kNormAboveClip;
  }
  return "";
}

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_VERDICT_H_
