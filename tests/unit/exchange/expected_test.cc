#include "exchange/expected.h"

#include <catch2/catch.hpp>

#include "exchange/artifact.h"

namespace carnet::exchange {
namespace {

void AddFlow(v1::RoundMember* member, v1::Operation operation, const char* from, const char* to) {
  v1::Flow* flow = member->add_authorisations()->mutable_flow();
  flow->set_operation(operation);
  flow->set_from(from);
  flow->set_to(to);
}

TEST_CASE("Expected: a model's header holds what both sides read in the record") {
  const std::string digest(32, 'd');
  const v1::ArtifactHeader header = ModelHeader({.trust_domain = "digits.acme.example",
                                                 .job_id = "j-aaaaaaaaaaaaaaaa",
                                                 .round = 2,
                                                 .attempt = 1,
                                                 .home_jurisdiction = "DE",
                                                 .bundle_sha256 = AsBytes(digest),
                                                 .model_sha256 = AsBytes(digest),
                                                 .layout_sha256 = AsBytes(digest),
                                                 .model_bytes = 77,
                                                 .key_id = "k-bbbbbbbbbbbbbbbb"});
  CHECK(MakeHeader(header).ok());
  CHECK(header.sender() == "spiffe://digits.acme.example/coordinator");
  CHECK(header.plaintext_bytes() == 77);
}

TEST_CASE("Expected: a delta names the jurisdictions of its send_delta decisions, once, in order") {
  v1::RoundOpened opened;
  opened.set_job_id("j-aaaaaaaaaaaaaaaa");
  opened.set_round(1);
  opened.set_attempt(2);
  opened.set_model_sha256(std::string(32, 'm'));
  opened.set_round_key_id("k-bbbbbbbbbbbbbbbb");
  opened.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
  v1::RoundMember member;
  AddFlow(&member, v1::OPERATION_SEND_DELTA, "SG", "DE");
  AddFlow(&member, v1::OPERATION_SEND_DELTA, "MY", "DE");
  AddFlow(&member, v1::OPERATION_SEND_MODEL, "US", "SG");
  const std::string digest(32, 'l');
  v1::ArtifactHeader header = DeltaHeader(
      opened, member,
      {.worker_spiffe_id = "spiffe://digits.acme.example/region/sg/supplier/lion/worker/sg-1",
       .layout_sha256 = AsBytes(digest),
       .codec = "int8",
       .encoded_bytes = 12});
  CHECK(header.from_jurisdiction() == "MY,SG");
  CHECK(header.to_jurisdiction() == "DE");
  CHECK(header.recipient() == "spiffe://digits.acme.example/coordinator");
  header.set_encapsulated(std::string(32, 'e'));
  header.set_wrapped_key(std::string(48, 'w'));
  header.set_salt(std::string(24, 's'));
  CHECK(MakeHeader(header).ok());
}

TEST_CASE("Expected: a shard goes from worker to worker under its staging id") {
  v1::StagingOrdered ordered;
  ordered.set_staging_id("s-aaaaaaaaaaaaaaaa");
  ordered.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
  v1::Flow* flow = ordered.add_authorisations()->mutable_flow();
  flow->set_operation(v1::OPERATION_STAGE_DATA);
  flow->set_from("FR");
  flow->set_to("DE");
  v1::ArtifactHeader header = ShardHeader(
      ordered, {.from_spiffe_id = "spiffe://a.example/region/fr/supplier/coq/worker/fr-1",
                .to_spiffe_id = "spiffe://a.example/region/home/supplier/acme/worker/home-1",
                .archive_bytes = 5,
                .key_id = "k-cccccccccccccccc"});
  CHECK(header.from_jurisdiction() == "FR");
  CHECK(header.job_id() == "s-aaaaaaaaaaaaaaaa");
  header.set_encapsulated(std::string(32, 'e'));
  header.set_wrapped_key(std::string(48, 'w'));
  header.set_salt(std::string(24, 's'));
  CHECK(MakeHeader(header).ok());
}

}  // namespace
}  // namespace carnet::exchange
