// Files of policies, groups and tests, a bundle's JSON, and facts: refused, or the same again after
// a round trip and fit for a decision. Files in one input are divided by lines of "%%".
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "policies/evaluate.h"
#include "policies/explain.h"
#include "policies/loader.h"

namespace {

namespace policies = carnet::policies;

void CheckBundle(const policies::Bundle& bundle, const policies::FactSet& facts) {
  const auto again = policies::BundleFromJson(bundle.CanonicalJson());
  CARNET_CHECK(again.ok());
  CARNET_CHECK((*again)->CanonicalJson() == bundle.CanonicalJson());
  const absl::Time at = absl::FromUnixSeconds(1'795'000'000);
  const carnet::v1::Decision decision = policies::Evaluate(bundle, facts, at);
  CARNET_CHECK(policies::Evaluate(**again, facts, at).SerializeAsString() ==
               decision.SerializeAsString());
  CARNET_CHECK((decision.verdict() == carnet::v1::VERDICT_ALLOW) == decision.failures().empty());
  CARNET_CHECK(!policies::Explain(decision, policies::Reader::kAuditor).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string text(carnet::AsText(carnet::ByteView(data, size_bytes)));
  const auto facts = policies::FactSet::FromJson(text);
  if (facts.ok()) {
    const auto again = policies::FactSet::FromJson(facts->CanonicalJson());
    CARNET_CHECK(again.ok() && *again == *facts);
  }
  const policies::FactSet subject = facts.ok() ? *facts : policies::FactSet();
  if (const auto bundle = policies::BundleFromJson(text); bundle.ok()) {
    CheckBundle(**bundle, subject);
  }
  std::vector<policies::SourceFile> files;
  for (const absl::string_view part : absl::StrSplit(text, "\n%%\n")) {
    files.push_back({absl::StrCat("f", files.size()), std::string(part)});
  }
  if (const auto bundle = policies::BundleFromFiles(files); bundle.ok()) {
    CheckBundle(**bundle, subject);
  }
  return 0;
}
