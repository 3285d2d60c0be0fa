// What compliance records of suppliers and of the home organisation, and the facts that come of it.
#include <catch2/catch.hpp>
#include <cmath>

#include "coordinator/core/flows.h"
#include "coordinator/core/judge.h"
#include "coordinator/core/registry.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using policies::Value;

policies::FactSet OfSupplier(const World& world) {
  const State& state = world.state();
  const Worker& worker = state.workers.at(world.worker("sg-1").id);
  return Facts(state, PlaceFlows(state, state.jobs.begin()->second, worker).front(), world.now());
}

policies::FactSet OfHome(const World& world) {
  const State& state = world.state();
  return Facts(state, AggregateFlows(state, state.jobs.begin()->second, {}).front(), world.now());
}

absl::Status Refused(World& world, const std::string& supplier, const v1::SupplierConfig& terms) {
  const absl::Status status = world.Do(RegisterSupplier{kOperator, supplier, terms}).status();
  CHECK(absl::IsInvalidArgument(status));
  return status;
}

TEST_CASE("Organisations: the deal and the share of listed parties are as compliance recorded") {
  World world(711);
  world.Submit(1, 1);
  CHECK(OfSupplier(world).Get("deal.kind").is_unknown());
  CHECK(OfSupplier(world).Get("recipient.listed_owner_pct").is_unknown());
  v1::SupplierConfig terms = world.state().suppliers.at("lion");
  terms.set_listed_owner_pct(0);
  terms.set_deal("compute-rental");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", terms}).ok());
  CHECK(OfSupplier(world).Get("deal.kind") == Value::Text("compute-rental"));
  // Nothing owned is known to be nothing.
  CHECK(OfSupplier(world).Get("recipient.listed_owner_pct") == Value::Number(0));
  CHECK(world.Refold().suppliers.at("lion").has_listed_owner_pct());
}

TEST_CASE("Organisations: a principal place that nobody stated is unknown, and opens no border") {
  World world(716,
              {"policy: russian\nkind: guardrail\ntitle: T\n"
               "approvals: {propose: [dpo], need: 1, from: [dpo]}\n"
               "effective: {from: 2026-01-01}\nrules:\n"
               "  - {id: entity, effect: deny, when: {recipient.principal_place: {is: RU}}}\n"});
  world.Submit(1, 1);
  const auto reason = [&]() -> std::string {
    const State& state = world.state();
    const Worker& worker = state.workers.at(world.worker("sg-1").id);
    const FlowContext flow = PlaceFlows(state, state.jobs.begin()->second, worker).front();
    const v1::Decision decision =
        Judge(state, flow, world.now(), policies::Words::kWritten).decision;
    CHECK((decision.verdict() == v1::VERDICT_ALLOW) == decision.failures().empty());
    return decision.failures().empty() ? "" : decision.failures(0).reason();
  };
  CHECK(reason().empty());
  v1::SupplierConfig terms = world.state().suppliers.at("lion");
  terms.clear_principal_place();
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", terms}).ok());
  CHECK(OfSupplier(world).Get("recipient.organised_in") == Value::Text("SG"));
  CHECK(OfSupplier(world).Get("recipient.principal_place").is_unknown());
  CHECK(reason() == "russian/entity");
  terms.set_principal_place("SG");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", terms}).ok());
  CHECK(reason().empty());
}

TEST_CASE("Organisations: certificates that nobody stated are unknown, and none is a statement") {
  World world(717);
  world.Submit(1, 1);
  CHECK(OfSupplier(world).Get("recipient.certifications") == Value::List({}));
  v1::SupplierConfig terms = world.state().suppliers.at("lion");
  terms.clear_certifications();
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", terms}).ok());
  CHECK(OfSupplier(world).Get("recipient.certifications").is_unknown());
  terms.add_certifications("iso-27001");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", terms}).ok());
  CHECK(OfSupplier(world).Get("recipient.certifications") == Value::List({"iso-27001"}));
  terms.add_certifications("none");
  CHECK_THAT(std::string(Refused(world, "lion", terms).message()),
             Catch::Contains("supplier/lion.certifications") && Catch::Contains("alone"));
}

TEST_CASE("Organisations: a share beyond all, and a deal of no table, are refused") {
  World world(712);
  v1::SupplierConfig terms;
  for (const double percent : {-1.0, 100.5, std::nan("")}) {
    terms.set_listed_owner_pct(percent);
    CHECK_THAT(std::string(Refused(world, "lion", terms).message()),
               Catch::Contains("supplier/lion.listed_owner_pct"));
  }
  terms.set_listed_owner_pct(100);
  terms.set_deal("barter");
  CHECK_THAT(std::string(Refused(world, "lion", terms).message()),
             Catch::Contains("supplier/lion.deal") && Catch::Contains("compute-rental"));
}

