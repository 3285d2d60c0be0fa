// A log whose key gives way to another: who signs which head, and who can still read them all.
#include "ledger/log_keys.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "ledger/errors.h"
#include "ledger/export.h"
#include "ledger/later_head.h"
#include "ledger/log.h"
#include "ledger/manifest.h"
#include "ledger/merkle.h"
#include "ledger/readers/directory_source.h"
#include "ledger/record.h"
#include "ledger/sqlite.h"
#include "ledger/trust.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::kOrigin;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

constexpr char kNewKeyId[] = "k-aaaaaaaaaaaaaaaa";

NoteKey LogKeyOf(std::uint8_t seed) {
  return {.name = kOrigin, .public_key = KeyOfSeed(seed).public_key()};
}

// The handover of docs/formats.md from one seed's key to another's.
v1::KeyRotated Handover(std::uint8_t from, std::uint8_t to, const std::string& key_id = kNewKeyId) {
  v1::KeyRotated rotated;
  rotated.set_kind("log");
  rotated.set_key_id(key_id);
  rotated.set_old_public_key(ToString(KeyOfSeed(from).public_key()));
  rotated.set_new_public_key(ToString(KeyOfSeed(to).public_key()));
  rotated.set_log_vkey(LogKeyOf(to).Vkey());
  const std::string text = absl::StrCat("carnet/key-rotated/v1\nlog\n", kOrigin, "\n",
                                        Base64Encode(KeyOfSeed(from).public_key()), "\n",
                                        Base64Encode(KeyOfSeed(to).public_key()), "\n");
  rotated.set_old_key_signature(ToString(KeyOfSeed(from).Sign(AsBytes(text))));
  rotated.set_new_key_signature(ToString(KeyOfSeed(to).Sign(AsBytes(text))));
  return rotated;
}

std::uint64_t Rotate(SmallFederation& federation, std::uint8_t from, std::uint8_t to,
                     const std::string& key_id = kNewKeyId) {
  federation.log().OfferKey(KeyOfSeed(to));
  v1::KeyRotated rotated = Handover(from, to, key_id);
  return federation.Append(rotated, SmallFederation::Signer::kCoordinator);
}

std::uint64_t Retire(SmallFederation& federation, const std::string& key_id) {
  v1::KeyDestructionOrdered order;
  order.add_key_ids(key_id);
  order.set_reason("rotated");
  return federation.Append(order, SmallFederation::Signer::kCoordinator);
}

bool Signed(const std::string& note, std::uint8_t seed) {
  return OpenNote(note, LogKeyOf(seed)).ok();
}

// A pair cannot be copied; these are the same ones again.
std::vector<crypto::Ed25519KeyPair> Pairs(const std::vector<std::uint8_t>& of) {
  std::vector<crypto::Ed25519KeyPair> pairs;
  for (const std::uint8_t seed : of) {
    pairs.push_back(KeyOfSeed(seed));
  }
  return pairs;
}

absl::StatusOr<std::unique_ptr<Log>> Reopen(const std::filesystem::path& state,
                                            const std::vector<std::uint8_t>& of) {
  return Log::Open(
      {.state_dir = state, .head_file = {}, .origin = kOrigin, .founding_vkey = LogKeyOf(1).Vkey()},
      Pairs(of));
}

verifier::TrustPolicy PolicyOf(const SmallFederation& federation,
                               const std::vector<std::uint8_t>& of) {
  std::vector<NoteKey> keys;
  for (const std::uint8_t seed : of) {
    keys.push_back(LogKeyOf(seed));
  }
  return *verifier::ParseTrustPolicy(TrustPolicyText(keys, federation.Policy().genesis));
}

