#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/bytes.h"
#include "crypto/hash.h"
#include "ledger/bundle.h"
#include "ledger/verifier/head_tracker.h"
#include "ledger/verifier/trust_policy.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::ForkReason;
using verifier::HeadTracker;

verifier::VerifierKey KeyOf(const LogView& log) {
  return *verifier::ParseVerifierKey(log.key().Vkey());
}

// Two logs of one key that share their first records, and differ after.
struct TwoHistories {
  TempDir a_dir;
  TempDir b_dir;
  SmallFederation a{a_dir.path()};
  SmallFederation b{b_dir.path()};
  TwoHistories() {
    a.Found();
    b.Found();
    static_cast<void>(b.Filler());  // moves the nonces on
    a.Round();
    b.Round();
  }
};

TEST_CASE("Monitor: takes a head that extends the last, and what it says it saw is that head") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  HeadTracker tracker = HeadTracker::CreateEmpty(KeyOf(federation.log()));
  CHECK(tracker.Seen().size() == 0);
  REQUIRE(tracker.Advance(federation.log().Head().note, {}).ok());  // size 0
  federation.Found();
  REQUIRE(
      tracker.Advance(federation.log().Head().note, {}).ok());  // from nothing everything follows
  REQUIRE(tracker.Advance(federation.log().Head().note, {}).ok());  // the same again
  federation.Round();
  const std::string note = federation.log().Head().note;
  CHECK(absl::IsNotFound(tracker.Advance(note, {}).status()));  // asks for a proof
  CHECK(absl::IsUnauthenticated(
      tracker.Advance(note, *federation.log().ConsistencyProof(4, 10)).status()));
  REQUIRE(tracker.Advance(note, *federation.log().ConsistencyProof(5, 10)).ok());
  CHECK(tracker.Seen().size() == 10);
  CHECK(federation.log().CheckSeen(tracker.Seen()).ok());
  CHECK(HeadTracker::Create(KeyOf(federation.log()), tracker.head()->note)->head()->tree ==
        tracker.head()->tree);
  CHECK_FALSE(tracker.fork());
}

TEST_CASE("Monitor: a head of another key shows nothing against the log") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  HeadTracker tracker = *HeadTracker::Create(KeyOf(federation.log()), federation.log().Head().note);
  const SignedHead forged =
      *SignHead({.origin = testing_ledger::kOrigin, .size = 1, .root = {}}, KeyOfSeed(9));
  CHECK(absl::IsUnauthenticated(tracker.Advance(forged.note, {}).status()));
  CHECK_FALSE(tracker.fork());
  CHECK(
      absl::IsUnauthenticated(HeadTracker::Create(KeyOf(federation.log()), forged.note).status()));
}

TEST_CASE(
    "Monitor: a smaller head, another root at one size, and a proof that fails are misbehaviour "
    "with evidence") {
  TwoHistories logs;
  const auto key = KeyOf(logs.a.log());
  HeadTracker tracker = *HeadTracker::Create(key, logs.a.log().Head().note);
  std::string note;
  v1::ConsistencyProof proof;
  ForkReason reason = ForkReason::kSmaller;
  SECTION("smaller") {
    const TempDir dir;
    SmallFederation young(dir.path());
    young.Found();
    note = young.log().Head().note;
    CHECK(note != logs.a.log().Head().note);
  }
  SECTION("another root") {
    note = logs.b.log().Head().note;
    reason = ForkReason::kOtherRoot;
    CHECK(note != logs.a.log().Head().note);
  }
  SECTION("a proof that fails") {
    logs.b.Round();
    note = logs.b.log().Head().note;
    proof = *logs.b.log().ConsistencyProof(10, 15);
    reason = ForkReason::kBadProof;
    CHECK(note != logs.a.log().Head().note);
  }
  const absl::Status status = tracker.Advance(note, proof).status();
  CHECK(absl::IsDataLoss(status));
  REQUIRE(tracker.fork());
  CHECK(tracker.fork()->reason == reason);
  CHECK(tracker.fork()->file_name == absl::StrCat("fork-",
                                                  note.find("\n5\n") != std::string::npos    ? 5
                                                  : note.find("\n10\n") != std::string::npos ? 10
                                                                                             : 15,
                                                  ".tlog-fork"));
  // It stays caught, whatever comes next.
  CHECK(absl::IsDataLoss(tracker.Advance(logs.a.log().Head().note, {}).status()));
  // A third party checks the file.
  const std::string evidence = tracker.fork()->evidence;
  CHECK(*verifier::VerifyForkEvidence(evidence, key) == reason);
  const NoteKey other{.name = testing_ledger::kOrigin, .public_key = KeyOfSeed(9).public_key()};
  CHECK_FALSE(
      verifier::VerifyForkEvidence(evidence, *verifier::ParseVerifierKey(other.Vkey())).ok());
  for (std::size_t i = 0; i < evidence.size(); i += 11) {
    std::string changed = evidence;
    changed[i] = static_cast<char>(changed[i] ^ 2);
    CAPTURE(i);
    const auto verified = verifier::VerifyForkEvidence(changed, key);
    // A failing proof with another wrong byte is still a failing proof; nothing else may change.
    CHECK((!verified.ok() || reason == ForkReason::kBadProof));
  }
}

