// Signatures that count for something else than what was signed, and the worker that lets none do.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "policies/exceptions.h"
#include "scenario/french_site.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;
using worker::PolicyChain;

constexpr char kHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

// No model is sent before one of dpo, legal approved the job.
const std::string kSignOff =
    absl::StrCat("policy: sign\n", kHead,
                 "  - id: sent\n    effect: require\n    when: {op: {is: send_model}}\n"
                 "    require: [{id: chief, phase: approval, from: [dpo, legal], need: 1}]\n");

// Nothing goes to France, unless one person approves the pilot.
const std::string kPilot =
    absl::StrCat("policy: no-france\n", kHead,
                 "  - {id: never, effect: deny, when: {op: {is: send_model}, to.jurisdiction: {is: "
                 "FR}}}\n"
                 "exceptions:\n  - id: pilot\n    lifts: never\n"
                 "    only_when: {job.purpose: {is: digit-recognition}}\n    ticket: T-1\n"
                 "    valid: {from: 2026-11-01, to: 2027-01-31}\n"
                 "    approvals: {need: 1, from: [dpo, legal]}\n");

v1::Approval OfPilot(World& world, PolicyOffice& office, const std::string& who) {
  const auto exception = policies::FindException(*world.state().bundle, "no-france/pilot");
  REQUIRE(exception.has_value());
  return office.Draft(who, kApprovalOfException, "legal", AsText(exception->subject));
}

void Record(World& world, const Person& who, const v1::Approval& approval) {
  const auto done =
      world.Do(RecordApproval{who.id, PolicyOffice::Sign(approval, who.Key()), approval});
  INFO(done.status().ToString());
  REQUIRE(done.ok());
}

v1::Approval OfJob(World& world, PolicyOffice& office, const std::string& job,
                   const std::string& who) {
  return office.Draft(who, kApprovalOfJob, "legal",
                      world.state().jobs.at(job).submitted.spec_sha256());
}

void ExpectTaken(const FrenchSite& site) {
  const absl::Status status = site.Check();
  INFO(status.ToString());
  CHECK(status.ok());
}

TEST_CASE("Site people: a yes to one job is none to another") {
  World world(611, {kSignOff});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const std::string approved = world.Submit(1, 1);
  const std::string other = world.Submit(2, 1);
  Record(world, ann, OfJob(world, office, approved, ann.id));
  world.Settle();
  REQUIRE(world.state().jobs.at(approved).round.has_value());
  REQUIRE_FALSE(world.state().jobs.at(other).round.has_value());
  FrenchSite site(world);
  REQUIRE(site.train.opened.job_id() == approved);
  ExpectTaken(site);
  // A round of the other job, which comes with both.
  site.train.opened.set_job_id(other);
  site.Refused("sign/sent.chief");
  site.train.opened.set_job_id("j-none");
  site.Refused("the job did not come");
}

TEST_CASE("Site people: a submitter whom the coordinator made up is none") {
  World world(612);
  StartRound(world);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  v1::JobSubmitted job = world.At<v1::JobSubmitted>(world.Find("job-submitted").back());
  world.FillCommon(job.mutable_common());
  world.Forge(job, ann.Key());  // signed with a key that some other user-enrolled shows
  FrenchSite site(world);
  ExpectTaken(site);
  v1::Task forged = site.task;
  forged.clear_context();
  for (const v1::ProvenRecord& proven : site.task.context()) {
    const bool is_job = ledger::OpenRecord(proven.record())->type == "job-submitted";
    *forged.add_context() = is_job ? site.log.Prove(site.log.last()) : proven;
  }
  site.task = forged;
  site.Refused("not signed by the person");
}

