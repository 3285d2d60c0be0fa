#include "ledger/verifier/key_history.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/rng.h"
#include "crypto/authority.h"
#include "ledger/export.h"
#include "ledger/head.h"
#include "ledger/manifest.h"
#include "ledger/readers/directory_source.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::DigestOf;
using testing_ledger::KeyOfSeed;
using testing_ledger::kOrigin;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::KeyHistory;
using verifier::VerifiedRecord;

NoteKey LogKeyOf(std::uint8_t seed) {
  return {.name = kOrigin, .public_key = KeyOfSeed(seed).public_key()};
}

template <typename Message>
VerifiedRecord SignedBy(std::uint8_t seed, Message message) {
  message.mutable_common()->set_nonce(ToString(DigestOf("nonce")));
  message.mutable_common()->mutable_at()->set_seconds(1795000000);
  const auto record = verifier::VerifyRecord(SignRecord(*MakeStatement(message), KeyOfSeed(seed)));
  INFO(record.status().ToString());
  REQUIRE(record.ok());
  return *record;
}

// The log's key is of seed 1, the coordinator's of seed 2.
KeyHistory Founded() {
  v1::Genesis genesis;
  genesis.set_origin(kOrigin);
  genesis.set_log_vkey(LogKeyOf(1).Vkey());
  genesis.set_statement_public_key(ToString(KeyOfSeed(2).public_key()));
  const auto history = KeyHistory::Create(SignedBy(2, genesis));
  INFO(history.status().ToString());
  REQUIRE(history.ok());
  return *history;
}

// A handover as docs/formats.md says it, signed by both keys.
v1::KeyRotated Handover(const std::string& kind, std::uint8_t from, std::uint8_t to) {
  v1::KeyRotated rotated;
  rotated.set_kind(kind);
  rotated.set_key_id("k-aaaaaaaaaaaaaaaa");
  rotated.set_old_public_key(ToString(KeyOfSeed(from).public_key()));
  rotated.set_new_public_key(ToString(KeyOfSeed(to).public_key()));
  const std::string text = absl::StrCat("carnet/key-rotated/v1\n", kind, "\n", kOrigin, "\n",
                                        Base64Encode(KeyOfSeed(from).public_key()), "\n",
                                        Base64Encode(KeyOfSeed(to).public_key()), "\n");
  rotated.set_old_key_signature(ToString(KeyOfSeed(from).Sign(AsBytes(text))));
  rotated.set_new_key_signature(ToString(KeyOfSeed(to).Sign(AsBytes(text))));
  if (kind == "log") {
    rotated.set_log_vkey(LogKeyOf(to).Vkey());
  }
  return rotated;
}

std::string KeyText(std::uint8_t seed) {
  return ToString(KeyOfSeed(seed).public_key());
}

TEST_CASE("Key history: a rotated statement key signs what comes after its record") {
  KeyHistory keys = Founded();
  CHECK(ToString(keys.StatementKeyAt(0)) == KeyText(2));
  CHECK(ToString(keys.StatementKeyAt(1000)) == KeyText(2));
  REQUIRE(keys.Add(10, SignedBy(2, Handover("statement", 2, 7))).ok());
  REQUIRE(keys.Add(20, SignedBy(7, Handover("statement", 7, 8))).ok());
  CHECK(ToString(keys.StatementKeyAt(0)) == KeyText(2));
  CHECK(ToString(keys.StatementKeyAt(10)) == KeyText(2));
  CHECK(ToString(keys.StatementKeyAt(11)) == KeyText(7));
  CHECK(ToString(keys.StatementKeyAt(20)) == KeyText(7));
  CHECK(ToString(keys.StatementKeyAt(21)) == KeyText(8));
  CHECK(keys.rotations() == 2);
  CHECK(keys.last_index() == 20);
}

TEST_CASE("Key history: what is no handover from the key in force is refused and changes nothing") {
  KeyHistory keys = Founded();
  REQUIRE(keys.Add(10, SignedBy(2, Handover("statement", 2, 7))).ok());
  const auto refused = [&](std::uint64_t index, const VerifiedRecord& record) {
    return absl::IsUnauthenticated(keys.Add(index, record)) && keys.rotations() == 1;
  };
  CHECK(refused(10, SignedBy(7, Handover("statement", 7, 8))));  // not later
  CHECK(refused(11, SignedBy(2, Handover("statement", 7, 8))));  // by the key that went
  CHECK(refused(11, SignedBy(9, Handover("statement", 7, 8))));  // by nobody's key
  CHECK(refused(11, SignedBy(7, Handover("statement", 2, 8))));  // of a key that went
  v1::KeyRotated unwilling = Handover("statement", 7, 8);
  unwilling.set_new_key_signature(unwilling.old_key_signature());
  CHECK(refused(11, SignedBy(7, unwilling)));  // the new key did not sign
  CHECK(refused(11, SignedBy(7, Handover("wrapping", 7, 8))));
  v1::KeyDestroyed another;
  another.add_key_ids("statement");
  CHECK(refused(11, SignedBy(7, another)));
  CHECK(keys.Add(11, SignedBy(7, Handover("statement", 7, 8))).ok());
}