TEST_CASE("Monitor: two heads that agree are no evidence") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string note = federation.log().Head().note;
  const std::string same = absl::StrCat("carnet-fork/v1\nreason other-root\nold ", note.size(),
                                        "\n", note, "new ", note.size(), "\n", note, "proof 0\n");
  CHECK(absl::IsUnauthenticated(
      verifier::VerifyForkEvidence(same, KeyOf(federation.log())).status()));
}

// ---- trust.policy
// ----------------------------------------------------------------------------------------------------

// Two witnesses' vkeys of type 4, from known seeds.
std::string WitnessVkey(const std::string& name, std::uint8_t seed) {
  Bytes key = {0x04};
  const auto public_key = KeyOfSeed(seed).public_key();
  key.insert(key.end(), public_key.begin(), public_key.end());
  Bytes id = ToBytes(name + "\n");
  id.insert(id.end(), key.begin(), key.end());
  return absl::StrCat(name, "+", HexEncode(ByteView(crypto::Sha256(id)).first(4)), "+",
                      Base64Encode(key));
}

std::string Cosign(const SignedHead& head, const std::string& name, std::uint8_t seed,
                   std::uint64_t seconds) {
  const std::string vkey = WitnessVkey(name, seed);
  Bytes blob = *HexDecode(vkey.substr(name.size() + 1, 8));
  for (int shift = 56; shift >= 0; shift -= 8) {
    blob.push_back(static_cast<std::uint8_t>((seconds >> shift) & 0xff));
  }
  const auto signature = KeyOfSeed(seed).Sign(
      AsBytes(absl::StrCat("cosignature/v1\ntime ", seconds, "\n", HeadText(head.head))));
  blob.insert(blob.end(), signature.begin(), signature.end());
  return absl::StrCat("\xe2\x80\x94 ", name, " ", Base64Encode(blob), "\n");
}

