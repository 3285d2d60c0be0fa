// A worker's own view of a World's log: records with proofs under one head, and the policies that
// it folds out of them.
#ifndef CARNET_TESTS_SCENARIO_SITE_WORLD_H_
#define CARNET_TESTS_SCENARIO_SITE_WORLD_H_

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "ledger/merkle.h"
#include "scenario/world.h"
#include "worker/core/policy_chain.h"
#include "worker/core/site_check.h"

namespace carnet::coordinator {

class SiteLog {
 public:
  explicit SiteLog(const World& world) : world_(world) {
    ledger::CompactRange range;
    for (const v1::SignedRecord& record : world.signed_log()) {
      leaves_.push_back(ledger::LeafHash(AsBytes(*ledger::LeafEntry(record))));
      range.Append(leaves_.back());
    }
    head_.size = leaves_.size();
    head_.root = range.Root();
    keys_.emplace(
        *ledger::verifier::KeyHistory::Create(*ledger::verifier::VerifyRecord(Record(0))));
  }

  const v1::SignedRecord& Record(std::uint64_t index) const {
    return world_.signed_log().at(index);
  }
  std::uint64_t last() const { return leaves_.size() - 1; }
  const ledger::verifier::TreeHead& head() const { return head_; }
  const ledger::verifier::KeyHistory& keys() const { return *keys_; }

  v1::ProvenRecord Prove(std::uint64_t index) const {
    v1::ProvenRecord proven;
    *proven.mutable_record() = Record(index);
    proven.mutable_proof()->set_index(index);
    proven.mutable_proof()->set_tree_size(head_.size);
    const auto path =
        ledger::InclusionPath(index, head_.size, [this](unsigned level, std::uint64_t at) {
          return absl::StatusOr<Digest>(Subtree(level, at));
        });
    REQUIRE(path.ok());
    for (const Digest& hash : *path) {
      proven.mutable_proof()->add_hashes(ToString(hash));
    }
    return proven;
  }

  worker::PolicyChain Begin() const {
    return *worker::PolicyChain::Create(*ledger::verifier::VerifyRecord(Record(0)));
  }
  // Indexes of everything that a coordinator shows, from `first` on.
  std::vector<std::uint64_t> Trail(std::uint64_t first = 1) const {
    static const auto& types = *new std::set<std::string>{
        "approval",         "policy-activated", "policy-examined", "policy-proposed",
        "policy-withdrawn", "user-enrolled",    "user-revoked",    "user-role-changed"};
    std::vector<std::uint64_t> indexes;
    for (std::uint64_t i = first; i < leaves_.size(); ++i) {
      if (types.count(ledger::OpenRecord(Record(i))->type) != 0) {
        indexes.push_back(i);
      }
    }
    return indexes;
  }
  absl::Status Follow(worker::PolicyChain* chain, const std::vector<std::uint64_t>& indexes,
                      const std::string& bundle_json = "") const {
    for (const std::uint64_t index : indexes) {
      const absl::Status followed = chain->Follow(Prove(index), head_, *keys_, bundle_json);
      if (!followed.ok()) {
        return followed;
      }
    }
    return absl::OkStatus();
  }

 private:
  Digest Subtree(unsigned level, std::uint64_t index) const {
    return level == 0
               ? leaves_.at(index)
               : ledger::NodeHash(Subtree(level - 1, 2 * index), Subtree(level - 1, 2 * index + 1));
  }

  const World& world_;
  std::vector<Digest> leaves_;
  ledger::verifier::TreeHead head_;
  std::optional<ledger::verifier::KeyHistory> keys_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_SITE_WORLD_H_