TEST_CASE("Site people: a job waits for a yes by another than its submitter, after it") {
  World world(613, {kSignOff});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const std::string job = world.Submit(1, 1);
  const std::uint64_t submitted = world.state().jobs.at(job).submitted_index;
  Record(world, ann, OfJob(world, office, job, ann.id));
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  FrenchSite site(world);
  ExpectTaken(site);
  // The same words, submitted again behind the approval.
  const std::string again = world.Submit(1, 1);
  FrenchSite second(world);
  second.train.opened.set_job_id(again);
  second.Refused("sign/sent.chief");
  // The submitter's own, which no coordinator takes.
  World lied(613, {kSignOff});
  PolicyOffice his(lied);
  his.Hire(3, {"legal"});
  REQUIRE(lied.Submit(1, 1) == job);
  REQUIRE(lied.state().jobs.at(job).submitted_index == submitted);
  lied.Forge(OfJob(lied, his, job, kOperator), lied.user_key());
  const SiteLog log(lied);
  PolicyChain chain = log.Begin();
  REQUIRE(log.Follow(&chain, log.Trail()).ok());
  PolicyChain::Asked asked{
      .kind = "job",
      .subject_sha256 = AsBytes(lied.state().jobs.at(job).submitted.spec_sha256()),
      .at = lied.now(),
      .after = submitted,
      .before = lied.signed_log().size(),
      .except = ""};
  CHECK(chain.Approvers(asked).size() == 1);
  asked.except = kOperator;
  CHECK(chain.Approvers(asked).empty());
}

TEST_CASE("Site people: an exception's author never approves it, and keeps it over renewals") {
  World world(614);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal", "dpo", "compliance"});
  const Person bea = office.Hire(4, {"legal", "dpo", "compliance"});
  json written = office.Json();
  PolicyOffice::Policy(written, "house")["exceptions"] =
      json::array({{{"id", "pilot"},
                    {"lifts", "trainer-is-isolated.isolated"},
                    {"only_when", {{"job.purpose", {{"is", "digit-recognition"}}}}},
                    {"ticket", "T-1"},
                    {"valid", {{"from", "2026-11-01"}, {"to", "2027-01-31"}}},
                    {"approvals", {{"need", "1"}, {"from", {"dpo", "legal"}}}}}});
  const auto bring = [&](const std::shared_ptr<const policies::Bundle>& bundle,
                         const ProposePolicy& command) {
    const auto proposed = world.Do(command);
    INFO(proposed.status().ToString());
    REQUIRE(proposed.ok());
    // Two others than the author; his own is not taken.
    for (const char* role : {"legal", "dpo", "compliance"}) {
      office.Approve(ann, role, *bundle).IgnoreError();
      office.Approve(bea, role, *bundle).IgnoreError();
      office.Approve(kOperator, world.user_key(), role, *bundle).IgnoreError();
    }
    world.Settle();
    REQUIRE(world.state().bundle->sha256() == bundle->sha256());
  };
  const auto first = office.Next(written);
  bring(first, office.Proposal(kOperator, world.user_key(), first));
  const auto subject = policies::FindException(*first, "house/pilot")->subject;
  const auto author = [&] {
    const SiteLog log(world);
    PolicyChain chain = log.Begin();
    const absl::Status followed = log.Follow(&chain, log.Trail());
    INFO(followed.ToString());
    REQUIRE(followed.ok());
    const auto restored =
        PolicyChain::Restore(*ledger::verifier::VerifyRecord(log.Record(0)), chain.Save());
    REQUIRE(restored.ok());
    CHECK(restored->ExceptionAuthor(subject) == chain.ExceptionAuthor(subject));
    return chain.ExceptionAuthor(subject);
  };
  CHECK(author() == kOperator);
  const auto renewed = office.Next(office.Json());
  bring(renewed, office.Proposal(ann.id, ann.Key(), renewed, kIntentRenew));
  CHECK(author() == kOperator);
}