TEST_CASE("Log key: both keys sign from the rotation on, and the old one not past its retirement") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string before = federation.log().Head().note;
  CHECK(Signed(before, 1));
  const std::uint64_t rotated = Rotate(federation, 1, 6);
  const std::string during = federation.log().Head().note;
  CHECK(Signed(during, 1));
  CHECK(Signed(during, 6));
  CHECK(federation.log().keys().newest().Vkey() == LogKeyOf(6).Vkey());
  const std::uint64_t retired = Retire(federation, "log");
  const std::string after = federation.log().Head().note;
  CHECK_FALSE(Signed(after, 1));
  CHECK(Signed(after, 6));
  const LogKeys keys = federation.log().keys();
  REQUIRE(keys.all().size() == 2);
  CHECK(keys.all()[0].until == retired);
  CHECK(keys.all()[1].from == rotated);
  CHECK(keys.all()[1].key_id == kNewKeyId);
  // Heads of every time are this log's own.
  for (const std::string& note : {before, during, after}) {
    CHECK(federation.log().CheckOwnHead(note).ok());
    CHECK(ParseHead(note, keys).ok());
  }
  CHECK(SignerOf(before, keys)->Vkey() == LogKeyOf(1).Vkey());
  CHECK(SignerOf(during, keys)->Vkey() == LogKeyOf(6).Vkey());
}

TEST_CASE("Log key: a restart signs with the keys that the records say, and asks for them") {
  const TempDir dir;
  {
    SmallFederation federation(dir.path());
    federation.Found();
    Rotate(federation, 1, 6);
    federation.Close();
  }
  CHECK(absl::IsFailedPrecondition(Reopen(dir.path(), {1}).status()));
  CHECK(absl::IsFailedPrecondition(Reopen(dir.path(), {6}).status()));
  auto log = Reopen(dir.path(), {1, 6});
  REQUIRE(log.ok());
  const std::uint64_t size = (*log)->Size();
  // A reader beside it sees the same keys.
  CHECK((*LogView::OpenReadOnly(dir.path()))->keys().Signing().size() == 2);
  log->reset();
  // The head over the newest records was lost: signed again with both.
  REQUIRE((*SqliteConnection::Open(dir.path() / kStoreFileName, true))
              ->Execute("DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)")
              .ok());
  REQUIRE(std::filesystem::remove(dir.path() / kHeadFileName));
  REQUIRE(
      WriteFileAtomic(
          dir.path() / kHeadFileName,
          AsBytes(
              SignHead({.origin = kOrigin, .size = 0, .root = EmptyRoot()}, KeyOfSeed(1))->note))
          .ok());
  log = Reopen(dir.path(), {6, 1});
  REQUIRE(log.ok());
  CHECK((*log)->Size() == size);
  CHECK(Signed((*log)->Head().note, 1));
  CHECK(Signed((*log)->Head().note, 6));
}

TEST_CASE("Log key: after its retirement a log opens without its old key") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  Rotate(federation, 1, 6);
  Retire(federation, "log");
  federation.Close();
  const auto log = Reopen(dir.path(), {6});
  INFO(log.status().ToString());
  REQUIRE(log.ok());
  CHECK((*log)->keys().Signing().size() == 1);
  REQUIRE((*log)->Append({federation.Filler()}).ok());
  CHECK_FALSE(Signed((*log)->Head().note, 1));
  CHECK(Signed((*log)->Head().note, 6));
}

TEST_CASE("Log key: what is no handover from the key in force is refused, and the log goes on") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const auto code = [&](v1::KeyRotated rotated) {
    return federation.log()
        .Append({federation.Sign(rotated, SmallFederation::Signer::kCoordinator)})
        .status()
        .code();
  };
  // Nobody holds the new key.
  CHECK(code(Handover(1, 6)) == absl::StatusCode::kFailedPrecondition);
  federation.log().OfferKey(KeyOfSeed(6));
  CHECK(code(Handover(5, 6)) == absl::StatusCode::kInvalidArgument);
  CHECK(code(Handover(1, 1)) == absl::StatusCode::kInvalidArgument);
  v1::KeyRotated other = Handover(1, 6);
  other.set_log_vkey(
      NoteKey{.name = "other.test/log", .public_key = KeyOfSeed(6).public_key()}.Vkey());
  CHECK(code(other) == absl::StatusCode::kInvalidArgument);
  CHECK(federation.log().keys().all().size() == 1);
  REQUIRE(code(Handover(1, 6)) == absl::StatusCode::kOk);
  // Two keys sign: a third one waits.
  federation.log().OfferKey(KeyOfSeed(7));
  CHECK(code(Handover(6, 7)) == absl::StatusCode::kInvalidArgument);
  Retire(federation, "log");
  // The destroyed key never comes back.
  federation.log().OfferKey(KeyOfSeed(1));
  v1::KeyRotated back = Handover(6, 1, "k-bbbbbbbbbbbbbbbb");
  CHECK(code(back) == absl::StatusCode::kInvalidArgument);
  v1::KeyRotated third = Handover(6, 7, "k-bbbbbbbbbbbbbbbb");
  CHECK(code(third) == absl::StatusCode::kOk);
  CHECK(federation.log().keys().Signing().size() == 2);
}