TEST_CASE("Trust policy: quorums of groups are met, missed or broken") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string text = absl::StrCat(
      "# genesis ", std::string(64, 'a'), "\nlog ", federation.log().key().Vkey(),
      " https://x.test/\n\nwitness w1 ", WitnessVkey("w1.test/w", 11), "\nwitness\tw2 ",
      WitnessVkey("w2.test/w", 12), " https://w2.test\nwitness w3 ", WitnessVkey("w3.test/w", 13),
      "\ngroup pair 2 w1 w2\ngroup any any pair w3\nquorum any\n");
  const auto policy = verifier::ParseTrustPolicy(text);
  INFO(policy.status());
  REQUIRE(policy.ok());
  CHECK(policy->groups.size() == 2);
  const SignedHead head = federation.log().Head();
  const std::string one = Cosign(head, "w1.test/w", 11, 1'790'000'000);
  const std::string two = Cosign(head, "w2.test/w", 12, 1'790'000'001);
  const std::string three = Cosign(head, "w3.test/w", 13, 1'790'000'002);
  const auto verify = [&](const std::string& lines) {
    return verifier::VerifyTrustedHead(head.note + lines, *policy);
  };
  CHECK(absl::IsNotFound(verify("").status()));
  CHECK(absl::IsNotFound(verify(one).status()));
  CHECK(verify(one + two)->cosigned.size() == 2);
  REQUIRE(verify(three).ok());
  CHECK_FALSE(verify(three)->operator_only);
  CHECK(absl::ToUnixSeconds(verify(three)->cosigned[0].second) == 1'790'000'002);
  // The name of a witness with another key is an unknown line.
  CHECK(verify(three + Cosign(head, "w1.test/w", 12, 5)).ok());
  // A known witness whose line does not verify spoils the head, quorum or not.
  std::string broken = one;
  broken[broken.size() - 10] = broken[broken.size() - 10] == 'A' ? 'B' : 'A';
  CHECK(absl::IsUnauthenticated(verify(three + broken).status()));
}

TEST_CASE("Trust policy: each malformed line is refused with its number") {
  const std::string log = absl::StrCat(
      "log ", NoteKey{.name = "a.test/log", .public_key = KeyOfSeed(1).public_key()}.Vkey());
  const std::string genesis = absl::StrCat("# genesis ", std::string(64, 'a'));
  const std::string w1 = absl::StrCat("witness w1 ", WitnessVkey("w1.test/w", 11));
  const std::string w2 = absl::StrCat("witness w2 ", WitnessVkey("w2.test/w", 12));
  const auto parse = [](const std::vector<std::string>& lines) {
    return verifier::ParseTrustPolicy(absl::StrCat(absl::StrJoin(lines, "\n"), "\n"));
  };
  CHECK(parse({genesis, log, "quorum none"}).ok());
  CHECK(parse({genesis, log, w1, "quorum w1"}).ok());
  CHECK(parse({genesis, log, w1, w2, "group g all w1 w2", "quorum g"}).ok());
  const std::vector<std::vector<std::string>> bad = {
      {},
      {log, "quorum none"},
      {genesis, "quorum none"},
      {genesis, log},
      {genesis, genesis, log, "quorum none"},
      {"# genesis 00", log, "quorum none"},
      {genesis, log, log, "quorum none"},
      {genesis, log, "quorum none", "quorum none"},
      {genesis, log, "quorum w1", w1},
      {genesis, log, w1, w1, "quorum w1"},
      {genesis, log, w1, absl::StrCat("witness again ", WitnessVkey("w9.test/w", 11)), "quorum w1"},
      {genesis, log, absl::StrCat("witness none ", WitnessVkey("w1.test/w", 11)), "quorum none"},
      {genesis, log, absl::StrReplaceAll(log, {{"log ", "witness w1 "}}), "quorum none"},
      {genesis, absl::StrReplaceAll(w1, {{"witness w1", "log"}}), "quorum none"},
      {genesis, log, w1, "group g 2 w1", "quorum g"},
      {genesis, log, w1, "group g 0 w1", "quorum g"},
      {genesis, log, w1, "group g 01 w1", "quorum g"},
      {genesis, log, w1, "group g some w1", "quorum g"},
      {genesis, log, w1, "group g all", "quorum g"},
      {genesis, log, w1, "group g all w1 w1", "quorum g"},
      {genesis, log, w1, "group g all w1", "group h all w1", "quorum g"},
      {genesis, log, w1, "group g all g", "quorum g"},
      {genesis, log, "unknown", "quorum none"},
      {genesis, log, "quorum"},
  };
  for (const std::vector<std::string>& lines : bad) {
    const auto policy = parse(lines);
    CAPTURE(lines);
    CHECK(absl::IsInvalidArgument(policy.status()));
  }
  CHECK(parse({genesis, log, "unknown", "quorum none"}).status().message().find("line 3") !=
        absl::string_view::npos);
  CHECK_FALSE(
      verifier::ParseTrustPolicy(std::string(verifier::kTrustPolicyBytesMax + 1, '\n')).ok());
}

TEST_CASE("Bundle: the tlog-proof of entry 4 of the mini log is the known one") {
  // The mini log of tessera's testdata; the hashes of index 4 under size 15.
  v1::InclusionProof proof;
  proof.set_index(4);
  proof.set_tree_size(15);
  for (const char* hash : {"yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=",
                           "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg="}) {
    proof.add_hashes(ToString(*Base64Decode(hash)));
  }
  const std::string text = *TlogProof(proof, {.head = {}, .note = "note\n"});
  CHECK(text ==
        "c2sp.org/tlog-proof@v1\nindex 4\nyiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=\n"
        "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=\n\nnote\n");
  proof.add_hashes("short");
  CHECK(absl::IsInvalidArgument(TlogProof(proof, {}).status()));
}

}  // namespace
}  // namespace carnet::ledger
