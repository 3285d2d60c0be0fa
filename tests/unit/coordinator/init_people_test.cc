// The first people of a federation: who may be what, and whether they can keep its policies alive.
#include "coordinator/init_people.h"

#include <catch2/catch.hpp>

#include "base/rng.h"
#include "base/status.h"
#include "coordinator/init_records.h"
#include "policies/packs.h"

namespace carnet::coordinator {
namespace {

v1::FederationConfig Federation(
    const std::vector<std::pair<std::string, std::vector<std::string>>>& people) {
  v1::FederationConfig federation;
  for (const auto& [name, roles] : people) {
    (*federation.mutable_people())[name].mutable_roles()->Add(roles.begin(), roles.end());
  }
  return federation;
}

std::shared_ptr<const policies::Bundle> Starter() {
  return *policies::StarterBundle("DE");
}

TEST_CASE("First people: an admin decides nothing about policies") {
  const absl::Status refused =
      ValidatePeople(Federation({{"operator", {"admin", "dpo", "legal", "compliance"}}}));
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(refused.message()).find("people.operator.roles") != std::string::npos);
  CHECK(Remedy(refused).find("officer: {roles: [dpo, legal, compliance]}") != std::string::npos);
  CHECK(ValidatePeople(Federation({{"operator", {"admin", "operator", "member", "auditor"}},
                                   {"ann", {"dpo", "legal", "compliance", "member"}}}))
            .ok());
}

TEST_CASE("First people: those who can never renew the policies are refused, with what mends it") {
  v1::FederationConfig federation = Federation({{"operator", {"admin", "operator", "member"}},
                                                {"ann", {"dpo", "legal"}},
                                                {"officer-1", {"compliance"}}});
  const absl::Status refused = CheckApprovers(federation, *Starter());
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  const std::string message(refused.message());
  CHECK(message.find("us-ear-ai needs 2 of export-control, us-counsel besides its author "
                     "(export-control): nobody may be the author; nobody holds export-control, "
                     "us-counsel") != std::string::npos);
  CHECK(message.find("gdpr-chapter-v needs 2 of dpo, legal") != std::string::npos);
  const std::string remedy = Remedy(refused);
  INFO(remedy);
  CHECK(remedy.find("officer-1:") == std::string::npos);  // that name is taken
  // The lines do mend it.
  std::size_t lines = 0;
  for (std::size_t at = remedy.find("\n  "); at != std::string::npos;
       at = remedy.find("\n  ", at + 1)) {
    const std::size_t open = remedy.find('[', at);
    const std::size_t close = remedy.find(']', at);
    const std::string name = remedy.substr(at + 3, remedy.find(':', at) - at - 3);
    std::string role;
    for (const char c : remedy.substr(open + 1, close - open - 1) + ",") {
      if (c == ',') {
        (*federation.mutable_people())[name].add_roles(role);
        role.clear();
      } else if (c != ' ') {
        role += c;
      }
    }
    ++lines;
  }
  CHECK(lines > 0);
  const absl::Status mended = CheckApprovers(federation, *Starter());
  INFO(mended.ToString());
  CHECK(mended.ok());
  CHECK(ValidatePeople(federation).ok());
}

TEST_CASE("First people: without a steward, a registrar or an admin nothing could be trained") {
  const std::shared_ptr<const policies::Bundle> starter = Starter();
  const policies::Bundle& bundle = *starter;
  const std::vector<std::string> officer = {"compliance", "dpo", "legal", "export-control",
                                            "us-counsel"};
  const auto refusal = [&](std::vector<std::string> operator_roles,
                           std::vector<std::string> sams_roles) {
    return CheckApprovers(Federation({{"operator", std::move(operator_roles)},
                                      {"sam", std::move(sams_roles)},
                                      {"ann", officer},
                                      {"bea", officer},
                                      {"cleo", officer}}),
                          bundle);
  };
  const absl::Status good = refusal({"admin"}, {"data-steward"});
  INFO(good.ToString());
  CHECK(good.ok());
  const absl::Status unlabelled = refusal({"admin"}, {"member"});
  CHECK(unlabelled.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(unlabelled.message()).find("nobody is data-steward") != std::string::npos);
  CHECK(Remedy(unlabelled) ==
        "add to `people` of federation.yaml:\n  officer-1: {roles: [data-steward]}");
  const absl::Status unmanaged = refusal({"operator"}, {"data-steward"});
  CHECK(std::string(unmanaged.message()).find("nobody is admin") != std::string::npos);
  CHECK(Remedy(unmanaged).find("{roles: [admin]}") != std::string::npos);
  const absl::Status nowhere =
      CheckApprovers(Federation({{"operator", {"admin"}}, {"sam", {"data-steward"}}}), bundle);
  CHECK(std::string(nowhere.message()).find("nobody is compliance or dpo or legal") !=
        std::string::npos);
}

TEST_CASE("First people: what nobody can sign whose key is at hand is named") {
  v1::FederationConfig federation;
  federation.mutable_home()->set_organisation("acme");
  (*federation.mutable_suppliers())["lion"].set_organised_in("SG");
  (*federation.mutable_regions())["sg"].add_jurisdictions("SG");
  SystemRng rng;
  const crypto::Ed25519KeyPair key = crypto::Ed25519KeyPair::Generate(rng);
  const auto unstated = [&](const Speakers& speakers) {
    RecordSigner signer(key, absl::FromUnixSeconds(1800000000), rng);
    std::vector<std::string> entries;
    const absl::Status added = AddRegistrations(federation, {}, speakers, &signer, &entries);
    INFO(added.ToString());
    REQUIRE(added.ok());
    CHECK(signer.count() == 2);
    return entries;
  };
  Speakers speakers(rng);
  speakers.Add("u-sam", {"data-steward"}, crypto::Ed25519KeyPair::Generate(rng));
  CHECK(unstated(speakers) == std::vector<std::string>{"supplier lion", "region sg"});
  speakers.Add("u-ann", {"legal"}, crypto::Ed25519KeyPair::Generate(rng));
  CHECK(unstated(speakers).empty());
}

TEST_CASE("First people: a federation of one person is asked for nobody yet") {
  CHECK(CheckApprovers(v1::FederationConfig(), *Starter()).ok());
}

}  // namespace
}  // namespace carnet::coordinator
