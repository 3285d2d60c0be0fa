// The bytes as an audit bundle: never more than a refusal, and every entry that opens can be read.
#include <algorithm>

#include "base/status.h"
#include "ledger/readers/archive_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const carnet::ByteView input(data, size_bytes);
  const auto source = carnet::ledger::ArchiveSource::Open(
      [input](std::uint64_t offset, std::span<std::uint8_t> out) {
        if (offset > input.size() || out.size() > input.size() - offset) {
          return absl::OutOfRangeError("the end");
        }
        const carnet::ByteView part = input.subspan(offset, out.size());
        std::copy(part.begin(), part.end(), out.begin());
        return absl::OkStatus();
      },
      size_bytes);
  if (source.ok()) {
    for (const std::string& name : (*source)->Names()) {
      CARNET_CHECK((*source)->Read(name).ok());
    }
  }
  return 0;
}
