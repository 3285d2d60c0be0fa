// Facts that people state with keys of their own, and what is unknown without.
#include "coordinator/core/statements.h"

#include <catch2/catch.hpp>

#include "coordinator/core/apply.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/flows.h"
#include "scenario/policy_office.h"
#include "scenario/registry_desk.h"

namespace carnet::coordinator {
namespace {

v1::SupplierConfig Company(const std::string& code) {
  v1::SupplierConfig terms;
  terms.set_organised_in(code);
  return terms;
}

v1::ShardRegistration ShardOf(const std::string& name) {
  v1::ShardRegistration shard;
  shard.set_shard(name);
  shard.mutable_labels()->add_subjects_in("KE");
  shard.mutable_labels()->add_categories("personal");
  (*shard.mutable_labels()->mutable_people())["KE.personal"] = 7;
  shard.set_stored_in("sg");
  shard.set_rows(10);
  return shard;
}

std::string WordsOf(const absl::StatusOr<Decided>& decided) {
  return std::string(decided.status().message());
}

// The record of that type loses its statement on its way into the log.
template <typename Message>
void StripStatements(World& world) {
  world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* message = predicate.As<Message>(); message != nullptr) {
      message->clear_stated();
    }
  });
}

TEST_CASE("Statements: what nobody signed is refused") {
  World world(701);
  world.sign_statements = false;
  const CommandBody commands[] = {RegisterSupplier{kOperator, "nyati", Company("KE")},
                                  RegisterRegion{kOperator, "ke", Place("KE", "lion")},
                                  RegisterDataset{kOperator, "digits", {ShardOf("ke")}},
                                  OpenCounter{kOperator, "people.KE.personal", 1, world.now()}};
  for (const CommandBody& command : commands) {
    const auto decided = world.Do(command);
    CHECK(CodeOf(decided) == absl::StatusCode::kPermissionDenied);
    CHECK_THAT(WordsOf(decided), Catch::Contains("nobody signed it"));
  }
  CHECK(world.state().suppliers.count("nyati") == 0);
}

TEST_CASE("Statements: a signature is of the person who asks, in his role, over just this") {
  World world(702);
  CommandBody body = RegisterSupplier{kOperator, "nyati", Company("KE")};
  SECTION("a role that says nothing of suppliers") {
    world.SignCommand(&body, {kOperator, "data-steward"}, world.user_key());
    const auto decided = world.Do(body);
    CHECK(CodeOf(decided) == absl::StatusCode::kPermissionDenied);
    CHECK_THAT(WordsOf(decided), Catch::Contains("compliance, dpo, legal"));
  }
  SECTION("somebody else's key") {
    world.SignCommand(&body, {kOperator, "compliance"}, world.statement_key());
    CHECK(CodeOf(world.Do(body)) == absl::StatusCode::kPermissionDenied);
  }
  SECTION("somebody else's name") {
    world.SignCommand(&body, {"u-bbbbbbbbbbbbbbbb", "compliance"}, world.user_key());
    CHECK(CodeOf(world.Do(body)) == absl::StatusCode::kPermissionDenied);
  }
  SECTION("altered after it was signed") {
    world.SignCommand(&body, {kOperator, "compliance"}, world.user_key());
    std::get<RegisterSupplier>(body).terms.set_organised_in("DE");
    const auto decided = world.Do(body);
    CHECK(CodeOf(decided) == absl::StatusCode::kPermissionDenied);
    CHECK_THAT(WordsOf(decided), Catch::Contains("over these facts"));
  }
  SECTION("signed two days ago") {
    world.SignCommand(&body, {kOperator, "compliance"}, world.user_key());
    world.Advance(absl::Hours(48));
    CHECK(CodeOf(world.Do(body)) == absl::StatusCode::kInvalidArgument);
  }
  SECTION("on record before") {
    world.SignCommand(&body, {kOperator, "compliance"}, world.user_key());
    REQUIRE(world.Do(body).ok());
    REQUIRE(world.Do(RegisterSupplier{kOperator, "nyati", Company("TZ")}).ok());
    CHECK(CodeOf(world.Do(body)) == absl::StatusCode::kAlreadyExists);
  }
}

TEST_CASE("Statements: words that were held back do not undo those signed after them") {
  World world(707);
  CommandBody held = RegisterSupplier{kOperator, "nyati", Company("KE")};
  CommandBody later = RegisterSupplier{kOperator, "nyati", Company("TZ")};
  world.SignCommand(&held, {kOperator, "compliance"}, world.user_key());
  world.Advance(absl::Hours(1));
  world.SignCommand(&later, {kOperator, "legal"}, world.user_key());
  REQUIRE(world.Do(later).ok());
  const auto decided = world.Do(held);
  CHECK(CodeOf(decided) == absl::StatusCode::kAlreadyExists);
  CHECK_THAT(WordsOf(decided), Catch::Contains("signed later"));
  // Nor where nobody stands behind the entry any more.
  StripStatements<v1::SupplierRegistered>(world);
  REQUIRE(world.Do(RegisterSupplier{kOperator, "nyati", Company("UG")}).ok());
  world.SetDoctor(nullptr);
  REQUIRE_FALSE(IsVouchedFor(world.state(), "supplier/nyati"));
  CHECK(CodeOf(world.Do(held)) == absl::StatusCode::kAlreadyExists);
}