TEST_CASE("Organisations: home has owners and a parent once somebody records them") {
  World world(713);
  world.Submit(1, 1);
  CHECK(OfHome(world).Get("recipient.organised_in") == Value::Text("DE"));
  CHECK(OfHome(world).Get("deal.kind") == Value::Text("internal"));
  CHECK(OfHome(world).Get("recipient.ultimate_parent").is_unknown());
  CHECK(OfHome(world).Get("recipient.principal_place").is_unknown());
  v1::SupplierConfig terms;
  terms.set_ultimate_parent("DE");
  terms.set_listed_owner_pct(0);
  REQUIRE(world.Do(RegisterSupplier{kOperator, "acme", terms}).ok());
  CHECK(OfHome(world).Get("recipient.principal_place").is_unknown());
  CHECK(OfHome(world).Get("recipient.certifications").is_unknown());
  terms.set_principal_place("FR");
  terms.add_certifications("iso-27001");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "acme", terms}).ok());
  CHECK(OfHome(world).Get("recipient.ultimate_parent") == Value::Text("DE"));
  CHECK(OfHome(world).Get("recipient.listed_owner_pct") == Value::Number(0));
  CHECK(OfHome(world).Get("recipient.certifications") == Value::List({"iso-27001"}));
  CHECK(OfHome(world).Get("recipient.organised_in") == Value::Text("DE"));
  CHECK(OfHome(world).Get("recipient.principal_place") == Value::Text("FR"));
  CHECK(OfHome(world).Get("deal.kind") == Value::Text("internal"));
}

TEST_CASE("Organisations: of home nothing is recorded that genesis says, and no deal or price") {
  World world(714);
  v1::SupplierConfig terms;
  SECTION("its place") {
    terms.set_organised_in("FR");
    CHECK_THAT(std::string(Refused(world, "acme", terms).message()), Catch::Contains("genesis"));
  }
  SECTION("a deal") {
    terms.set_deal("investment");
    CHECK_THAT(std::string(Refused(world, "acme", terms).message()), Catch::Contains("internal"));
  }
  SECTION("a price") {
    terms.mutable_price()->mutable_gpu_hour()->set_micros(1);
    CHECK_THAT(std::string(Refused(world, "acme", terms).message()), Catch::Contains(".price"));
  }
}

TEST_CASE("Organisations: what federation.yaml says of home becomes its record, or none") {
  v1::HomeConfig home;
  home.set_jurisdiction("DE");
  home.set_organisation("acme");
  CHECK(SaysNothing(HomeTerms(home)));
  home.set_listed_owner_pct(0);
  home.set_ultimate_parent("DE");
  CHECK_FALSE(SaysNothing(HomeTerms(home)));
  CHECK(CheckHome("home", HomeTerms(home)).ok());
  home.set_ultimate_parent("UK");
  CHECK_THAT(std::string(CheckHome("home", HomeTerms(home)).message()),
             Catch::Contains("home.ultimate_parent") && Catch::Contains("GB"));
}

TEST_CASE(
    "Organisations: an audit takes home's facts, and finds a place that genesis does not say") {
  World world = WorldWithEvidence(715);
  v1::SupplierConfig terms;
  terms.set_ultimate_parent("DE");
  terms.set_principal_place("FR");
  terms.add_certifications("none");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "acme", terms}).ok());
  const audit::Report good = AuditWorld(world);
  INFO(TextOf(good));
  CHECK(good.verdict == ledger::verifier::Verdict::kGood);
  v1::SupplierRegistered forged;
  world.FillCommon(forged.mutable_common());
  forged.set_supplier("acme");
  SECTION("another place") {
    forged.mutable_terms()->set_organised_in("FR");
    CHECK(forged.supplier() == "acme");
  }
  SECTION("a deal with itself") {
    forged.mutable_terms()->set_deal("internal");
    CHECK(forged.supplier() == "acme");
  }
  SECTION("more than all of it") {
    forged.mutable_terms()->set_listed_owner_pct(101);
    CHECK(forged.supplier() == "acme");
  }
  world.Forge(forged, world.statement_key());
  CHECK(FindingOf(AuditWorld(world), "supplier") != nullptr);
}

}  // namespace
}  // namespace carnet::coordinator
