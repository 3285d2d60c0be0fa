#include "ledger/verifier/policy_history.h"

#include "absl/strings/str_cat.h"
#include "base/bytes.h"

namespace carnet::ledger::verifier {
namespace {

std::string Words(const std::string& bundle, std::uint64_t revision) {
  return absl::StrCat("policy bundle ", bundle.empty() ? "nothing" : HexEncode(AsBytes(bundle)),
                      " revision ", revision);
}

Finding NotHeld(std::uint64_t revision, std::uint64_t index) {
  return {.expected = absl::StrCat("policy-activated of revision ", revision),
          .actual = "not in the manifest",
          .index = index,
          .missing = true};
}

}  // namespace

std::optional<Finding> PolicyHistory::Follow(std::uint64_t index,
                                             const v1::PolicyActivated& activated) {
  if (activated.revision() > revision_ + 1) {
    return NotHeld(revision_ + 1, index);
  }
  if (activated.revision() != revision_ + 1 || activated.parent_sha256() != bundle_) {
    return Finding{
        .expected = absl::StrCat("revision ", revision_ + 1, " after ", Words(bundle_, revision_)),
        .actual = absl::StrCat("revision ", activated.revision(), " after ",
                               Words(activated.parent_sha256(), revision_)),
        .index = index};
  }
  bundle_ = activated.bundle_sha256();
  revision_ = activated.revision();
  return std::nullopt;
}

std::optional<Finding> PolicyHistory::Check(std::uint64_t index,
                                            const v1::DecisionBasis& basis) const {
  if (basis.bundle_sha256() == bundle_ && basis.revision() == revision_) {
    return std::nullopt;
  }
  if (basis.revision() > revision_) {
    return NotHeld(basis.revision(), index);
  }
  return Finding{.expected = Words(bundle_, revision_),
                 .actual = Words(basis.bundle_sha256(), basis.revision()),
                 .index = index};
}

}  // namespace carnet::ledger::verifier
