// What moves under the word of the organisation's own Open Policy Agent: it is asked before a
// transfer is cut, again before its yes ends, and the word of one engine is not that of another.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/release.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "policies/evaluate.h"
#include "scenario/audit_world.h"
#include "scenario/bridge_world.h"
#include "scenario/release_people.h"
#include "scenario/transfers_of.h"

namespace carnet::coordinator {
namespace {

using absl::StatusCode;
using ledger::verifier::Verdict;

constexpr char kToSingapore[] = "\"to.jurisdiction\":\"SG\"";

void ExpectAudit(const World& world, Verdict verdict) {
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == verdict);
}

// Inputs of all verdicts so far, from the n-th on.
std::set<std::string> InputsFrom(const World& world, std::size_t first) {
  std::set<std::string> inputs;
  const std::vector<std::uint64_t> verdicts = world.Find("bridge-verdict");
  for (std::size_t i = first; i < verdicts.size(); ++i) {
    inputs.insert(world.At<v1::BridgeVerdict>(verdicts[i]).input());
  }
  return inputs;
}

TEST_CASE("Bridge cuts: when facts change under a transfer, it is asked before anything is cut") {
  World world = WorldOf(631, "send_model, send_delta, aggregate");
  Opa opa;
  world.bridge = opa.Caller();
  world.Submit(1, 3);
  world.Settle();
  const TransferName name = TransferOf(world, "sg-1", false);
  REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
  CHECK(Look(world, name).questions.empty());
  const std::size_t asked = opa.asked;
  world.AddEvidence("bcr", "lion", "SG");
  const Standing standing = Look(world, name);
  REQUIRE(standing.kind == Standing::Kind::kCut);
  CHECK(standing.questions.size() == 1);
  SECTION("its yes leaves the ticket as it is") {
    CHECK(world.Do(CutOf(name, 600)).status().code() == StatusCode::kFailedPrecondition);
    CHECK(opa.asked == asked + 1);
    CHECK(world.Find("transfer-cut").empty());
    CHECK(Look(world, name).kind == Standing::Kind::kMayMove);
    CHECK(world.Do(RecheckTask{name.worker_id, name.task_id, name.ticket_id, false}).ok());
  }
  SECTION("its no cuts") {
    opa.no = kToSingapore;
    REQUIRE(world.Do(CutOf(name, 600)).ok());
    CHECK(opa.asked == asked + 1);
    REQUIRE(world.Find("transfer-cut").size() == 1);
    const auto& cut = world.At<v1::TransferCut>(world.Find("transfer-cut").front());
    CHECK(cut.reason() == reasons::kRefused);
    CHECK(cut.bytes_crossed() == 600);
    CHECK(Look(world, name).kind == Standing::Kind::kOver);
  }
  SECTION("its silence cuts") {
    opa.error = "unreachable";
    REQUIRE(world.Do(CutOf(name, 600)).ok());
    CHECK(world.Find("transfer-cut").size() == 1);
  }
  SECTION("where there is none to ask, it is cut at once") {
    world.bridge = nullptr;
    REQUIRE(world.Do(CutOf(name, 600)).ok());
    CHECK(world.Find("transfer-cut").size() == 1);
  }
  SECTION("what other rules refuse is cut unasked") {
    REQUIRE(world.Do(RevokeWorker{kOperator, name.worker_id, "operator"}).ok());
    REQUIRE(world.Do(CutOf(name, 600)).ok());
    CHECK(opa.asked == asked);
  }
  ExpectAudit(world, Verdict::kGood);
}

TEST_CASE("Bridge cuts: a yes that ends soon is renewed before the first byte and a release") {
  World world = WorldOf(632, "send_model, release_model");
  Opa opa;
  world.bridge = opa.Caller();
  SECTION("of a task") {
    world.Submit(1, 3);
    world.Settle();
    const TransferName name = TransferOf(world, "sg-1", false);
    const RecheckTask recheck{name.worker_id, name.task_id, name.ticket_id, false};
    const std::size_t asked = opa.asked;
    world.Advance(absl::Seconds(170));
    CHECK(world.Do(recheck).ok());
    CHECK(opa.asked == asked);
    world.Advance(absl::Seconds(60));
    CHECK(world.Do(recheck).ok());
    CHECK(opa.asked == asked + 1);
    world.Advance(absl::Seconds(60));
    CHECK(Look(world, name).kind == Standing::Kind::kMayMove);
  }
  SECTION("of a model to a person, also while it moves") {
    const std::string job = TrainWhole(world, 1);
    const std::string falcon = EnrolAt(world, 3, "AE", "falcon");
    const std::size_t before = opa.asked;
    const TransferName name{"", "", ReleaseTicket(AllowedBy(world, ReleaseModel{falcon, job, 0})),
                            false};
    const KeepTransfer keep{"", "", name.ticket_id, false};
    const std::size_t asked = opa.asked;
    const std::size_t flows = asked - before;  // one for each class of labels
    REQUIRE(flows > 0);
    CHECK(world.Do(keep).ok());
    CHECK(opa.asked == asked);
    world.Advance(absl::Seconds(239));
    AllowedBy(world, ReleaseModel{falcon, job, 0});
    CHECK(opa.asked == asked + flows);
    world.Advance(absl::Seconds(230));
    REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
    CHECK(Look(world, name).questions.size() == flows);
    CHECK(world.Do(keep).ok());
    CHECK(opa.asked == asked + 2 * flows);
    CHECK(Look(world, name).questions.empty());
    // Silence takes nothing back, and is not asked again at once.
    world.Advance(absl::Seconds(230));
    opa.error = "unreachable";
    CHECK(world.Do(keep).ok());
    CHECK(opa.asked == asked + 3 * flows);
    CHECK(Look(world, name).kind == Standing::Kind::kMayMove);
    CHECK(Look(world, name).questions.empty());
    AllowedBy(world, ReleaseModel{falcon, job, 0});
    CHECK(opa.asked == asked + 3 * flows);
  }
  ExpectAudit(world, Verdict::kGood);
}

TEST_CASE("Bridge cuts: only a word that changes makes others look again") {
  World world = WorldOf(633, "aggregate");
  Opa opa;
  const std::string refused = world.Submit(1, 3);
  opa.no = refused;
  world.bridge = opa.Caller();
  world.Settle();
  world.ContributeAll(refused);
  const std::string waits = "round 1 was refused when it closed: it waits for other facts or rules";
  REQUIRE(world.Settle().waiting.at(refused) == waits);
  const std::size_t opened = world.Find("round-opened").size();
  const std::string other = world.Submit(2, 3);
  world.Settle();
  const std::uint64_t version = world.state().facts_version;
  for (int round = 0; round < 2; ++round) {
    world.ContributeAll(other);
    CHECK(world.Settle().waiting.at(refused) == waits);
  }
  CHECK(world.state().jobs.at(other).phase == JobPhase::kCompleted);
  CHECK(world.Find("round-opened").size() == opened + 2);
  // Said again, or not at all: no change. Said otherwise: one.
  const std::string input =
      world.At<v1::BridgeVerdict>(world.Find("bridge-verdict").back()).input();
  REQUIRE(world.Do(world.bridge(input)).ok());
  opa.error = "timed-out";
  REQUIRE(world.Do(world.bridge(input)).ok());
  CHECK(world.state().facts_version == version);
  opa.error.clear();
  opa.no = other;
  REQUIRE(world.Do(world.bridge(input)).ok());
  CHECK(world.state().facts_version == version + 1);
}

// How many effects of a kind Reconcile asks for.
template <typename Body>
std::ptrdiff_t CountOf(const Agenda& agenda) {
  return std::count_if(agenda.start.begin(), agenda.start.end(), [](const Effect& effect) {
    return std::holds_alternative<Body>(effect.body);
  });
}

TEST_CASE("Bridge cuts: while a round is prepared, its yes is renewed") {
  World world = WorldOf(634, "send_model");
  Opa opa;
  world.bridge = opa.Caller();
  world.Submit(1, 3);
  Agenda agenda = world.Look();
  for (int step = 0; step < 10 && CountOf<PrepareRound>(agenda) == 0; ++step) {
    for (const Effect& effect : agenda.start) {
      if (const auto* run = std::get_if<RunCommand>(&effect.body); run != nullptr) {
        REQUIRE(world.Do(run->body).ok());
      } else if (const auto* ask = std::get_if<AskBridge>(&effect.body); ask != nullptr) {
        REQUIRE(world.Do(world.bridge(ask->input)).ok());
      }
    }
    agenda = world.Look();
  }
  REQUIRE(CountOf<PrepareRound>(agenda) == 1);
  CHECK(CountOf<AskBridge>(agenda) == 0);
  world.Advance(absl::Seconds(190));
  agenda = world.Look();
  CHECK(CountOf<PrepareRound>(agenda) == 1);
  CHECK(CountOf<AskBridge>(agenda) == 3);
}

TEST_CASE("Bridge cuts: what is too large to be asked is refused, in words of its own") {
  World world = WorldOf(635, "send_model");
  Opa opa;
  world.bridge = opa.Caller();
  world.Submit(1, 3);
  world.Settle();
  policies::FactSet facts = *policies::FactSet::FromJson(*InputsFrom(world, 0).begin());
  std::vector<policies::Approval> approvals;
  for (int i = 0; i < 1000; ++i) {
    approvals.push_back({"job", absl::StrCat("u-", std::string(60, 'a'), i), "dpo"});
  }
  REQUIRE(facts.Set("approvals", policies::Value::Approvals(std::move(approvals))).ok());
  v1::Decision decision = policies::Evaluate(*world.state().bundle, facts, world.now());
  REQUIRE(decision.verdict() == v1::VERDICT_DENY);
  std::set<std::string> questions;
  CHECK(ConsultBridge(world.state(), facts, world.now(), &decision, &questions) ==
        v1::VERDICT_DENY);
  CHECK(questions.empty());
  CHECK(decision.bridge() ==
        "the organisation's Open Policy Agent cannot be asked about this flow: its facts are "
        "larger than 64 KiB");
}

TEST_CASE("Bridge cuts: the answers of another engine than the configured one count no more") {
  World world = WorldOf(636, "send_model");
  Opa opa;
  world.bridge = opa.Caller();
  world.Submit(1, 3);
  world.Settle();
  const TransferName name = TransferOf(world, "sg-1", false);
  const std::size_t asked = opa.asked;
  world.bridge_engine = opa.engine = std::string(32, '\x22');
  SECTION("its own do, also where it says otherwise") {
    opa.no = kToSingapore;
    world.Settle();
    CHECK(opa.asked == asked + 3);
    CHECK(Look(world, name).reason == reasons::kRefused);
    CHECK(Look(world, TransferOf(world, "ae-1", false)).kind == Standing::Kind::kMayMove);
  }
  SECTION("even where it is silent") {
    opa.error = "unreachable";
    world.Settle();
    CHECK(Look(world, name).reason == reasons::kRefused);
  }
  CHECK(world.state().bridge_engine == world.bridge_engine);
  ExpectAudit(world, Verdict::kGood);
}

// A round is given up and opened once more, under the decisions of its first opening.
void ForgeSecondOpening(World& world, const std::string& job) {
  v1::RoundOpened opened = world.state().jobs.at(job).round->opened;
  REQUIRE(world.Do(AbandonRound{job, reasons::kTooFewContributions}).ok());
  world.FillCommon(opened.mutable_common());
  opened.set_attempt(2);
  *opened.mutable_basis()->mutable_at() = opened.common().at();
  opened.mutable_basis()->set_state_size(world.state().size);
  world.Forge(opened, world.statement_key());
}

TEST_CASE("Audit: a crossing under a yes that had ended, or was for other facts, is found") {
  World world = WorldOf(637, "send_model");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  world.Settle();
  SECTION("had ended") {
    const absl::Time asked = world.now();
    world.Advance(opa.valid_for + absl::Seconds(1));
    REQUIRE(world.now() > asked + opa.valid_for);
  }
  SECTION("for other facts") {
    world.AddEvidence("bcr", "lion", "SG");
  }
  ForgeSecondOpening(world, job);
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  for (const char* check : {"decision-facts", "decision-verdict"}) {
    const audit::Finding* const finding = FindingOf(report, check);
    REQUIRE(finding != nullptr);
    CHECK(finding->index == world.signed_log().size() - 1);
  }
}

}  // namespace
}  // namespace carnet::coordinator
