// The bytes as a manifest file, and as the JSON within one: never more than a refusal.
#include <zstd.h>

#include "base/status.h"
#include "ledger/verifier/manifest.h"

namespace {

constexpr char kPolicy[] =
    "# genesis 0000000000000000000000000000000000000000000000000000000000000000\n"
    "log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\nquorum none\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using carnet::ledger::verifier::Verdict;
  static const auto* const policy = new carnet::ledger::verifier::TrustPolicy(
      *carnet::ledger::verifier::ParseTrustPolicy(kPolicy));
  const carnet::ByteView input(data, size_bytes);
  CARNET_CHECK(carnet::ledger::verifier::VerifyManifest({}, input, *policy).verdict !=
               Verdict::kGood);
  carnet::Bytes packed(ZSTD_compressBound(size_bytes));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), data, size_bytes, 1));
  CARNET_CHECK(carnet::ledger::verifier::VerifyManifest({}, packed, *policy).verdict !=
               Verdict::kGood);
  return 0;
}
