#include "ledger/verifier/erasures.h"

#include <algorithm>

#include "carnet/v1/records.pb.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {

absl::Status TakeErasure(std::uint64_t index, const VerifiedRecord& record,
                         std::vector<Erased>& erased) {
  if (const auto* order = record.As<v1::Erasure>(); order != nullptr) {
    if (order->index() >= index) {
      return BadEvidence("erasure: of a record that comes after it");
    }
    erased.push_back({.index = order->index(),
                      .field = order->field(),
                      .ordered = index,
                      .done = std::nullopt,
                      .vault_id = order->vault_id()});
  }
  if (const auto* done = record.As<v1::ErasureDone>(); done != nullptr) {
    const auto order = std::find_if(erased.begin(), erased.end(), [done](const Erased& item) {
      return item.ordered == done->erasure_index() && item.vault_id == done->vault_id();
    });
    if (order == erased.end() || order->done.has_value()) {
      return BadEvidence("erasure-done: the end of no erasure that was ordered");
    }
    order->done = index;
  }
  return absl::OkStatus();
}

}  // namespace carnet::ledger::verifier
