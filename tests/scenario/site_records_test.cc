// Records that a coordinator puts down a second time, at another time or without measure, and the
// worker that neither follows them nor gets stuck.
#include "base/json.h"
#include "scenario/site_desk.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;
using worker::PolicyChain;

v1::UserEnrolled Invented(Desk& desk, const std::string& id, const Person& key) {
  v1::UserEnrolled user;
  desk.world.FillCommon(user.mutable_common());
  user.set_user_id(id);
  user.set_public_key(ToString(key.Key().public_key()));
  user.set_token_sha256(std::string(32, 't'));
  user.set_tls_spki_sha256(std::string(32, 't'));
  user.add_roles("member");
  return user;
}

TEST_CASE("Site records: a signature counts once") {
  Desk desk(631);
  SECTION("a role's, after the role was taken away") {
    v1::UserRoleChanged record;
    desk.world.FillCommon(record.mutable_common());
    record.set_user_id(desk.cleo.id);
    record.set_public_key(ToString(desk.cleo.Key().public_key()));
    record.add_granted("dpo");
    record.set_changed_by(kOperator);
    const v1::Approval approval = desk.office.Draft(
        kOperator, kApprovalOfRole, "dpo", AsText(crypto::Sha256(desk.cleo.Key().public_key())));
    record.add_approvals(desk.Forge(approval, desk.world.user_key()));
    desk.Coordinator(record);
    v1::UserRoleChanged taken = record;
    taken.clear_granted();
    taken.clear_approvals();
    taken.add_revoked("dpo");
    desk.Coordinator(taken);
    REQUIRE(desk.Followed().ok());
    desk.Forge(approval, desk.world.user_key());
    ExpectRefused(desk, kRefused, "the same signature");
  }
  SECTION("a person's key is one person's") {
    desk.Coordinator(Invented(desk, "u-bbbbbbbbbbbbbbbb", desk.bea));
    ExpectRefused(desk, kRefused, "the key of another one");
  }
  SECTION("a bundle's, after it was withdrawn") {
    const std::uint64_t proposed = desk.world.Find("policy-proposed").back();
    desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
    v1::PolicyWithdrawn record;
    desk.world.FillCommon(record.mutable_common());
    record.set_bundle_sha256(ToString(desk.bundle->sha256()));
    record.set_withdrawn_by(kOperator);
    desk.Coordinator(record);
    REQUIRE(desk.Followed().ok());
    desk.Forge(desk.world.At<v1::PolicyProposed>(proposed), desk.world.user_key());
    ExpectRefused(desk, kRefused, "withdrawn before");
  }
}

TEST_CASE("Site records: the coordinator's clock never goes back") {
  Desk desk(632);
  const std::uint64_t one = desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
  const std::uint64_t two = desk.Forge(desk.Draft(desk.bea.id, "dpo"), desk.bea.Key());
  desk.world.Advance(absl::Hours(25));  // both have ended
  desk.Coordinator(Invented(desk, "u-bbbbbbbbbbbbbbbb", Person{"", 9}));
  v1::PolicyActivated record = desk.Activation();
  record.add_approvals(one);
  record.add_approvals(two);
  SECTION("to a time at which the approvals had not ended") {
    *record.mutable_common()->mutable_at() = ToTimestamp(desk.world.now() - absl::Hours(2));
    desk.Coordinator(record);
    ExpectRefused(desk, kContradiction, "the coordinator had written");
  }
  SECTION("and at its own time they are missing") {
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "lacks approvals");
  }
  SECTION("nor for a worker that started again in between") {
    const SiteLog before(desk.world);
    PolicyChain chain = before.Begin();
    REQUIRE(before.Follow(&chain, before.Trail()).ok());
    auto restored =
        PolicyChain::Restore(*ledger::verifier::VerifyRecord(before.Record(0)), chain.Save());
    REQUIRE(restored.ok());
    *record.mutable_common()->mutable_at() = ToTimestamp(desk.world.now() - absl::Hours(2));
    desk.Coordinator(record);
    const SiteLog after(desk.world);
    CHECK(worker::IsContradiction(after.Follow(&*restored, {after.last()})));
  }
}

