// A proposal that waits, a coordinator that may write what it likes about it, and a worker that
// follows.
#ifndef CARNET_TESTS_SCENARIO_SITE_DESK_H_
#define CARNET_TESTS_SCENARIO_SITE_DESK_H_

#include <memory>
#include <string>

#include "policies/evaluate.h"
#include "scenario/policy_office.h"
#include "scenario/site_world.h"

namespace carnet::coordinator {

// An office whose proposal, which needs 2 of dpo, legal for gdpr-chapter-v, waits for approvals.
struct Desk {
  explicit Desk(std::uint64_t seed) : world(seed), office(world) {
    ann = office.Hire(3, {"legal"});
    bea = office.Hire(4, {"dpo"});
    cleo = office.Hire(5, {"compliance"});
    nlohmann::json next = office.Json();
    PolicyOffice::Policy(next, "gdpr-chapter-v")["rules"].push_back(
        {{"id", "pilot"}, {"effect", "allow"}, {"when", {{"to.jurisdiction", {{"is", "AE"}}}}}});
    bundle = office.Next(next);
    REQUIRE(office.Propose(bundle).ok());
  }

  v1::PolicyActivated Activation() {
    const Proposal& proposal = world.state().proposals.at(ToString(bundle->sha256()));
    v1::PolicyActivated record;
    world.FillCommon(record.mutable_common());
    record.set_bundle_sha256(ToString(bundle->sha256()));
    record.set_revision(bundle->revision());
    record.set_parent_sha256(proposal.terms.parent_sha256());
    record.set_evaluator(policies::kEvaluatorVersion);
    *record.mutable_valid_from() = ToTimestamp(bundle->head().valid_from);
    *record.mutable_valid_to() = ToTimestamp(bundle->head().valid_to);
    record.set_report_sha256(PolicyOffice::ReportDigest(*bundle));
    record.set_proposed_index(proposal.index);
    return record;
  }
  v1::Approval Draft(const std::string& who, const std::string& role) {
    v1::Approval approval = office.Draft(who, kApprovalOfBundle, role, AsText(bundle->sha256()));
    approval.set_report_sha256(PolicyOffice::ReportDigest(*bundle));
    return approval;
  }
  // Into the log, whatever the core says to it.
  std::uint64_t Forge(const ledger::Predicate& record, const crypto::Ed25519KeyPair& key) {
    world.Forge(record, key);
    return world.signed_log().size() - 1;
  }
  std::uint64_t Coordinator(const ledger::Predicate& record) {
    return Forge(record, world.statement_key());
  }
  absl::Status Followed() const {
    const SiteLog log(world);
    worker::PolicyChain chain = log.Begin();
    return log.Follow(&chain, log.Trail());
  }

  World world;
  PolicyOffice office;
  Person ann;
  Person bea;
  Person cleo;
  std::shared_ptr<const policies::Bundle> bundle;
};

inline void ExpectRefused(const Desk& desk, absl::StatusCode code, const std::string& words) {
  const absl::Status status = desk.Followed();
  INFO(status.ToString());
  CHECK(status.code() == code);
  CHECK(std::string(status.message()).find(words) != std::string::npos);
  const std::string record = "record " + std::to_string(desk.world.signed_log().size() - 1);
  CHECK(std::string(status.message()).find(record) != std::string::npos);
  CHECK(worker::IsContradiction(status) == (code == absl::StatusCode::kDataLoss));
}
inline constexpr absl::StatusCode kRefused = absl::StatusCode::kFailedPrecondition;
inline constexpr absl::StatusCode kContradiction = absl::StatusCode::kDataLoss;
inline constexpr absl::StatusCode kForged = absl::StatusCode::kUnauthenticated;

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_SITE_DESK_H_