TEST_CASE("Log key: an offer that came to nothing is withdrawn, a key that signs is not") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.log().OfferKey(KeyOfSeed(6));
  federation.log().WithdrawKey(KeyOfSeed(6).public_key());
  v1::KeyRotated rotated = Handover(1, 6);
  CHECK(absl::IsFailedPrecondition(
      federation.log()
          .Append({federation.Sign(rotated, SmallFederation::Signer::kCoordinator)})
          .status()));
  federation.log().WithdrawKey(KeyOfSeed(1).public_key());
  CHECK(federation.log().Append({federation.Filler()}).ok());
}

TEST_CASE("Log key: a log verifies under the old policy, the new one, and the new key alone") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string before = federation.log().Head().note;
  Rotate(federation, 1, 6);
  const std::string during = federation.log().Head().note;
  Retire(federation, "log");
  const TempDir out;
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  for (const std::vector<std::uint8_t>& keys :
       {std::vector<std::uint8_t>{1}, std::vector<std::uint8_t>{1, 6}}) {
    DirectorySource source(out.path());
    const auto verdict =
        verifier::VerifyWholeLog(source, PolicyOf(federation, keys), {before, during});
    INFO((verdict.failure ? verdict.failure->status.ToString() : "good"));
    CHECK_FALSE(verdict.failure);
    CHECK(verdict.report.old_heads_checked == 2);
  }
  DirectorySource source(out.path());
  CHECK_FALSE(verifier::VerifyWholeLog(source, PolicyOf(federation, {6}), {during}).failure);
  // A key that never was the log's.
  CHECK(verifier::VerifyWholeLog(source, PolicyOf(federation, {9}), {}).failure);
  // Without statements nothing hands over: the old policy alone cannot believe the head.
  const TempDir bare;
  REQUIRE(ExportTiles(federation.log(), bare.path()).ok());
  DirectorySource tiles(bare.path());
  CHECK(verifier::VerifyWholeLog(tiles, PolicyOf(federation, {1}), {}).failure);
  CHECK_FALSE(verifier::VerifyWholeLog(tiles, PolicyOf(federation, {1, 6}), {before}).failure);
}

// What stands in a bundle at the last place, with nothing readable before it.
Bytes BundleOfLast(std::uint64_t records, std::size_t length_bytes, const std::string& last) {
  Bytes bundle;
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string part = i + 1 == records ? last : "-";
    for (std::size_t byte = length_bytes; byte-- > 0;) {
      bundle.push_back(static_cast<std::uint8_t>(part.size() >> (8 * byte)));
    }
    bundle.insert(bundle.end(), part.begin(), part.end());
  }
  return bundle;
}

// Shows a handover that is in no log to whoever reads the first time, and the log afterwards.
class TwoFaced final : public verifier::LogSource {
 public:
  TwoFaced(verifier::LogSource& log, std::string note, Bytes statements, Bytes entries)
      : log_(log),
        note_(std::move(note)),
        once_{{"statements/", std::move(statements)}, {"tile/entries/", std::move(entries)}} {}

