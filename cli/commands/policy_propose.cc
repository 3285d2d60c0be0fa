#include "cli/commands/policy_propose.h"

#include <algorithm>

#include "base/status.h"
#include "cli/signing.h"
#include "policies/change.h"
#include "policies/loader.h"

namespace carnet::cli {

absl::StatusOr<std::shared_ptr<const policies::Bundle>> FetchBundle(Client& client,
                                                                    const Digest& sha256) {
  v1::GetBundleRequest request;
  if (sha256 != Digest{}) {
    request.set_bundle_sha256(ToString(sha256));
  }
  CARNET_ASSIGN_OR_RETURN(
      const v1::GetBundleResponse response,
      client.Call(client.governance(), &v1::Governance::Stub::GetBundle, request));
  CARNET_ASSIGN_OR_RETURN(std::shared_ptr<const policies::Bundle> bundle,
                          policies::BundleFromJson(response.bundle_json()));
  if (sha256 != Digest{} && bundle->sha256() != sha256) {
    return absl::UnauthenticatedError("the coordinator sent another bundle than was asked for");
  }
  return bundle;
}

absl::StatusOr<ProposedBundle> NextBundle(const policies::Bundle& in_force,
                                          const ProposalOrder& order) {
  policies::BundleHead head;
  head.revision = in_force.revision() + 1;
  head.parent = in_force.sha256();
  head.valid_from = absl::FromUnixSeconds(absl::ToUnixSeconds(order.valid_from));
  head.valid_to = head.valid_from + order.life;
  ProposedBundle proposed;
  CARNET_ASSIGN_OR_RETURN(proposed.bundle, policies::IssueBundle(*order.content, head));
  if (order.intent == "change" && in_force.head().valid_to > head.valid_from) {
    policies::BundleHead shorter = head;
    shorter.valid_to = std::min(head.valid_to, in_force.head().valid_to);
    CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const policies::Bundle> tight,
                            policies::IssueBundle(*order.content, shorter));
    if (policies::CheckTightensOnly(in_force, *tight).ok()) {
      proposed.bundle = tight;
      proposed.shortened = shorter.valid_to != head.valid_to;
    }
  }
  return proposed;
}

absl::StatusOr<ProposedBundle> ProposeBundle(Client& client, const ProposalOrder& order) {
  CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const policies::Bundle> in_force,
                          FetchBundle(client, Digest{}));
  CARNET_ASSIGN_OR_RETURN(ProposedBundle proposed, NextBundle(*in_force, order));
  v1::PolicyProposed record;
  FillCommon(client, record.mutable_common());
  record.set_author(client.identity().facts.user_id());
  record.set_bundle_json(proposed.bundle->CanonicalJson());
  record.set_bundle_sha256(ToString(proposed.bundle->sha256()));
  record.set_revision(proposed.bundle->revision());
  record.set_parent_sha256(ToString(in_force->sha256()));
  record.set_intent(order.intent);
  v1::SignedRequest request;
  CARNET_ASSIGN_OR_RETURN(*request.mutable_record(), SignAsUser(client, record));
  CARNET_ASSIGN_OR_RETURN(
      const v1::GovernanceReceipt response,
      client.Call(client.governance(), &v1::Governance::Stub::ProposePolicy, request));
  CARNET_ASSIGN_OR_RETURN(proposed.index,
                          client.VerifyReceipt(request.record(), response.receipt()));
  return proposed;
}

}  // namespace carnet::cli
