// Making and signing a proposal: `carnet policy propose|renew|revert`.
#ifndef CARNET_CLI_COMMANDS_POLICY_PROPOSE_H_
#define CARNET_CLI_COMMANDS_POLICY_PROPOSE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "policies/bundle.h"

namespace carnet::cli {

struct ProposalOrder {
  std::string intent;                               // change | renew | revert
  std::shared_ptr<const policies::Bundle> content;  // what is to be in force; its head is not read
  absl::Time valid_from;
  absl::Duration life;  // at most 90 days
};
struct ProposedBundle {
  std::shared_ptr<const policies::Bundle> bundle;
  std::uint64_t index = 0;
  bool shortened = false;  // it only tightens, so it ends with the bundle in force
};

// The bundle on record with this digest, verified against it; all zero: the one in force.
absl::StatusOr<std::shared_ptr<const policies::Bundle>> FetchBundle(Client& client,
                                                                    const Digest& sha256);

// What `order` would put on record behind `in_force`; its index is 0. What only tightens ends no
// later than the bundle in force: then it needs nobody's approval. Errors: those of
// policies::IssueBundle.
absl::StatusOr<ProposedBundle> NextBundle(const policies::Bundle& in_force,
                                          const ProposalOrder& order);

// Gives `content` the head of the next bundle, signs it as its author, and puts it on record, as
// NextBundle makes it. Errors: those of Governance.ProposePolicy.
absl::StatusOr<ProposedBundle> ProposeBundle(Client& client, const ProposalOrder& order);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_PROPOSE_H_
