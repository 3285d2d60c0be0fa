// Evidence: anybody who decides about policy proposes it, and the role of its kind makes it count.
#include <catch2/catch.hpp>

#include "base/timestamp.h"
#include "crypto/hash.h"
#include "ledger/person_statement.h"
#include "scenario/policy_office.h"
#include "scenario/registry_desk.h"

namespace carnet::coordinator {
namespace {

v1::AddEvidenceRequest Clauses(const World& world) {
  v1::AddEvidenceRequest evidence;
  evidence.set_kind("scc-2021-914");
  evidence.set_recipient("lion");
  evidence.add_destinations("SG");
  *evidence.mutable_valid_from() = ToTimestamp(world.now() - absl::Hours(1));
  *evidence.mutable_valid_to() = ToTimestamp(world.now() + absl::Hours(24 * 365));
  evidence.set_document_sha256(ToString(crypto::Sha256(AsBytes("clauses"))));
  return evidence;
}

absl::StatusOr<Decided> As(World& world, const Person& person, const std::string& role,
                           CommandBody body) {
  world.SignCommand(&body, {person.id, role}, person.Key());
  return world.Do(std::move(body));
}

v1::AcceptEvidenceRequest AcceptanceOf(const World& world) {
  const v1::EvidenceRecorded& item = world.state().evidence.begin()->second.terms;
  v1::AcceptEvidenceRequest request;
  request.set_evidence_id(item.evidence_id());
  request.set_document_sha256(item.document_sha256());
  request.set_item_sha256(ToString(*ledger::EvidenceItemDigest(item)));
  return request;
}

TEST_CASE("Evidence: what another role brings is proposed, and counts once its own accepts it") {
  World world(711);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const Person bea = office.Hire(4, {"legal"});
  REQUIRE(As(world, ann, "dpo", AddEvidence{ann.id, Clauses(world)}).ok());
  REQUIRE(world.state().evidence.size() == 1);
  CHECK(world.state().evidence.begin()->second.terms.accepted_by().empty());
  CHECK(FactsToSingapore(world).Get("evidence") == policies::Value::List({}));

  CHECK(As(world, ann, "dpo", AcceptEvidence{ann.id, AcceptanceOf(world)}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  v1::AcceptEvidenceRequest another = AcceptanceOf(world);
  another.set_item_sha256(std::string(32, 'x'));
  CHECK(As(world, bea, "legal", AcceptEvidence{bea.id, another}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(FactsToSingapore(world).Get("evidence") == policies::Value::List({}));

  const auto accepted = As(world, bea, "legal", AcceptEvidence{bea.id, AcceptanceOf(world)});
  INFO(accepted.status().ToString());
  REQUIRE(accepted.ok());
  CHECK(FactsToSingapore(world).Get("evidence") == policies::Value::List({"scc-2021-914"}));
  CHECK(world.Refold().evidence.begin()->second.accepted->terms.user_id() == bea.id);
  // Once is enough.
  const auto again = As(world, bea, "legal", AcceptEvidence{bea.id, AcceptanceOf(world)});
  REQUIRE(again.ok());
  CHECK(again->records.empty());
  CHECK(again->answer_index == accepted->answer_index);
}

TEST_CASE("Evidence: what its own role brings counts at once") {
  World world(712);
  PolicyOffice office(world);
  const Person bea = office.Hire(4, {"legal"});
  REQUIRE(As(world, bea, "legal", AddEvidence{bea.id, Clauses(world)}).ok());
  CHECK(world.state().evidence.begin()->second.terms.accepted_by() == bea.id);
  CHECK(FactsToSingapore(world).Get("evidence") == policies::Value::List({"scc-2021-914"}));
}

TEST_CASE("Evidence: an account role proposes nothing") {
  World world(713);
  PolicyOffice office(world);
  const Person carl = office.Hire(5, {"operator"});
  const auto added = As(world, carl, "operator", AddEvidence{carl.id, Clauses(world)});
  CHECK(added.status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(world.state().evidence.empty());
}

TEST_CASE("Evidence: an acceptance whose item was altered on its way counts for nothing") {
  World world(714);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const Person bea = office.Hire(4, {"legal"});
  world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* accepted = predicate.As<v1::EvidenceAccepted>(); accepted != nullptr) {
      accepted->mutable_stated()->set_role("dpo");
    }
  });
  REQUIRE(As(world, ann, "dpo", AddEvidence{ann.id, Clauses(world)}).ok());
  REQUIRE(As(world, bea, "legal", AcceptEvidence{bea.id, AcceptanceOf(world)}).ok());
  CHECK(world.state().evidence.begin()->second.accepted == nullptr);
  CHECK(FactsToSingapore(world).Get("evidence") == policies::Value::List({}));
}

}  // namespace
}  // namespace carnet::coordinator