  absl::StatusOr<Bytes> Read(absl::string_view path) override {
    if (path == "checkpoint") {
      return ToBytes(note_);
    }
    for (auto& [prefix, bundle] : once_) {
      if (absl::StartsWith(path, prefix) && !bundle.empty()) {
        return std::exchange(bundle, {});
      }
    }
    return log_.Read(path);
  }

 private:
  verifier::LogSource& log_;
  const std::string note_;
  std::vector<std::pair<std::string, Bytes>> once_;
};

TEST_CASE("Log key: a handover that a log shows once and does not hold is no handover") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const TempDir out;
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  // Signed by the old key and the new one, and appended by nobody.
  v1::KeyRotated rotated = Handover(1, 6);
  const v1::SignedRecord handover = federation.Sign(rotated, SmallFederation::Signer::kCoordinator);
  const Head head = federation.log().Head().head;
  const std::string by_new = *SignNote(HeadText(head), kOrigin, KeyOfSeed(6));
  DirectorySource source(out.path());
  TwoFaced two_faced(source, by_new, BundleOfLast(head.size, 4, handover.statement()),
                     BundleOfLast(head.size, 2, *LeafEntry(handover)));
  const auto verdict = verifier::VerifyWholeLog(two_faced, PolicyOf(federation, {1}), {});
  REQUIRE(verdict.failure);
  INFO(verdict.failure->status.ToString());
  CHECK(absl::IsUnauthenticated(verdict.failure->status));
  CHECK_THAT(std::string(verdict.failure->status.message()), Catch::Contains("no record"));
}

TEST_CASE("Log key: a policy with witnesses is handed out with the keys that came since") {
  const auto policy_of = [](const std::vector<std::uint8_t>& named) {
    std::string text = absl::StrCat("# Whom we trust\n# genesis ", std::string(64, '0'), "\n");
    for (const std::uint8_t seed : named) {
      absl::StrAppend(&text, "log ", LogKeyOf(seed).Vkey(), "\n");
    }
    return absl::StrCat(text, "\nwitness w example.com/w+", "\nquorum none\n");
  };
  const auto at = [](const std::string& text) { return text.find("witness"); };
  const std::vector<NoteKey> keys = {LogKeyOf(1), LogKeyOf(6), LogKeyOf(7)};
  const std::string later =
      absl::StrCat("log ", LogKeyOf(6).Vkey(), "\nlog ", LogKeyOf(7).Vkey(), "\n");
  std::string expected = policy_of({1});
  expected.insert(at(expected), later);
  CHECK(*WithLaterKeys(policy_of({1}), keys) == expected);
  CHECK(*WithLaterKeys(policy_of({1, 6, 7}), keys) == policy_of({1, 6, 7}));
  // A key before the newest one that is named was left out by somebody who meant it.
  CHECK(*WithLaterKeys(policy_of({7}), keys) == policy_of({7}));
  CHECK(absl::IsInvalidArgument(WithLaterKeys(policy_of({9}), keys).status()));

  const std::string plain = absl::StrCat("# genesis ", std::string(64, '0'), "\nlog ",
                                         LogKeyOf(1).Vkey(), "\nquorum none\n");
  const auto policy = verifier::ParseTrustPolicy(*WithLaterKeys(plain, keys));
  REQUIRE(policy.ok());
  const Head head{.origin = kOrigin, .size = 1, .root = LeafHash(AsBytes("one"))};
  const std::string by_newest = *SignNote(HeadText(head), kOrigin, KeyOfSeed(7));
  CHECK(verifier::VerifyTrustedHead(by_newest, *policy).ok());
  CHECK_FALSE(verifier::VerifyTrustedHead(by_newest, *verifier::ParseTrustPolicy(plain)).ok());
}

