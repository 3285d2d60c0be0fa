// Bundles of policies: proposed, examined, in force, withdrawn.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/fold.h"
#include "policies/loader.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<Proposal*> KnownProposal(State& state, std::uint64_t index,
                                        const std::string& bundle_sha256) {
  const auto proposal = state.proposals.find(bundle_sha256);
  if (proposal == state.proposals.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown proposal"));
  }
  return &proposal->second;
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyProposed& record) {
  Proposal proposal;
  CARNET_ASSIGN_OR_RETURN(proposal.bundle, policies::BundleFromJson(record.bundle_json()));
  proposal.terms = record;
  proposal.terms.clear_bundle_json();
  proposal.index = index;
  state.proposals[record.bundle_sha256()] = std::move(proposal);
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyExamined& record) {
  CARNET_ASSIGN_OR_RETURN(Proposal* const proposal,
                          KnownProposal(state, index, record.bundle_sha256()));
  proposal->examined = record;
  return absl::OkStatus();
}

// The swap: everything that is decided from here on is decided under the new bundle.
absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyActivated& record) {
  CARNET_ASSIGN_OR_RETURN(Proposal* const proposal,
                          KnownProposal(state, index, record.bundle_sha256()));
  if (record.parent_sha256() != AsText(state.bundle->sha256()) ||
      record.revision() != state.bundle->revision() + 1) {
    return absl::DataLossError(absl::StrCat(
        "record ", index, " activates a bundle that does not follow the one in force"));
  }
  proposal->phase = ProposalPhase::kActivated;
  proposal->activated_index = index;
  state.bundle = proposal->bundle;
  state.bundles[record.bundle_sha256()] = proposal->bundle;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyWithdrawn& record) {
  CARNET_ASSIGN_OR_RETURN(Proposal* const proposal,
                          KnownProposal(state, index, record.bundle_sha256()));
  proposal->phase = ProposalPhase::kWithdrawn;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
