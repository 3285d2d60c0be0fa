#include "ledger/record.h"

#include <google/protobuf/descriptor.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "ledger/verifier/record.h"
#include "small_federation.h"

namespace carnet::ledger {
namespace {

using testing_ledger::DigestOf;
using testing_ledger::KeyOfSeed;

v1::KeyCreated SomeKey() {
  v1::KeyCreated key;
  key.mutable_common()->set_nonce(ToString(DigestOf("nonce")));
  key.mutable_common()->mutable_at()->set_seconds(1'790'000'000);
  key.mutable_common()->mutable_at()->set_nanos(123'456'000);
  key.set_key_id("k-aaaaaaaaaaaaaaaa");
  key.set_purpose("round");
  key.set_round(3);
  return key;
}

// Signs whatever it is given.
v1::SignedRecord SignText(std::string statement) {
  return SignRecord(std::move(statement), KeyOfSeed(2));
}

TEST_CASE("Record: pre-authentication encoding counts bytes") {
  // secure-systems-lab/dsse protocol.md
  const Bytes pae = PreAuthEncoding("http://example.com/HelloWorld", "hello world");
  CHECK(AsText(pae) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(HexEncode(crypto::Sha256(pae)) ==
        "217751fac2c4f14edb2c9297fbc34abcb016ba88e74757e875ec4ac16fb6b6a1");
  CHECK(AsText(PreAuthEncoding("t/\xe2\x82\xac", "\xe2\x82\xac")) ==
        "DSSEv1 5 t/\xe2\x82\xac 3 \xe2\x82\xac");
  CHECK(AsText(PreAuthEncoding("", "")) == "DSSEv1 0  0 ");
}

TEST_CASE("Record: the list of types is closed and whole") {
  std::set<std::string> in_proto;
  const google::protobuf::FileDescriptor* file = v1::Genesis::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) {
    const auto* common = file->message_type(i)->FindFieldByName("common");
    if (common != nullptr) {
      in_proto.insert(file->message_type(i)->name());
      CHECK(common->number() == 1);
    }
  }
  std::set<std::string> in_table;
#define CARNET_TEST_TYPE(message, signer)             \
  in_table.insert(v1::message::descriptor()->name()); \
  CHECK_FALSE(RecordTypeOf(v1::message::default_instance()).empty());
  CARNET_RECORD_TYPES(CARNET_TEST_TYPE)
#undef CARNET_TEST_TYPE
  CHECK(in_table == in_proto);
  CHECK(RecordTypeOf(v1::RoundOpened::default_instance()) == "round-opened");
  CHECK(RecordTypeOf(v1::KeyDestructionOrdered::default_instance()) == "key-destruction-ordered");
  CHECK(RecordTypeOf(v1::Common::default_instance()).empty());
  CHECK(RecordTypeOf(v1::Receipt::default_instance()).empty());
}

TEST_CASE(
    "Record: a statement says type, subject and predicate in canonical JSON, and comes back") {
  const std::string statement = *MakeStatement(SomeKey());
  CHECK(statement ==
        absl::StrCat(
            R"({"_type":"https://in-toto.io/Statement/v1","predicate":{"common":{"at":)"
            R"("2026-09-21T14:13:20.123456Z","nonce":")",
            Base64Encode(DigestOf("nonce")),
            R"("},"key_id":"k-aaaaaaaaaaaaaaaa","purpose":"round","round":3},)"
            R"("predicateType":"urn:carnet:key-created:v1","subject":[{"digest":{"sha256":")",
            HexEncode(DigestOf("k-aaaaaaaaaaaaaaaa")), R"("},"name":"key-id"}]})"));
  const v1::SignedRecord record = SignText(statement);
  const Record opened = *OpenRecord(record);
  CHECK(opened.type == "key-created");
  CHECK(opened.signer == KeyOfSeed(2).public_key());
  REQUIRE(opened.As<v1::KeyCreated>() != nullptr);
  CHECK(opened.As<v1::KeyCreated>()->round() == 3);
  CHECK(opened.As<v1::Genesis>() == nullptr);
  CHECK(CommonOf(opened.predicate).at().seconds() == 1'790'000'000);
  CHECK(opened.predicate.message().GetDescriptor() == v1::KeyCreated::descriptor());
  CHECK(opened.leaf_hash == LeafHash(AsBytes(*LeafEntry(record))));
}

