// What allowed a transfer can end by time alone, without a record: inside the ticket's life it is
// cut, on record with the decisions, and an audit takes them again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "base/timestamp.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "scenario/audit_world.h"
#include "scenario/policy_office.h"
#include "scenario/transfers_of.h"

namespace carnet::coordinator {
namespace {

using ledger::verifier::Verdict;

constexpr absl::Duration kLife = absl::Minutes(5);  // a round is open for 10 minutes

// FR, SG and AE have the papers that they need; the assessment of sg ends after kLife.
World WorldOfShortPapers(std::uint64_t seed) {
  World world(seed);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("scc-2021-914", "falcon", "AE");
  world.AddEvidence("tia", "falcon", "AE");
  v1::AddEvidenceRequest tia;
  tia.set_kind("tia");
  tia.set_recipient("lion");
  tia.add_destinations("SG");
  *tia.mutable_valid_from() = ToTimestamp(world.now() - absl::Hours(1));
  *tia.mutable_valid_to() = ToTimestamp(world.now() + kLife);
  tia.set_document_sha256(ToString(Bytes(32, 5)));
  REQUIRE(world.Do(AddEvidence{kOperator, tia}).ok());
  return world;
}

// A bundle that is valid for kLife is in force, by one signature.
void ShortenBundle(World& world) {
  PolicyOffice office(world);
  nlohmann::json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(
      {{"id", "not-there"}, {"effect", "deny"}, {"when", {{"from.jurisdiction", {{"is", "NZ"}}}}}});
  const auto next = office.Next(bundle, absl::ZeroDuration(), kLife);
  REQUIRE(office.Propose(next).ok());
  world.Settle();
  REQUIRE(world.state().bundle->sha256() == next->sha256());
}

// The reasons of every decision of the newest cut that does not allow.
std::set<std::string> ReasonsOfCut(const World& world) {
  std::set<std::string> reasons;
  const auto& cut = world.At<v1::TransferCut>(world.Find("transfer-cut").back());
  for (const v1::Decision& decision : cut.decisions()) {
    for (const v1::Failure& failure : decision.failures()) {
      reasons.insert(failure.reason());
    }
  }
  return reasons;
}

void ExpectCut(World& world, const TransferName& name) {
  const Standing standing = Look(world, name);
  REQUIRE(standing.kind == Standing::Kind::kCut);
  CHECK(standing.reason == reasons::kRefused);
  REQUIRE(world.Do(CutOf(name, 300)).ok());
  const auto& cut = world.At<v1::TransferCut>(world.Find("transfer-cut").back());
  CHECK(cut.ticket_id() == name.ticket_id);
  CHECK(cut.direction() == (name.upload ? "upload" : "download"));
  CHECK(cut.bytes_crossed() == 300);
  CHECK(cut.reason() == reasons::kRefused);
  CHECK(Look(world, name).kind == Standing::Kind::kOver);
}

void ExpectGood(const World& world) {
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Lapse: evidence that ends inside the deadline of its round cuts what it allowed") {
  World world = WorldOfShortPapers(651);
  const std::string job = world.Submit(3, 2);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  const TransferName name = TransferOf(world, "sg-1", false);
  const std::size_t before = world.log().size();
  world.Advance(kLife - absl::Seconds(1));
  REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
  world.Advance(absl::Seconds(1));
  // No record says that it ended.
  REQUIRE(world.log().size() == before);
  REQUIRE(world.now() < ToTime(world.state().jobs.at(job).round->opened.deadline()));
  ExpectCut(world, name);
  CHECK_FALSE(ReasonsOfCut(world).empty());
  CHECK(Look(world, TransferOf(world, "ae-1", false)).kind == Standing::Kind::kMayMove);
  for (const char* slot : {"ae-1", "fr-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  CHECK(world.At<v1::RoundClosed>(world.Find("round-closed").back()).included_size() == 2);
  ExpectGood(world);
}

TEST_CASE("Lapse: a bundle that ends inside the deadline of its round cuts everything in it") {
  World world = WorldWithEvidence(652);
  ShortenBundle(world);
  const std::string job = world.Submit(3, 2);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  const TransferName download = TransferOf(world, "sg-1", false);
  const TransferName upload = TransferOf(world, "fr-1", true);
  const SubmitContribution late = world.Contribute(job, "ae-1");
  world.Advance(kLife - absl::Seconds(1));
  REQUIRE(Look(world, upload).kind == Standing::Kind::kMayMove);
  REQUIRE(Look(world, download).kind == Standing::Kind::kMayMove);
  world.Advance(absl::Seconds(1));
  REQUIRE(world.now() < ToTime(world.state().jobs.at(job).round->opened.deadline()));
  ExpectCut(world, download);
  CHECK(ReasonsOfCut(world).count("bundle/expired") == 1);
  ExpectCut(world, upload);
  CHECK(ReasonsOfCut(world).count("bundle/expired") == 1);
  // What came whole before it brings no metrics any more.
  CHECK(world.Do(late)->answer.code() == absl::StatusCode::kPermissionDenied);
  CHECK(world.Find("transfer-cut").size() == 3);
  CHECK(world.Find("contribution").empty());
  ExpectGood(world);
}

}  // namespace
}  // namespace carnet::coordinator
