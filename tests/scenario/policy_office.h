// A compliance office over a World: persons with keys of their own, and bundles made from the one
// in force.
#ifndef CARNET_TESTS_SCENARIO_POLICY_OFFICE_H_
#define CARNET_TESTS_SCENARIO_POLICY_OFFICE_H_

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/json.h"
#include "base/timestamp.h"
#include "coordinator/core/impact.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"
#include "crypto/hash.h"
#include "policies/loader.h"
#include "policies/test_runner.h"
#include "scenario/world.h"

namespace carnet::coordinator {

struct Person {
  std::string id;
  std::uint8_t tag = 0;
  crypto::Ed25519KeyPair Key() const {
    crypto::SecretBytes seed(32);
    seed.Mutable()[0] = tag;
    seed.Mutable()[31] = 77;
    return *crypto::Ed25519KeyPair::FromSeed(seed);
  }
};

class PolicyOffice {
 public:
  explicit PolicyOffice(World& world) : world_(world) {}

  // Invited, enrolled, and given the policy roles that he asked for by kOperator, who holds them.
  Person Hire(std::uint8_t tag, const std::set<std::string>& roles) {
    const Bytes token(32, tag);
    const auto invited =
        world_.Do(InviteUser{kOperator, token, roles, world_.now() + absl::Hours(24)});
    REQUIRE(invited.ok());
    Person person{world_.At<v1::UserInvited>(*invited->answer_index).user_id(), tag};
    const crypto::Ed25519KeyPair key = person.Key();
    REQUIRE(
        world_.Do(EnrollUser{token, Bytes(32, tag), ToBytes(AsText(key.public_key())), person.id})
            .ok());
    for (const std::string& role : roles) {
      if (!IsAccountRole(role)) {
        v1::Approval approval =
            Draft(kOperator, kApprovalOfRole, role, AsText(crypto::Sha256(key.public_key())));
        REQUIRE(world_
                    .Do(GrantRole{kOperator, person.id, role, Sign(approval, world_.user_key()),
                                  approval})
                    .ok());
      }
    }
    return person;
  }

  // The bundle in force as JSON, for editing.
  nlohmann::json Json() const {
    return *ParseJson(world_.state().bundle->CanonicalJson(), policies::kBundleJsonBytesMax);
  }
  static nlohmann::json& Policy(nlohmann::json& bundle, const std::string& name) {
    for (nlohmann::json& policy : bundle["policies"]) {
      if (policy["policy"] == name) {
        return policy;
      }
    }
    FAIL("no policy " << name);
    return bundle;
  }

  // `json` with the head of the next bundle.
  std::shared_ptr<const policies::Bundle> Next(nlohmann::json json,
                                               absl::Duration starts = absl::ZeroDuration(),
                                               absl::Duration life = absl::Hours(24 * 30)) {
    policies::BundleHead head;
    head.revision = world_.state().bundle->revision() + 1;
    head.parent = world_.state().bundle->sha256();
    head.valid_from = world_.now() + starts;
    head.valid_to = head.valid_from + life;
    for (const char* key : {"revision", "parent", "valid"}) {
      json.erase(key);
    }
    const auto plain = policies::BundleFromJson(*CanonicalJson(json));
    INFO(plain.status().ToString());
    REQUIRE(plain.ok());
    const auto issued = policies::IssueBundle(**plain, head);
    INFO(issued.status().ToString());
    REQUIRE(issued.ok());
    return *issued;
  }

  // The report on its impact that Proposal made last; before that, what names it and its parent.
  static std::string Report(const policies::Bundle& bundle) {
    const auto made = Reports().find(ToString(bundle.sha256()));
    return made != Reports().end() ? made->second
                                   : *CanonicalJson({{"bundle", HexEncode(bundle.sha256())},
                                                     {"parent", HexEncode(*bundle.head().parent)}});
  }
  // Made as the coordinator does, of the state as it is.
  std::string MakeReport(const std::shared_ptr<const policies::Bundle>& bundle,
                         ReportKind kind = ReportKind::kProposal) const {
    const auto tests = policies::RunTests(*bundle);
    REQUIRE(tests.ok());
    const auto report =
        ImpactReport(ExamineChange(world_.state().bundle, bundle, *tests, world_.now()),
                     &world_.state(), world_.state().size, kind);
    INFO(report.status().ToString());
    REQUIRE(report.ok());
    return *report;
  }
  static std::string ReportDigest(const policies::Bundle& bundle) {
    return ToString(crypto::Sha256(AsBytes(Report(bundle))));
  }

  ProposePolicy Proposal(const std::string& author, const crypto::Ed25519KeyPair& key,
                         std::shared_ptr<const policies::Bundle> bundle,
                         const std::string& intent = kIntentChange) {
    ProposePolicy command;
    command.user_id = author;
    command.proposed.mutable_common()->set_nonce(ToString(world_.Random(32)));
    *command.proposed.mutable_common()->mutable_at() = ToTimestamp(world_.now());
    command.proposed.set_author(author);
    command.proposed.set_bundle_json(bundle->CanonicalJson());
    command.proposed.set_bundle_sha256(ToString(bundle->sha256()));
    command.proposed.set_revision(bundle->revision());
    command.proposed.set_parent_sha256(ToString(*bundle->head().parent));
    command.proposed.set_intent(intent);
    command.record = ledger::SignRecord(*ledger::MakeStatement(command.proposed), key);
    Reports()[ToString(bundle->sha256())] = MakeReport(bundle);
    command.examined.set_report_json(Report(*bundle));
    command.examined.set_report_sha256(ReportDigest(*bundle));
    command.bundle = std::move(bundle);
    return command;
  }
  // By kOperator.
  absl::Status Propose(std::shared_ptr<const policies::Bundle> bundle,
                       const std::string& intent = kIntentChange) {
    return world_.Do(Proposal(kOperator, world_.user_key(), std::move(bundle), intent)).status();
  }

  absl::Status Approve(const Person& person, const std::string& role,
                       const policies::Bundle& bundle) {
    return Approve(person.id, person.Key(), role, bundle);
  }
  absl::Status Approve(const std::string& who, const crypto::Ed25519KeyPair& key,
                       const std::string& role, const policies::Bundle& bundle) {
    v1::Approval approval = Draft(who, kApprovalOfBundle, role, AsText(bundle.sha256()));
    approval.set_report_sha256(ReportDigest(bundle));
    return world_.Do(RecordApproval{who, Sign(approval, key), approval}).status();
  }

  v1::Approval Draft(const std::string& who, const std::string& kind, const std::string& role,
                     absl::string_view subject) {
    v1::Approval approval;
    approval.mutable_common()->set_nonce(ToString(world_.Random(32)));
    *approval.mutable_common()->mutable_at() = ToTimestamp(world_.now());
    approval.set_approver(who);
    approval.set_kind(kind);
    approval.set_role(role);
    approval.set_subject_sha256(std::string(subject));
    *approval.mutable_expires() = ToTimestamp(world_.now() + absl::Hours(24));
    return approval;
  }
  static v1::SignedRecord Sign(const v1::Approval& approval, const crypto::Ed25519KeyPair& key) {
    return ledger::SignRecord(*ledger::MakeStatement(approval), key);
  }

 private:
  // By bundle digest: a bundle names its parent, so worlds seldom share one, and never at a time.
  static std::map<std::string, std::string>& Reports() {
    static auto& reports = *new std::map<std::string, std::string>;
    return reports;
  }

  World& world_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_POLICY_OFFICE_H_