TEST_CASE("Statements: a log that holds an older one after a newer one states nothing") {
  World world(708);
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 5, world.now()}).ok());
  v1::CounterOpened old = world.At<v1::CounterOpened>(world.Find("counter-opened").back());
  world.SignRecord(&old, "data-steward");
  world.Advance(absl::Hours(1));
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 6, world.now()}).ok());
  world.FillCommon(old.mutable_common());
  State state = world.state();
  REQUIRE(Apply(state, state.size, ledger::Predicate(old)).ok());
  CHECK_FALSE(IsVouchedFor(state, "counter/people.KE.personal"));
}

TEST_CASE("Statements: no record moves home, whoever signed it") {
  World world(709);
  v1::RegionRegistered record;
  world.FillCommon(record.mutable_common());
  record.set_region("home");
  *record.mutable_terms() = Place("AE", "lion");
  SECTION("signed by nobody") {
    CHECK(record.stated().signature().empty());
  }
  SECTION("signed in a role that speaks of places") {
    world.SignRecord(&record, "compliance");
    CHECK_FALSE(record.stated().signature().empty());
  }
  State state = world.state();
  const Region before = state.regions.at("home");
  REQUIRE(Apply(state, state.size, ledger::Predicate(record)).ok());
  const Region& after = state.regions.at("home");
  CHECK(after.terms.SerializeAsString() == before.terms.SerializeAsString());
  CHECK(after.supplier == before.supplier);
  CHECK(state.registered.count("region/home") == 0);
}

TEST_CASE("Statements: only what founds a federation may be stated long before") {
  World world(711);
  State founding;
  for (const ledger::Record& record : world.log()) {
    if (record.As<v1::WorkerInvited>() != nullptr) {
      break;
    }
    REQUIRE(Apply(founding, founding.size, record.predicate).ok());
  }
  v1::SupplierRegistered old;
  old.set_supplier("nyati");
  *old.mutable_terms() = Company("KE");
  world.SignRecord(&old, "compliance");
  world.Advance(absl::Hours(48));
  world.FillCommon(old.mutable_common());
  const auto counts = [&](State state) {
    REQUIRE(Apply(state, state.size, ledger::Predicate(old)).ok());
    return IsVouchedFor(state, "supplier/nyati");
  };
  CHECK(counts(founding));
  CHECK_FALSE(counts(world.state()));
  // The first thing that somebody asked for founds nothing, where it is decided as where it is
  // folded.
  old.mutable_common()->set_request_id("r-1");
  CHECK_FALSE(counts(founding));
  const RegisterSupplier command{kOperator, "nyati", old.terms(), old.stated()};
  CHECK(Decide(founding, Command{command, world.now(), "r-1", world.Random(32)}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Statements: who was revoked states nothing more, and what was stated stays") {
  World world(703);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"compliance"});
  const auto state = [&](const std::string& code) {
    CommandBody body = RegisterSupplier{ann.id, "nyati", Company(code)};
    world.SignCommand(&body, {ann.id, "compliance"}, ann.Key());
    return world.Do(body);
  };
  REQUIRE(state("KE").ok());
  REQUIRE(world.Do(RevokeUser{kOperator, ann.id, "left"}).ok());
  CHECK(CodeOf(state("TZ")) == absl::StatusCode::kPermissionDenied);
  REQUIRE(IsVouchedFor(world.state(), "supplier/nyati"));
  CHECK(world.state().statements.at("supplier/nyati")->terms.user_id() == ann.id);
  CHECK(world.Refold().statements.at("supplier/nyati") != nullptr);
}

TEST_CASE("Statements: facts of a supplier or a place that nobody signed are unknown") {
  World world(704);
  CHECK(FactsToSingapore(world).Get("recipient.organised_in") == policies::Value::Text("SG"));
  CHECK(FactsToSingapore(world).Get("to.location_grade") == policies::Value::Text("contract"));
  SECTION("supplier") {
    StripStatements<v1::SupplierRegistered>(world);
    REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", Company("MY")}).ok());
    CHECK(FactsToSingapore(world).Get("recipient.organised_in").is_unknown());
    CHECK(FactsToSingapore(world).Get("recipient.certifications").is_unknown());
  }
  SECTION("place") {
    v1::RegionConfig terms = Place("SG", "lion");
    terms.set_location_evidence(v1::LOCATION_GRADE_CLAIMED);
    StripStatements<v1::RegionRegistered>(world);
    REQUIRE(world.Do(RegisterRegion{kOperator, "sg", terms}).ok());
    CHECK(FactsToSingapore(world).Get("to.location_grade").is_unknown());
    CHECK(FactsToSingapore(world).Get("to.jurisdiction").is_unknown());
  }
}