// The log's state as it was before its key gave way, and the newest head by the new key alone.
TEST_CASE(
    "Log key: a state from before a rotation is known by heads that only the new key signed") {
  const TempDir dir;
  const TempDir old;
  const auto federation = std::make_unique<SmallFederation>(dir.path());
  federation->Found();
  federation->Close();
  std::filesystem::copy(
      dir.path(), old.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  v1::SignedRecord handover;
  std::string newest;
  {
    const auto log = *Reopen(dir.path(), {1, 6});
    v1::KeyRotated rotated = Handover(1, 6);
    handover = federation->Sign(rotated, SmallFederation::Signer::kCoordinator);
    REQUIRE(log->Append({handover}).ok());
    v1::KeyDestructionOrdered order;
    order.add_key_ids("log");
    order.set_reason("rotated");
    REQUIRE(log->Append({federation->Sign(order, SmallFederation::Signer::kCoordinator)}).ok());
    newest = log->Head().note;
    CHECK_FALSE(Signed(newest, 1));
  }
  SECTION("that the head file holds") {
    REQUIRE(WriteFileAtomic(old.path() / kHeadFileName, AsBytes(newest)).ok());
    CHECK(IsLogMisbehaviour(Reopen(old.path(), {1}).status()));
  }
  SECTION("that a worker shows with the handover, and only with it") {
    const auto log = *Reopen(old.path(), {1});
    CHECK(absl::IsUnauthenticated(CheckShownHead(*log, newest, {})));
    v1::KeyRotated forged = Handover(1, 6);
    forged.set_old_key_signature(forged.new_key_signature());
    CHECK(absl::IsUnauthenticated(CheckShownHead(
        *log, newest, {federation->Sign(forged, SmallFederation::Signer::kCoordinator)})));
    const Head head = log->Head().head;
    CHECK(CheckShownHead(*log, log->Head().note, {handover}).ok());
    CHECK_FALSE(log->closed());
    CHECK(IsLogMisbehaviour(CheckShownHead(*log, newest, {handover})));
    CHECK(log->closed());
    CHECK(ParseLaterHead(newest, log->keys(), {handover})->size == head.size + 2);
  }
}

TEST_CASE("Log key: manifests from before, between and after verify with old and new policies") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  std::vector<std::pair<Digest, Bytes>> manifests;
  const auto keep = [&] {
    federation.Round();
    manifests.emplace_back(federation.model(), *MakeManifest(federation.log(), federation.Order()));
  };
  keep();
  Rotate(federation, 1, 6);
  keep();
  Retire(federation, "log");
  keep();
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    for (const std::vector<std::uint8_t>& keys :
         {std::vector<std::uint8_t>{1}, std::vector<std::uint8_t>{1, 6}}) {
      CAPTURE(i, keys.size());
      const auto report = verifier::VerifyManifest(manifests[i].first, manifests[i].second,
                                                   PolicyOf(federation, keys));
      INFO(report.checks.back().name << ": " << report.checks.back().actual);
      CHECK(report.verdict == verifier::Verdict::kGood);
    }
    // Who dropped the old key, as after a theft, takes what the new one signed.
    const auto report = verifier::VerifyManifest(manifests[i].first, manifests[i].second,
                                                 PolicyOf(federation, {6}));
    CHECK((report.verdict == verifier::Verdict::kGood) == (i > 0));
  }
}

TEST_CASE("Log key: an export grows across a rotation, and trust names every key and its time") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.Found();
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  Rotate(federation, 1, 6);
  Retire(federation, "log");
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  const TempDir trust;
  REQUIRE(ExportTrust(federation.log(), trust.path()).ok());
  const std::string policy = ToString(*ReadFile(trust.path() / "trust.policy", 1 << 16));
  CHECK(policy.find(absl::StrCat("log ", LogKeyOf(1).Vkey(), "\nlog ", LogKeyOf(6).Vkey())) !=
        std::string::npos);
  const std::string root = ToString(*ReadFile(trust.path() / "trusted-root.json", 1 << 16));
  CHECK(root.find(Base64Encode(LogKeyOf(6).FullId())) != std::string::npos);
  CHECK(root.find("\"end\"") != std::string::npos);
  CHECK(root.find("\"end\"") == root.rfind("\"end\""));
}

}  // namespace
}  // namespace carnet::ledger
