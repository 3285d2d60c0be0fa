#include "ledger/published.h"

#include <string>
#include <utility>

#include "base/files.h"
#include "base/status.h"

namespace carnet::ledger {

absl::StatusOr<Published> ReadPublished(const std::filesystem::path& state_dir,
                                        const LogKeys& keys) {
  const std::filesystem::path file = state_dir / kPublishedFileName;
  const absl::StatusOr<Bytes> bytes = ReadFile(file, kNoteBytesMax);
  if (absl::IsNotFound(bytes.status())) {
    return Published();
  }
  CARNET_RETURN_IF_ERROR(bytes);
  Published published{.witnessed = true, .head = std::nullopt};
  if (!bytes->empty()) {
    absl::StatusOr<Head> head = ParseHead(AsText(*bytes), keys);
    if (!head.ok()) {
      return WithRemedy(
          WithOperatorDetail(absl::DataLossError("log: the published head is no head of this log"),
                             file.string()),
          "empty the file; the next head that the witnesses cosign is put there");
    }
    published.head = SignedHead{.head = *std::move(head), .note = ToString(*bytes)};
  }
  return published;
}

absl::Status WritePublished(const std::filesystem::path& state_dir, const Published& published) {
  const std::filesystem::path file = state_dir / kPublishedFileName;
  if (!published.witnessed) {
    return RemoveFileDurably(file);
  }
  return WriteFileAtomic(file, published.head ? AsBytes(published.head->note) : ByteView(),
                         kPrivateFileMode);
}

}  // namespace carnet::ledger