TEST_CASE("Site people: an exception that a genesis carried over keeps its author") {
  World world(617, {kPilot});
  const auto subject = policies::FindException(*world.state().bundle, "no-france/pilot")->subject;
  v1::Genesis genesis = world.At<v1::Genesis>(0);
  v1::ExceptionAuthor* const carried = genesis.add_exception_authors();
  carried->set_subject_sha256(ToString(subject));
  const auto begin = [&](const std::string& author) {
    carried->set_author(author);
    return ledger::verifier::VerifyRecord(
        ledger::SignRecord(*ledger::MakeStatement(genesis), world.statement_key()));
  };
  const auto record = begin(kOperator);
  REQUIRE(record.ok());
  const auto chain = PolicyChain::Create(*record);
  REQUIRE(chain.ok());
  CHECK(chain->ExceptionAuthor(subject) == kOperator);
  const auto restored = PolicyChain::Restore(*record, chain->Save());
  REQUIRE(restored.ok());
  CHECK(restored->ExceptionAuthor(subject) == kOperator);
  const auto nobody = begin("");
  REQUIRE(nobody.ok());
  CHECK_FALSE(PolicyChain::Create(*nobody).ok());
}

TEST_CASE("Site people: an exception of genesis is approved by anybody who holds the role") {
  World world(615, {kPilot});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  Record(world, ann, OfPilot(world, office, ann.id));
  StartRound(world);
  FrenchSite site(world);
  ExpectTaken(site);
  CHECK(site.chain.ExceptionAuthor(AsBytes("none")).empty());

  SECTION("a decision that is dated back to when it still counted is refused") {
    // The round may be open for ten minutes, so its time is bounded; what ended since is not.
    site.now = world.now() + absl::Hours(24) + worker::kSiteClockSkewMax;
    site.Refused("lacks signed approvals");
  }
  SECTION("a decision of another time than its record's") {
    *site.train.opened.mutable_basis()->mutable_at() =
        ToTimestamp(ToTime(site.train.opened.basis().at()) + absl::Seconds(1));
    site.Refused("another time than its record says");
  }
  SECTION("a decision of tomorrow") {
    site.now = world.now() - worker::kSiteClockSkewMax - absl::Seconds(1);
    site.Refused("later than now");
  }
  SECTION("a round that is open for longer than its submitter signed") {
    *site.train.opened.mutable_deadline() =
        ToTimestamp(ToTime(site.train.opened.deadline()) + absl::Seconds(1));
    site.Refused("open for longer");
  }
  SECTION("an honest one is taken up to its deadline") {
    site.now = ToTime(site.train.opened.deadline());
    ExpectTaken(site);
  }
}

TEST_CASE("Site people: nobody whom the coordinator made up takes the approvals away") {
  World world(616, {kSignOff});
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const std::string job = world.Submit(1, 1);
  const auto invent = [&](const std::string& id, const std::string& role) {
    v1::UserEnrolled user;
    world.FillCommon(user.mutable_common());
    user.set_user_id(id);
    Person invented{id, 9};
    user.set_public_key(ToString(invented.Key().public_key()));
    user.set_token_sha256(std::string(32, 't'));
    user.set_tls_spki_sha256(std::string(32, 't'));
    user.add_roles(role);
    world.Forge(user, world.statement_key());
    const SiteLog log(world);
    PolicyChain chain = log.Begin();
    return log.Follow(&chain, log.Trail());
  };
  SECTION("of an id that no table of facts takes") {
    CHECK(absl::IsFailedPrecondition(invent("unknown", "member")));
  }
  SECTION("of an id that is too long") {
    CHECK(absl::IsFailedPrecondition(invent(std::string(200, 'u'), "member")));
  }
  SECTION("of a role that is no name") {
    CHECK(absl::IsFailedPrecondition(invent("u-bbbbbbbbbbbbbbbb", "M\xC3\xA9")));
  }
  SECTION("with a yes in a role that nobody asks for") {
    Record(world, ann, OfJob(world, office, job, ann.id));
    world.Settle();
    REQUIRE(invent("u-bbbbbbbbbbbbbbbb", "member").ok());
    v1::Approval approval = OfJob(world, office, job, "u-bbbbbbbbbbbbbbbb");
    approval.set_role("member");
    world.Forge(approval, Person{"u-bbbbbbbbbbbbbbbb", 9}.Key());
    FrenchSite site(world);
    ExpectTaken(site);
  }
}

}  // namespace
}  // namespace carnet::coordinator