TEST_CASE("Site records: what no coordinator writes is refused, and harms nothing that is kept") {
  Desk desk(633);
  SECTION("a bundle that is no text") {
    v1::PolicyProposed proposed =
        desk.world.At<v1::PolicyProposed>(desk.world.Find("policy-proposed").back());
    proposed.set_bundle_json("\xff\xfe");
    proposed.set_bundle_sha256(ToString(crypto::Sha256(AsBytes(proposed.bundle_json()))));
    desk.Forge(proposed, desk.world.user_key());
    ExpectRefused(desk, kRefused, "nothing that is a bundle");
  }
  SECTION("a bundle that is too large") {
    v1::PolicyProposed proposed =
        desk.world.At<v1::PolicyProposed>(desk.world.Find("policy-proposed").back());
    proposed.set_bundle_json(std::string(policies::kBundleJsonBytesMax + 1, ' '));
    proposed.set_bundle_sha256(ToString(crypto::Sha256(AsBytes(proposed.bundle_json()))));
    desk.Forge(proposed, desk.world.user_key());
    ExpectRefused(desk, kRefused, "nothing that is a bundle");
  }
  SECTION("an intent that nobody knows") {
    v1::PolicyProposed proposed =
        desk.office.Proposal(kOperator, desk.world.user_key(), desk.office.Next(desk.office.Json()))
            .proposed;
    proposed.set_intent("replace");
    desk.Forge(proposed, desk.world.user_key());
    ExpectRefused(desk, kRefused, "for nothing that is known");
  }
  SECTION("more roles than anybody is given") {
    v1::UserEnrolled user = Invented(desk, "u-bbbbbbbbbbbbbbbb", Person{"", 9});
    for (int i = 0; i < worker::kRolesOfRecordMax; ++i) {
      user.add_roles("role-" + std::to_string(i));
    }
    desk.Coordinator(user);
    ExpectRefused(desk, kRefused, "no coordinator gives");
  }
  SECTION("an approval of nothing") {
    v1::Approval approval = desk.Draft(desk.ann.id, "legal");
    approval.set_kind("everything");
    desk.Forge(approval, desk.ann.Key());
    ExpectRefused(desk, kRefused, "nothing that is approved");
  }
}

// A worker that knows as many approvals as it keeps, by what it saved.
struct Full {
  Full(Desk& desk, const std::string& kind, absl::Time expires)
      : log(desk.world), chain(log.Begin()) {
    const std::vector<std::uint64_t> trail = log.Trail();
    REQUIRE(log.Follow(&chain, {trail.begin(), trail.end() - 1}).ok());
    json saved = *ParseJson(chain.Save(), worker::kChainBytesMax);
    const std::size_t known = saved["approvals"].size();
    for (std::size_t i = known; i < worker::kApprovalsMax; ++i) {
      saved["approvals"].push_back({{"approver", desk.ann.id},
                                    {"expires", absl::ToUnixMicros(expires)},
                                    {"held", true},
                                    {"index", 1000000 + i},
                                    {"kind", kind},
                                    {"nonce", std::string(64, '0')},
                                    {"report", ""},
                                    {"role", "legal"},
                                    {"subject", HexEncode(desk.bundle->sha256())},
                                    {"used", false}});
    }
    auto restored =
        PolicyChain::Restore(*ledger::verifier::VerifyRecord(log.Record(0)), saved.dump());
    INFO(restored.status().ToString());
    REQUIRE(restored.ok());
    chain = *std::move(restored);
    status = log.Follow(&chain, {trail.back()});
  }
  std::size_t kept() const {
    return (*ParseJson(chain.Save(), worker::kChainBytesMax))["approvals"].size();
  }

  SiteLog log;
  PolicyChain chain;
  absl::Status status;
};

TEST_CASE("Site records: a worker that keeps as many approvals as it can lets go of the oldest") {
  Desk desk(634);
  desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
  const absl::Time later = desk.world.now() + absl::Hours(24);
  SECTION("of jobs and exceptions") {
    for (const char* kind : {"job", "exception"}) {
      const Full full(desk, kind, later);
      INFO(full.status.ToString());
      CHECK(full.status.ok());
      CHECK(full.kept() == worker::kApprovalsMax);
    }
  }
  SECTION("after those that have ended") {
    const Full full(desk, "bundle", desk.world.now());
    CHECK(full.status.ok());
    CHECK(full.kept() < 10);
  }
  SECTION("but of none that a bundle or a role may need") {
    CHECK(absl::IsResourceExhausted(Full(desk, "bundle", later).status));
  }
}

}  // namespace
}  // namespace carnet::coordinator
