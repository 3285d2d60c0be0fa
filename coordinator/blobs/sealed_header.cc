#include "coordinator/blobs/sealed_header.h"

#include <string>

#include "base/status.h"

namespace carnet::coordinator {

absl::StatusOr<exchange::Header> ReadSealedHeader(const Blobs& blobs, const BlobId& id) {
  if (id.kind != BlobKind::kDelta && id.kind != BlobKind::kSealed) {
    return absl::NotFoundError("a blob of this kind is not sealed");
  }
  CARNET_ASSIGN_OR_RETURN(const std::string bytes, blobs.ReadHeader(id));
  return exchange::ParseHeader(AsBytes(bytes));
}

}  // namespace carnet::coordinator