TEST_CASE("Record: a leaf is a canonical hashedrekord 0.0.2, the same on both sides") {
  const v1::SignedRecord record = SignText(*MakeStatement(SomeKey()));
  const std::string leaf = *LeafEntry(record);
  // rekor-tiles: the JCS form, whose order docs/formats.md states.
  CHECK(
      leaf ==
      absl::StrCat(
          R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":)"
          R"("SHA2_256","digest":")",
          Base64Encode(crypto::Sha256(PreAuthEncoding(kPayloadType, record.statement()))),
          R"("},"signature":{"content":")", Base64Encode(AsBytes(record.signature())),
          R"(","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":")",
          Base64Encode(crypto::Ed25519SpkiEncode(KeyOfSeed(2).public_key())), R"("}}}}}})"));
  CHECK(verifier::VerifyRecord(record)->leaf == leaf);
  CHECK(leaf.size() <= kLeafBytesMax);
}

TEST_CASE("Record: what its writer would not have written is refused on both sides") {
  const std::string good = *MakeStatement(SomeKey());
  const std::string hex = HexEncode(DigestOf("k-aaaaaaaaaaaaaaaa"));
  REQUIRE(OpenRecord(SignText(good)).ok());
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"round\":3", "\"round\":3,\"unknown\":1"},    // an unknown field
      {"\"round\":3", "\"round\":3,\"round\":3"},      // a repeated one
      {"\"round\":3", "\"round\":\"3\""},              // another spelling
      {"\"round\":3", "\"round\":3.0"},                //
      {"\"round\":3", "\"round\":0"},                  // a default that is written
      {"\"round\":3", "\"round\":null"},               //
      {"\"round\":3", "\"round\":-1"},                 //
      {"key_id", "keyId"},                             // camelCase
      {"key-created:v1", "key-created:v2"},            // another version
      {"key-created:v1", "common:v1"},                 // no type
      {"key-created:v1", "key-Created:v1"},            //
      {"key-created:v1", "-key-created:v1"},           //
      {"urn:carnet:", "urn:other:"},                   //
      {"Statement/v1", "Statement/v0.1"},              // another statement
      {"\"_type\"", "\"x\":1,\"_type\""},              // an unknown member
      {"\"name\":\"key-id\"", "\"uri\":\"x\""},        // of a subject
      {"\"name\":\"key-id\"", "\"name\":1"},           //
      {hex, HexEncode(DigestOf("other"))},             // the wrong subject
      {hex, hex.substr(1)},                            // no digest
      {"\"sha256\"", "\"sha512\""},                    //
      {"sha256\":\"", "sha1\":\"00\",\"sha256\":\""},  //
      {absl::StrCat(R"([{"digest":{"sha256":")", hex, R"("},"name":"key-id"}])"),
       "[]"},                                           // no subject
      {Base64Encode(DigestOf("nonce")), "AAAA"},        // a short nonce
      {"\"at\":\"2026-09-21T14:13:20.123456Z\",", ""},  // no time
      {"2026-09-21T14:13:20.123456Z",
       "2026-09-21T15:13:20.123456+01:00"},  // another spelling of it
  };
  for (const auto& [from, to] : changes) {
    CAPTURE(from, to);
    const std::string changed = absl::StrReplaceAll(good, {{from, to}});
    REQUIRE(changed != good);
    const v1::SignedRecord record = SignText(changed);
    CHECK(absl::IsInvalidArgument(OpenRecord(record).status()));
    CHECK(absl::IsUnauthenticated(verifier::VerifyRecord(record).status()));
  }
}