TEST_CASE("Key history: a log's heads count when the old key or its successor signed them") {
  KeyHistory keys = Founded();
  const Head head{.origin = kOrigin, .size = 3, .root = DigestOf("root")};
  const std::string by_old = SignHead(head, KeyOfSeed(1))->note;
  const std::string by_new = SignHead(head, KeyOfSeed(6))->note;
  CHECK(verifier::VerifyHead(by_old, keys.log()).ok());
  CHECK(absl::IsUnauthenticated(verifier::VerifyHead(by_new, keys.log()).status()));
  REQUIRE(keys.Add(5, SignedBy(2, Handover("log", 1, 6))).ok());
  CHECK(verifier::VerifyHead(by_old, keys.log()).ok());
  CHECK(verifier::VerifyHead(by_new, keys.log())->tree ==
        verifier::VerifyHead(by_old, keys.log())->tree);
  // Signed by both, in one note.
  const std::string both = by_old + by_new.substr(by_new.rfind("\n\n") + 2);
  CHECK(verifier::VerifyHead(both, keys.log()).ok());
  CHECK(absl::IsUnauthenticated(
      verifier::VerifyHead(by_old + by_old.substr(by_old.rfind("\n\n") + 2), keys.log()).status()));
  // A line of the log that does not verify spoils the note, whatever else is there.
  const std::string other =
      SignHead({.origin = kOrigin, .size = 4, .root = DigestOf("root")}, KeyOfSeed(6))->note;
  CHECK(absl::IsUnauthenticated(
      verifier::VerifyHead(by_old + other.substr(other.rfind("\n\n") + 2), keys.log()).status()));
}

TEST_CASE("Key history: whoever holds the old log key alone follows its own handover") {
  const verifier::VerifierKey old = *verifier::ParseVerifierKey(LogKeyOf(1).Vkey());
  const auto followed = verifier::FollowLogKey(old, SignedBy(2, Handover("log", 1, 6)));
  REQUIRE(followed.ok());
  REQUIRE(followed->successors.size() == 1);
  CHECK(AsText(followed->successors.front().public_key) == KeyText(6));
  CHECK_FALSE(verifier::FollowLogKey(old, SignedBy(2, Handover("log", 5, 6))).ok());
  CHECK_FALSE(verifier::FollowLogKey(old, SignedBy(2, Handover("statement", 1, 6))).ok());
  v1::KeyRotated unsigned_by_old = Handover("log", 1, 6);
  unsigned_by_old.set_old_key_signature(unsigned_by_old.new_key_signature());
  CHECK_FALSE(verifier::FollowLogKey(old, SignedBy(2, unsigned_by_old)).ok());
  v1::KeyRotated other_name = Handover("log", 1, 6);
  other_name.set_log_vkey(
      NoteKey{.name = "other.test/log", .public_key = KeyOfSeed(6).public_key()}.Vkey());
  CHECK_FALSE(verifier::FollowLogKey(old, SignedBy(2, other_name)).ok());
}

crypto::CertificateAuthority NewAuthority() {
  SystemRng rng;
  const absl::Time now = absl::FromUnixSeconds(1795000000);
  return crypto::CertificateAuthority::Create("test CA", {now, now + absl::Hours(9000)}, rng)
      .value();
}

KeyHistory FoundedWith(const crypto::CertificateAuthority& authority) {
  v1::Genesis genesis;
  genesis.set_origin(kOrigin);
  genesis.set_log_vkey(LogKeyOf(1).Vkey());
  genesis.set_statement_public_key(KeyText(2));
  genesis.set_ca_certificate_pem(authority.certificate_pem());
  genesis.set_ca_spki_sha256(ToString(authority.key().spki_sha256()));
  return KeyHistory::Create(SignedBy(2, genesis)).value();
}

v1::KeyRotated CaHandover(const crypto::CertificateAuthority& from,
                          const crypto::CertificateAuthority& to) {
  v1::KeyRotated rotated;
  rotated.set_kind("ca");
  rotated.set_key_id("k-aaaaaaaaaaaaaaaa");
  rotated.set_old_public_key(ToString(from.key().spki()));
  rotated.set_new_public_key(ToString(to.key().spki()));
  rotated.set_ca_certificate_pem(to.certificate_pem());
  rotated.mutable_overlap_until()->set_seconds(1795100000);
  return rotated;
}

