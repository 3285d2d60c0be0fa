// A trust policy and a head under it; fork evidence; tile paths.
#include <string>

#include "base/status.h"
#include "ledger/tiles.h"
#include "ledger/verifier/head_tracker.h"
#include "ledger/verifier/trust_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  const auto policy = carnet::ledger::verifier::ParseTrustPolicy(text);
  if (policy.ok()) {
    CARNET_CHECK(!policy->logs.empty() && !policy->quorum.empty());
    CARNET_CHECK(!carnet::ledger::verifier::VerifyTrustedHead(text, *policy).ok());
    carnet::ledger::verifier::VerifyForkEvidence(text, policy->logs.front()).status().IgnoreError();
  }
  const auto tile = carnet::ledger::ParseTilePath(text);
  if (tile.ok()) {
    CARNET_CHECK((tile->entries ? carnet::ledger::EntriesPath(tile->tile.index, tile->tile.width)
                                : carnet::ledger::TilePath(tile->tile)) == text);
  }
  return 0;
}