TEST_CASE("Record: one flipped bit in statement, signature or key is refused on both sides") {
  const v1::SignedRecord good = SignText(*MakeStatement(SomeKey()));
  for (std::size_t i = 0; i < good.statement().size() + 64 + 32; ++i) {
    v1::SignedRecord record = good;
    if (i < good.statement().size()) {
      (*record.mutable_statement())[i] ^= 1;
    } else if (i < good.statement().size() + 64) {
      (*record.mutable_signature())[i - good.statement().size()] ^= 1;
    } else {
      (*record.mutable_public_key())[i - good.statement().size() - 64] ^= 1;
    }
    CAPTURE(i);
    CHECK_FALSE(OpenRecord(record).ok());
    CHECK_FALSE(verifier::VerifyRecord(record).ok());
  }
}

TEST_CASE("Record: lengths other than 64 and 32, empty and oversized statements are refused") {
  v1::SignedRecord record = SignText(*MakeStatement(SomeKey()));
  record.mutable_signature()->push_back('x');
  CHECK(absl::IsInvalidArgument(VerifyRecordSignature(record)));
  CHECK_FALSE(LeafEntry(record).ok());
  CHECK_FALSE(verifier::VerifyRecord(record).ok());
  CHECK_FALSE(OpenRecord(SignText("")).ok());
  CHECK_FALSE(LeafEntry(SignText("")).ok());
  CHECK_FALSE(OpenRecord(SignText(std::string(kStatementBytesMax + 1, ' '))).ok());
  CHECK_FALSE(verifier::VerifyRecord(SignText(std::string(kStatementBytesMax + 1, ' '))).ok());
  v1::KeyCreated big = SomeKey();
  big.set_purpose(std::string(kStatementBytesMax, 'x'));
  CHECK_FALSE(MakeStatement(big).ok());
}

TEST_CASE("Record: the writer refuses wrong common fields and subjects") {
  v1::KeyCreated key = SomeKey();
  CHECK(absl::IsInvalidArgument(
      MakeStatement(key, {{.name = "x", .sha256 = DigestOf("x")}}).status()));
  key.mutable_common()->set_request_id("short");
  CHECK(absl::IsInvalidArgument(MakeStatement(key).status()));
  key.mutable_common()->set_request_id(std::string(16, 'r'));
  CHECK(MakeStatement(key).ok());
  key.mutable_common()->clear_at();
  CHECK(absl::IsInvalidArgument(MakeStatement(key).status()));
  CHECK(absl::IsInvalidArgument(MakeStatement(v1::Receipt()).status()));
}

TEST_CASE("Record: types whose predicate does not hold their subject take one to three") {
  v1::WorkerRevoked revoked;
  *revoked.mutable_common() = SomeKey().common();
  CHECK_FALSE(MakeStatement(revoked).ok());
  std::vector<Subject> subjects;
  for (const bool allowed : {true, true, true, false}) {
    subjects.push_back({.name = absl::StrCat("key-", subjects.size()), .sha256 = DigestOf("key")});
    const auto statement = MakeStatement(revoked, subjects);
    CHECK(statement.ok() == allowed);
    if (allowed) {
      CHECK(OpenRecord(SignText(*statement))->subjects == subjects);
      CHECK(verifier::VerifyRecord(SignText(*statement))->subjects.size() == subjects.size());
    }
  }
}