TEST_CASE("Key history: both authorities count until the end of the overlap, then the new one") {
  const crypto::CertificateAuthority first = NewAuthority();
  const crypto::CertificateAuthority second = NewAuthority();
  KeyHistory keys = FoundedWith(first);
  const absl::Time end = absl::FromUnixSeconds(1795100000);
  CHECK(keys.AuthoritiesPem(end) == first.certificate_pem());
  const absl::Status added = keys.Add(10, SignedBy(2, CaHandover(first, second)));
  INFO(added);
  REQUIRE(added.ok());
  CHECK(keys.AuthoritiesPem(end - absl::Seconds(1)) ==
        first.certificate_pem() + second.certificate_pem());
  CHECK(keys.AuthoritiesPem(end) == second.certificate_pem());
  CHECK(keys.authorities().back().spki_sha256 == second.key().spki_sha256());
  CHECK(keys.rotations() == 1);
  // The key of statements is another matter.
  CHECK(ToString(keys.StatementKeyAt(11)) == KeyText(2));
}

TEST_CASE("Key history: an authority that none before gave way to is refused") {
  const crypto::CertificateAuthority first = NewAuthority();
  const crypto::CertificateAuthority second = NewAuthority();
  const crypto::CertificateAuthority third = NewAuthority();
  KeyHistory keys = FoundedWith(first);
  const auto refused = [&](const VerifiedRecord& record) {
    return absl::IsUnauthenticated(keys.Add(10, record)) && keys.authorities().size() == 1 &&
           keys.authorities().front().until == absl::InfiniteFuture();
  };
  CHECK(refused(SignedBy(9, CaHandover(first, second))));  // by nobody's key
  CHECK(refused(SignedBy(2, CaHandover(second, third))));  // from another one
  CHECK(refused(SignedBy(2, CaHandover(first, first))));   // to itself
  v1::KeyRotated change = CaHandover(first, second);
  change.set_ca_certificate_pem(third.certificate_pem());
  CHECK(refused(SignedBy(2, change)));  // another key's certificate
  change = CaHandover(first, second);
  change.clear_overlap_until();
  CHECK(refused(SignedBy(2, change)));
  // Certified by the old one, which shows nothing about the new key.
  SystemRng rng;
  const absl::Time now = absl::FromUnixSeconds(1795000000);
  change = CaHandover(first, second);
  change.set_ca_certificate_pem(
      *crypto::CrossCertify(first, second, {now, now + absl::Hours(1)}, rng));
  CHECK(refused(SignedBy(2, change)));
  CHECK(keys.Add(10, SignedBy(2, CaHandover(first, second))).ok());
}

TEST_CASE("Key history: a genesis with the certificate of another authority is refused") {
  const crypto::CertificateAuthority authority = NewAuthority();
  v1::Genesis genesis;
  genesis.set_origin(kOrigin);
  genesis.set_log_vkey(LogKeyOf(1).Vkey());
  genesis.set_statement_public_key(KeyText(2));
  genesis.set_ca_certificate_pem(NewAuthority().certificate_pem());
  genesis.set_ca_spki_sha256(ToString(authority.key().spki_sha256()));
  CHECK(absl::IsUnauthenticated(KeyHistory::Create(SignedBy(2, genesis)).status()));
}

verifier::LogVerdict VerifyExported(SmallFederation& federation) {
  const TempDir out;
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  DirectorySource source(out.path());
  return verifier::VerifyWholeLog(source, federation.Policy(), {});
}

TEST_CASE("Key history: a log and its manifests verify across a rotation") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const Bytes before = *MakeManifest(federation.log(), federation.Order());
  const Digest model_before = federation.model();
  federation.RotateStatementKey(7);
  federation.Round();
  const verifier::LogVerdict verdict = VerifyExported(federation);
  INFO((verdict.failure ? verdict.failure->status.ToString() : "good"));
  CHECK_FALSE(verdict.failure);
  const Bytes after = *MakeManifest(federation.log(), federation.Order());
  CHECK(verifier::VerifyManifest(model_before, before, federation.Policy()).verdict ==
        verifier::Verdict::kGood);
  const verifier::ManifestReport report =
      verifier::VerifyManifest(federation.model(), after, federation.Policy());
  INFO(report.checks.back().name << ": " << report.checks.back().actual);
  CHECK(report.verdict == verifier::Verdict::kGood);
}

TEST_CASE("Key history: a record by another key than the one in force is refused, with its index") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::uint64_t rotated = federation.RotateStatementKey(7);
  // Not the key in force: in a real log the old one, here any other.
  federation.SetTamper([](google::protobuf::Message&, SmallFederation::Signer& signer) {
    signer = SmallFederation::Signer::kUser;
  });
  federation.Round();
  const verifier::LogVerdict verdict = VerifyExported(federation);
  REQUIRE(verdict.failure);
  CHECK(verdict.failure->index == rotated + 1);
  CHECK(verifier::VerifyManifest(federation.model(),
                                 *MakeManifest(federation.log(), federation.Order()),
                                 federation.Policy())
            .verdict == verifier::Verdict::kBadEvidence);
}

}  // namespace
}  // namespace carnet::ledger
