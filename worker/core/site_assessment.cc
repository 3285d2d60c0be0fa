#include "worker/core/site_assessment.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/timestamp.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

// Who may say that nobody can be identified from a model.
bool MayAssess(const PolicyChain& chain, const std::string& assessor, const Bytes& signed_by) {
  static const auto& roles = *new std::set<std::string>{"compliance", "dpo", "legal"};
  const auto person = chain.people().find(assessor);
  return person != chain.people().end() && !person->second.revoked &&
         person->second.public_key == signed_by &&
         std::any_of(person->second.roles.begin(), person->second.roles.end(),
                     [](const std::string& role) { return roles.count(role) != 0; });
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
               Approves(*assessment, asked) &&
               MayAssess(chain, assessment->assessor(), record->public_key);
      });
}

}  // namespace carnet::worker