TEST_CASE("Statements: a place that nobody signed is none, whichever way something moves") {
  World world(710);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  const Worker& singapore = world.state().workers.at(world.worker("sg-1").id);
  const Job& job = world.state().jobs.at(world.Submit(1, 1));
  const auto model = [&] {
    return Facts(world.state(), SendModelFlows(world.state(), job, singapore).front(), world.now());
  };
  const auto delta = [&] {
    return Facts(world.state(),
                 SendDeltaFlows(world.state(), job, singapore, {"digits/sg"}).front(), world.now());
  };
  const auto staged = [&] {
    return Facts(world.state(),
                 StageDataFlows(world.state(), "digits/sg", singapore, singapore).back(),
                 world.now());
  };
  CHECK(delta().Get("from.jurisdiction") == policies::Value::Text("SG"));
  CHECK(staged().Get("from.jurisdiction") == policies::Value::Text("SG"));
  CHECK(model().Get("recipient.organised_in") == policies::Value::Text("SG"));
  CHECK(model().Get("evidence") == policies::Value::List({"scc-2021-914"}));
  v1::RegionConfig terms = Place("SG", "lion");
  terms.add_jurisdictions("DE");
  StripStatements<v1::RegionRegistered>(world);
  REQUIRE(world.Do(RegisterRegion{kOperator, "sg", terms}).ok());
  CHECK(delta().Get("from.jurisdiction").is_unknown());
  CHECK(delta().Get("to.jurisdiction") == policies::Value::Text("DE"));
  CHECK(staged().Get("from.jurisdiction").is_unknown());
  CHECK(model().Get("from.jurisdiction") == policies::Value::Text("DE"));
  CHECK(model().Get("recipient.org") == policies::Value::Text("lion"));
  CHECK(model().Get("recipient.organised_in").is_unknown());
  CHECK(model().Get("deal.kind").is_unknown());
  CHECK(model().Get("evidence") == policies::Value::List({}));
}

TEST_CASE("Statements: labels and counts that nobody signed are unknown until a steward does") {
  World world(705);
  const auto change = GENERATE(0, 1);
  world.SetDoctor([change](ledger::Predicate& predicate) {
    if (auto* record = predicate.As<v1::DatasetRegistered>(); record != nullptr) {
      if (change == 0) {
        record->clear_stated();
      } else {
        (*record->mutable_shards(0)->mutable_labels()->mutable_people())["KE.personal"] = 0;
      }
    }
  });
  REQUIRE(world.Do(RegisterDataset{kOperator, "digits", {ShardOf("ke")}}).ok());
  world.SetDoctor(nullptr);
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard("ke");
  claim.set_sha256(std::string(32, 'k'));
  const std::string holder = world.worker("sg-1").id;
  REQUIRE(world.Do(ClaimShards{holder, {claim}}).ok());
  const Shard& shard = world.state().shards.at("digits/ke");
  const auto counter = policies::ParseCounter("people.KE.personal");
  REQUIRE(counter.ok());
  CHECK(shard.stated == nullptr);
  CHECK_FALSE(ClassOf(shard, holder).known);
  CHECK_FALSE(PeopleIn(world.state(), VersionOf("digits/ke", shard), *counter).has_value());

  // The same words again, signed: the copy that was claimed meanwhile stays.
  const auto again = world.Do(RegisterDataset{kOperator, "digits", {shard.terms}});
  REQUIRE(again.ok());
  CHECK(again->records.size() == 1);
  CHECK(shard.stated != nullptr);
  CHECK(shard.holders.count(holder) == 1);
  CHECK(ClassOf(shard, holder).known);
  CHECK(PeopleIn(world.state(), VersionOf("digits/ke", shard), *counter) ==
        shard.terms.labels().people().at("KE.personal"));
}

TEST_CASE("Statements: an opening balance that nobody signed opens nothing") {
  World world(706);
  const auto counter = policies::ParseCounter("people.KE.personal");
  REQUIRE(counter.ok());
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 5, world.now()}).ok());
  CHECK(CountPeople(world.state(), *counter, {}, world.now()) == 5);
  StripStatements<v1::CounterOpened>(world);
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 0, world.now()}).ok());
  CHECK_FALSE(CountPeople(world.state(), *counter, {}, world.now()).has_value());
}

}  // namespace
}  // namespace carnet::coordinator