TEST_CASE("Record: each subject that follows from a predicate is the same on both sides") {
  const auto check = [](auto predicate, std::size_t subjects) {
    *predicate.mutable_common() = SomeKey().common();
    const auto statement = MakeStatement(predicate);
    INFO(predicate.GetDescriptor()->name() << statement.status());
    REQUIRE(statement.ok());
    const auto verified = verifier::VerifyRecord(SignText(*statement));
    INFO(verified.status());
    REQUIRE(verified.ok());
    CHECK(verified->subjects.size() == subjects);
  };
  const std::string digest = ToString(DigestOf("x"));
  v1::WorkerEnrolled worker;
  worker.set_tls_spki_sha256(digest);
  worker.set_statement_public_key(digest);
  worker.set_wrapping_public_key(digest);
  check(worker, 3);
  v1::SupplierRegistered supplier;
  supplier.mutable_terms()->set_organised_in("SG");
  check(supplier, 1);
  check(v1::RegionRegistered(), 1);
  check(v1::DatasetRegistered(), 1);
  check(v1::LocationContradicted(), 1);
  check(v1::LocationCleared(), 1);
  v1::KeyDestroyed keys;
  keys.add_key_ids("k-1");
  keys.add_key_ids("k-2");
  check(keys, 2);
  v1::Refusal refusal;
  refusal.add_decisions()->set_id("d-1");
  refusal.add_decisions()->set_id("d-2");
  check(refusal, 2);
  v1::ContributionRejected rejected;
  rejected.set_sealed_sha256(digest);
  check(rejected, 1);
  rejected.set_statement_sha256(ToString(DigestOf("y")));
  check(rejected, 1);
  v1::ShardStaged staged;
  staged.set_sha256(digest);
  check(staged, 1);
  v1::WorkerInvited invited;
  invited.set_token_sha256(digest);
  check(invited, 1);
  v1::EvidenceRecorded evidence;
  evidence.set_document_sha256(digest);
  check(evidence, 1);
  v1::ModelAssessed assessed;
  assessed.set_model_sha256(digest);
  check(assessed, 1);
  v1::Evaluation evaluation;
  evaluation.set_model_sha256(digest);
  (*evaluation.mutable_metrics())["accuracy"] = 0.9733333333333334;
  check(evaluation, 1);
  v1::BridgeVerdict verdict;
  verdict.set_input("{\"op\":\"place\"}");
  verdict.set_input_sha256(ToString(DigestOf("{\"op\":\"place\"}")));
  check(verdict, 1);
  verdict.set_input_sha256(digest);
  CHECK(absl::IsInvalidArgument(MakeStatement(verdict).status()));
}

TEST_CASE("Record: every double comes back as it was, large ones too") {
  for (const double value :
       {0.1 + 0.2, 3.0, 1e15, 9007199254740994.0, 1e18, 1e20, 1.2345e19, 1e300, 5e-324, -1e17}) {
    CAPTURE(value);
    v1::Evaluation evaluation;
    *evaluation.mutable_common() = SomeKey().common();
    evaluation.set_model_sha256(ToString(DigestOf("x")));
    (*evaluation.mutable_metrics())["loss"] = value;
    const v1::SignedRecord record = SignText(*MakeStatement(evaluation));
    const auto opened = OpenRecord(record);
    INFO(opened.status());
    REQUIRE(opened.ok());
    CHECK(opened->As<v1::Evaluation>()->metrics().at("loss") == value);
    CHECK(verifier::VerifyRecord(record).ok());
  }
}

TEST_CASE("Record: a job whose spec has another digest is refused") {
  v1::JobSubmitted job;
  *job.mutable_common() = SomeKey().common();
  job.mutable_spec()->set_job("digits");
  job.set_spec_sha256(ToString(DigestOf("other")));
  CHECK(absl::IsInvalidArgument(MakeStatement(job).status()));
}

TEST_CASE("Record: an envelope comes back, and only in one form") {
  const v1::SignedRecord record = SignText(*MakeStatement(SomeKey()));
  const std::string json = EnvelopeJson(record);
  const auto key = KeyOfSeed(2).public_key();
  const v1::SignedRecord again = *ParseEnvelope(json, key);
  CHECK(again.SerializeAsString() == record.SerializeAsString());
  CHECK_FALSE(ParseEnvelope(json, KeyOfSeed(3).public_key()).ok());
  nlohmann::json two = nlohmann::json::parse(json);
  two["signatures"].push_back(two["signatures"][0]);
  CHECK_FALSE(ParseEnvelope(two.dump(), key).ok());
  nlohmann::json none = nlohmann::json::parse(json);
  none["signatures"].clear();
  CHECK_FALSE(ParseEnvelope(none.dump(), key).ok());
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"in-toto+json", "in-toto"},
                                                        {"\"sig\"", "\"signature\""},
                                                        {"{\"payload\"", "{\"x\":1,\"payload\""}}) {
    CHECK_FALSE(ParseEnvelope(absl::StrReplaceAll(json, {{from, to}}), key).ok());
  }
}

}  // namespace
}  // namespace carnet::ledger
