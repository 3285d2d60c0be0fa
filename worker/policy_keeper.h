// The policies that this worker followed: in memory, on disk, and the one place where the evidence
// of a coordinator that contradicts itself about them is kept. In the state directory:
//   policies                   PolicyChain::Save
//   policy-<n>.dsse.json, policy-<n>.tlog-proof   evidence: a record and its place in the log
//   policy-contradiction.txt   what is wrong with it; its presence stops the worker
#ifndef CARNET_WORKER_POLICY_KEEPER_H_
#define CARNET_WORKER_POLICY_KEEPER_H_

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "carnet/v1/federation.pb.h"
#include "worker/core/policy_chain.h"
#include "worker/state_dir.h"

namespace carnet::worker {

// Thread-compatible: one thread polls and checks tasks.
class PolicyKeeper {
 public:
  // Reads what was followed before, or begins at genesis: record 0 of the enrolment, whose leaf the
  // join token names. Errors: DATA_LOSS evidence of a contradiction lies in the state directory
  // (IsContradiction): a person decides what follows; what is remembered cannot be read.
  // UNAUTHENTICATED genesis puts no readable bundle into force. Those of base/files.h.
  static absl::StatusOr<std::unique_ptr<PolicyKeeper>> Open(const StateDir& state,
                                                            const v1::SignedRecord& genesis);

  // Follows the records that a poll brought, in their order, up to the first that is refused; what
  // was followed is durable on return. head: of `response`, verified. Errors: those of
  // PolicyChain::Follow; a contradiction is on disk, and every later call fails with it. Those of
  // base/files.h.
  absl::Status Follow(const v1::NextTaskResponse& response, const ledger::verifier::TreeHead& head,
                      const ledger::verifier::KeyHistory& keys);

  // Keeps `proven`, under the signed head `note`, as evidence of `contradiction`; returns it with
  // the place of the evidence.
  absl::Status KeepEvidence(const v1::ProvenRecord& proven, const std::string& note,
                            const absl::Status& contradiction);

  const PolicyChain& chain() const { return chain_; }

 private:
  PolicyKeeper(const StateDir& state, PolicyChain chain)
      : root_(state.root()),
        path_(state.policies()),
        marker_(state.policy_contradiction()),
        chain_(std::move(chain)) {}

  const std::filesystem::path root_;
  const std::filesystem::path path_;
  const std::filesystem::path marker_;
  PolicyChain chain_;
  absl::Status contradiction_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_POLICY_KEEPER_H_
