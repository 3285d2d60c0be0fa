#include "worker/core/site_assessment.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/timestamp.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

// Who could say, where the record stands, that nobody can be identified from a model. What was
// stated stays when its person leaves.
bool MayAssess(const PolicyChain& chain, const std::string& assessor, const Bytes& signed_by,
               std::uint64_t index) {
  static const auto& roles = *new std::set<std::string>{"compliance", "dpo", "legal"};
  const auto person = chain.people().find(assessor);
  return person != chain.people().end() && person->second.public_key == signed_by &&
         std::any_of(roles.begin(), roles.end(),
                     [&](const std::string& role) { return chain.HeldAt(assessor, role, index); });
}

// Signed since this log began: one from before was for another log.
bool IsOfThisLog(const PolicyChain& chain, const v1::ModelAssessed& assessment) {
  return ToTime(assessment.common().at()) >= chain.history().front().since;
}

bool Approves(const v1::ModelAssessed& assessment, const AskedModel& asked) {
  return assessment.model_sha256() == AsText(asked.model_sha256) && !assessment.withdrawn() &&
         assessment.anonymity() == "approved" && asked.at >= ToTime(assessment.valid_from()) &&
         asked.at < ToTime(assessment.valid_to());
}

}  // namespace

bool ShowsAnonymity(const v1::Task& task, const ledger::verifier::TreeHead& head,
                    const PolicyChain& chain, const AskedModel& asked) {
  return std::any_of(
      task.context().begin(), task.context().end(), [&](const v1::ProvenRecord& proven) {
        const auto record = ledger::verifier::VerifyProvenRecord(proven, head);
        const auto* assessment = record.ok() ? record->As<v1::ModelAssessed>() : nullptr;
        return assessment != nullptr && proven.proof().index() < asked.before &&
               Approves(*assessment, asked) && IsOfThisLog(chain, *assessment) &&
               MayAssess(chain, assessment->assessor(), record->public_key, proven.proof().index());
      });
}

}  // namespace carnet::worker
