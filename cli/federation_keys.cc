#include "cli/federation_keys.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace carnet::cli {

namespace verifier = ledger::verifier;

absl::StatusOr<FederationKeys> CheckFederation(
    const std::string& log_vkey, const v1::ProvenRecord& genesis,
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
    const std::string& head) {
  CARNET_ASSIGN_OR_RETURN(const verifier::VerifierKey trusted,
                          verifier::ParseVerifierKey(log_vkey));
  // Each handover only makes a head believable, under which the same records are proven then.
  verifier::VerifierKey log = trusted;
  for (const v1::ProvenRecord& proven : rotations) {
    CARNET_ASSIGN_OR_RETURN(const auto record, verifier::VerifyRecord(proven.record()));
    if (auto next = verifier::FollowLogKey(log, record); next.ok()) {
      log = *std::move(next);
    }
  }
  CARNET_ASSIGN_OR_RETURN(const verifier::VerifiedHead verified, verifier::VerifyHead(head, log));
  CARNET_ASSIGN_OR_RETURN(auto first, verifier::VerifyProvenRecord(genesis, verified.tree));
  if (genesis.proof().index() != 0) {
    return absl::UnauthenticatedError("renewal: genesis is not record 0");
  }
  CARNET_ASSIGN_OR_RETURN(verifier::KeyHistory history, verifier::KeyHistory::Create(first));
  for (const v1::ProvenRecord& proven : rotations) {
    CARNET_ASSIGN_OR_RETURN(const auto record, verifier::VerifyProvenRecord(proven, verified.tree));
    CARNET_RETURN_IF_ERROR(history.Add(proven.proof().index(), record));
  }
  const verifier::VerifierKey& named = history.log();
  const auto is_trusted = [&](const verifier::VerifierKey& key) {
    return key.name == trusted.name && key.public_key == trusted.public_key;
  };
  if (!is_trusted(named) &&
      std::none_of(named.successors.begin(), named.successors.end(), is_trusted)) {
    return absl::UnauthenticatedError("renewal: the log never had the key that is trusted");
  }
  return FederationKeys{verified.tree, std::move(first), std::move(history)};
}

}  // namespace carnet::cli
