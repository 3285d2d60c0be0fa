// What a person says inside of a record that the coordinator signs: written by one code, checked by
// another.
#include "ledger/person_statement.h"

#include <catch2/catch.hpp>

#include "crypto/secret_bytes.h"
#include "ledger/verifier/person_statement.h"

namespace carnet::ledger {
namespace {

crypto::Ed25519KeyPair KeyOf(std::uint8_t tag) {
  crypto::SecretBytes seed(32);
  seed.Mutable()[0] = tag;
  return *crypto::Ed25519KeyPair::FromSeed(seed);
}

template <typename Record>
void ExpectSigned(Record record) {
  const crypto::Ed25519KeyPair key = KeyOf(1);
  record.mutable_stated()->set_user_id("u-aaaaaaaaaaaaaaaa");
  record.mutable_stated()->set_role("compliance");
  record.mutable_stated()->mutable_at()->set_seconds(1795000000);
  record.mutable_stated()->set_nonce(std::string(32, 'n'));
  REQUIRE(SignPersonStatement(key, &record).ok());
  record.mutable_common()->set_nonce(std::string(32, 'c'));
  CHECK(VerifyPersonStatement(record, key.public_key()).ok());
  CHECK(verifier::VerifyStated(record, key.public_key()).ok());
  CHECK_FALSE(VerifyPersonStatement(record, KeyOf(2).public_key()).ok());
  CHECK_FALSE(verifier::VerifyStated(record, KeyOf(2).public_key()).ok());
  Record other = record;
  other.mutable_stated()->set_role("dpo");
  CHECK_FALSE(VerifyPersonStatement(other, key.public_key()).ok());
  CHECK_FALSE(verifier::VerifyStated(other, key.public_key()).ok());
  other = record;
  other.mutable_stated()->set_nonce("short");
  CHECK_FALSE(VerifyPersonStatement(other, key.public_key()).ok());
  CHECK_FALSE(verifier::VerifyStated(other, key.public_key()).ok());
}

TEST_CASE("Person statement: every record that holds one is signed and checked alike") {
  v1::SupplierRegistered supplier;
  supplier.set_supplier("lion");
  supplier.mutable_terms()->add_owners()->set_percent(33.3);
  ExpectSigned(supplier);
  v1::RegionRegistered region;
  region.set_region("sg");
  ExpectSigned(region);
  v1::DatasetRegistered dataset;
  dataset.set_dataset("digits");
  v1::ShardRegistration* shard = dataset.add_shards();
  shard->set_rows(~std::uint64_t{0});
  (*shard->mutable_labels()->mutable_people())["US.health"] = 12000;
  (*shard->mutable_labels()->mutable_people())["DE.health"] = 1;
  ExpectSigned(dataset);
  v1::CounterOpened counter;
  counter.set_people(5);
  ExpectSigned(counter);
  v1::EvidenceRecorded evidence;
  evidence.set_kind("tia");
  ExpectSigned(evidence);
  v1::EvidenceAccepted accepted;
  accepted.set_evidence_id("e-aaaaaaaaaaaaaaaa");
  ExpectSigned(accepted);
}

TEST_CASE("Person statement: what the coordinator adds to evidence is not part of it") {
  v1::EvidenceRecorded item;
  item.set_kind("tia");
  item.mutable_stated()->set_nonce(std::string(32, 'n'));
  const crypto::Ed25519KeyPair key = KeyOf(1);
  REQUIRE(SignPersonStatement(key, &item).ok());
  item.set_evidence_id("e-aaaaaaaaaaaaaaaa");
  item.set_accepted_by("u-aaaaaaaaaaaaaaaa");
  CHECK(VerifyPersonStatement(item, key.public_key()).ok());
  CHECK(verifier::VerifyStated(item, key.public_key()).ok());
  const absl::StatusOr<Digest> digest = EvidenceItemDigest(item);
  REQUIRE(digest.ok());
  CHECK(*verifier::DigestOfItem(item) == *digest);
  item.set_evidence_id("e-bbbbbbbbbbbbbbbb");
  CHECK(*EvidenceItemDigest(item) != *digest);
  item.set_kind("bcr");
  CHECK_FALSE(VerifyPersonStatement(item, key.public_key()).ok());
}

TEST_CASE("Person statement: other records hold none") {
  v1::WorkerRevoked record;
  CHECK(SignPersonStatement(KeyOf(1), &record).code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(VerifyPersonStatement(record, KeyOf(1).public_key()).ok());
}

}  // namespace
}  // namespace carnet::ledger
