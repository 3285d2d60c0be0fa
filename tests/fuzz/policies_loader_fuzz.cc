// Files of policies, groups and tests, a bundle's JSON, and facts: refused, or the same again after
// a round trip and fit for a decision on these facts. How an input is divided: policies_input.h.
#include "base/status.h"
#include "policies/evaluate.h"
#include "policies/explain.h"
#include "policies/loader.h"
#include "tests/fuzz/policies_input.h"

namespace {

namespace policies = carnet::policies;

void CheckDecision(const policies::Bundle& bundle, const policies::Bundle& again,
                   const policies::FactSet& facts) {
  const absl::Time at = carnet::fuzz::PoliciesInputTime();
  const carnet::v1::Decision decision = policies::Evaluate(bundle, facts, at);
  CARNET_CHECK(policies::Evaluate(again, facts, at).SerializeAsString() ==
               decision.SerializeAsString());
  CARNET_CHECK((decision.verdict() == carnet::v1::VERDICT_ALLOW) == decision.failures().empty());
  CARNET_CHECK(policies::Evaluate(bundle, facts, at, policies::Words::kLeftOut).verdict() ==
               decision.verdict());
  CARNET_CHECK(!policies::Explain(decision, policies::Reader::kAuditor).empty());
}

// On the input's facts, and with nothing known.
void CheckBundle(const policies::Bundle& bundle, const policies::FactSet& facts) {
  const auto again = policies::BundleFromJson(bundle.CanonicalJson());
  CARNET_CHECK(again.ok());
  CARNET_CHECK((*again)->CanonicalJson() == bundle.CanonicalJson());
  CheckDecision(bundle, **again, facts);
  CheckDecision(bundle, **again, policies::FactSet());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const carnet::fuzz::PoliciesInput input =
      carnet::fuzz::DividePoliciesInput(carnet::AsText(carnet::ByteView(data, size_bytes)));
  const auto facts = policies::FactSet::FromJson(input.facts);
  if (facts.ok()) {
    const auto again = policies::FactSet::FromJson(facts->CanonicalJson());
    CARNET_CHECK(again.ok() && *again == *facts);
  }
  const policies::FactSet subject = facts.ok() ? *facts : policies::FactSet();
  if (const auto bundle = policies::BundleFromJson(input.policies); bundle.ok()) {
    CheckBundle(**bundle, subject);
  }
  if (const auto bundle = policies::BundleFromFiles(input.files); bundle.ok()) {
    CheckBundle(**bundle, subject);
  }
  return 0;
}
