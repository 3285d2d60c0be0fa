#include "ledger/witness.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "ledger/verifier/heads.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::TempDir;

const absl::Time kNow = absl::FromUnixSeconds(1'679'315'147);
constexpr char kWitnessName[] = "example.com/witness";

// The log of torchwood's tests: internal/witness/witness_test.go, TestRace. Its leaf hashes are
// 2a00…, 2a01…, and so on.
constexpr char kLogOrigin[] =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
constexpr char kLogKey[] = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
constexpr char kWitnessSeed[] = "31ffc2116ecbe003acaa800ab70757bd7d53206e3febef6a6d0796d95530b34f";
constexpr char kLeaf0[] = "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kLeaf1[] = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kLeaf2[] = "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kLeaf4[] = "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kNode23[] = "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=";
constexpr char kRoot3[] = "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=";
constexpr char kRoot5[] = "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=";

std::string Note(int size, const std::string& root, const std::string& signature) {
  return absl::StrCat(kLogOrigin, "\n", size, "\n", root, "\n\n\xe2\x80\x94 ", kLogOrigin, " ",
                      signature, "\n");
}
std::string Note1() {
  return Note(
      1, kLeaf0,
      "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXp"
      "NUbIQY=");
}
std::string Note3() {
  return Note(
      3, kRoot3,
      "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8W"
      "Vrx6go=");
}
std::string Note5() {
  return Note(
      5, kRoot5,
      "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShe"
      "i7sDww=");
}

std::string Body(std::uint64_t old_size, const std::vector<std::string>& proof,
                 const std::string& note) {
  std::string body = absl::StrCat("old ", old_size, "\n");
  for (const std::string& hash : proof) {
    absl::StrAppend(&body, hash, "\n");
  }
  return absl::StrCat(body, "\n", note);
}
std::string Body1() {
  return Body(0, {}, Note1());
}
std::string Body3() {
  return Body(1, {kLeaf1, kLeaf2}, Note3());
}
std::string Body5() {
  return Body(1, {kLeaf1, kNode23, kLeaf4}, Note5());
}

crypto::Ed25519KeyPair WitnessKey() {
  const Bytes seed = *HexDecode(kWitnessSeed);
  crypto::SecretBytes secret(seed.size());
  std::copy(seed.begin(), seed.end(), secret.Mutable().begin());
  return *crypto::Ed25519KeyPair::FromSeed(secret);
}
NoteKey LogKey() {
  return {.name = kLogOrigin, .public_key = *crypto::ToEd25519PublicKey(*HexDecode(kLogKey))};
}
absl::StatusOr<std::unique_ptr<Witness>> OpenWitness(const std::filesystem::path& state) {
  return Witness::Open(
      {.state_dir = state,
       .name = kWitnessName,
       .logs = {LogKey(), {.name = "example.com/log", .public_key = KeyOfSeed(1).public_key()}}},
      WitnessKey());
}
std::string OriginHash(const std::string& origin) {
  return HexEncode(crypto::Sha256(AsBytes(origin)));
}
std::string Signed(std::uint64_t size, const Digest& root) {
  const std::string text = HeadText({.origin = "example.com/log", .size = size, .root = root});
  return *SignNote(text, "example.com/log", KeyOfSeed(1));
}

TEST_CASE("Witness: its cosignature of a known head at a known time is the known one") {
  // From the C2SP rules with torchwood's keys (reference of the formats, 1.14).
  const std::string text = absl::StrCat(kLogOrigin, "\n3\n", kRoot3, "\n");
  CHECK(
      *Cosign(text, kWitnessName, WitnessKey(), 1'679'315'147) ==
      "\xe2\x80\x94 example.com/witness EKHAGQAAAABkGFDLNeTkW9l2N5pva3SfGK7nzQb7DyOf2k6f86c5aUqhkL"
      "+UqYICjKWyrjmHWfeviiVlJ0dHI4k2VQUFpbc//61ZDA==\n");
  const CosignerKey key{.name = kWitnessName, .public_key = WitnessKey().public_key()};
  CHECK(key.Vkey() == "example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5Q");
  CHECK_FALSE(Cosign(text, "two words", WitnessKey(), 1).ok());
  CHECK_FALSE(Cosign("no line feed", kWitnessName, WitnessKey(), 1).ok());
  CHECK_FALSE(Cosign(text, kWitnessName, WitnessKey(), 253'402'300'800).ok());
}

TEST_CASE("Witness: the session 1, 3, 5 of torchwood's tests is answered as there") {
  const TempDir dir;
  const auto witness = *OpenWitness(dir.path());
  CHECK(witness->Checkpoint(OriginHash(kLogOrigin)).status == 404);
  REQUIRE(witness->AddCheckpoint(Body1(), kNow).status == 200);
  const WitnessAnswer three = witness->AddCheckpoint(Body3(), kNow);
  REQUIRE(three.status == 200);
  CHECK(
      three.body ==
      "\xe2\x80\x94 example.com/witness EKHAGQAAAABkGFDLNeTkW9l2N5pva3SfGK7nzQb7DyOf2k6f86c5aUqhkL"
      "+UqYICjKWyrjmHWfeviiVlJ0dHI4k2VQUFpbc//61ZDA==\n");
  // From 1 again, although 3 is recorded: the size to start from.
  const WitnessAnswer conflict = witness->AddCheckpoint(Body5(), kNow);
  CHECK(conflict.status == 409);
  CHECK(conflict.body == "3\n");
  CHECK(conflict.content_type == "text/x.tlog.size");
  CHECK(witness->Checkpoint(OriginHash(kLogOrigin)).body == Note3() + three.body);
  // The same head again: a fresh cosignature.
  const WitnessAnswer again =
      witness->AddCheckpoint(Body(3, {}, Note3()), kNow + absl::Seconds(60));
  CHECK(again.status == 200);
  CHECK(again.body != three.body);
  const auto head =
      *verifier::VerifyHead(Note3() + again.body, *verifier::ParseVerifierKey(LogKey().Vkey()));
  CHECK(*verifier::VerifyCosignature(head, *verifier::ParseVerifierKey(witness->key().Vkey())) ==
        kNow + absl::Seconds(60));
}

TEST_CASE("Witness: what is recorded survives a restart, and another key cannot take it over") {
  const TempDir dir;
  REQUIRE((*OpenWitness(dir.path()))->AddCheckpoint(Body1(), kNow).status == 200);
  {
    const auto witness = *OpenWitness(dir.path());
    CHECK(witness->AddCheckpoint(Body1(), kNow).body == "1\n");
    CHECK(absl::IsFailedPrecondition(OpenWitness(dir.path()).status()));  // the lock
    CHECK(witness->AddCheckpoint(Body5(), kNow).status == 200);
  }
  CHECK(absl::IsFailedPrecondition(
      Witness::Open({.state_dir = dir.path(), .name = kWitnessName, .logs = {}}, KeyOfSeed(3))
          .status()));
  CHECK(absl::IsFailedPrecondition(
      Witness::Open({.state_dir = dir.path(), .name = "another.name", .logs = {}}, WitnessKey())
          .status()));
}

TEST_CASE("Witness: bad requests get the status that the protocol names, and change nothing") {
  const TempDir dir;
  const auto witness = *OpenWitness(dir.path());
  REQUIRE(witness->AddCheckpoint(Body1(), kNow).status == 200);
  const std::string other_origin = absl::StrReplaceAll(Body3(), {{"sigsum.org", "sigsum.com"}});
  const std::string bad_signature = absl::StrReplaceAll(Body3(), {{"Vrx6go=", "Vrx6gs="}});
  const std::string unsigned_note =
      absl::StrReplaceAll(Body3(), {{absl::StrCat("\xe2\x80\x94 ", kLogOrigin), "\xe2\x80\x94 x"}});
  const std::vector<std::string> many(64, kLeaf1);
  const std::vector<std::pair<std::string, int>> requests = {
      {"", 400},
      {"old 1\n", 400},
      {"old 1\n\n", 400},
      {absl::StrCat("new 1\n\n", Note3()), 400},
      {Body(1, {"KgE="}, Note3()), 400},
      {Body(1, {"not base64"}, Note3()), 400},
      {Body(0, many, Note1()), 400},
      {absl::StrReplaceAll(Body3(), {{"old 1", "old 01"}}), 400},
      {absl::StrReplaceAll(Body3(), {{"old 1", "old +1"}}), 400},
      {absl::StrReplaceAll(Body3(), {{"old 1", "old 9223372036854775808"}}), 400},
      {Body(4, {}, Note3()), 400},
      {std::string(kAddCheckpointBytesMax + 1, 'x'), 400},
      {other_origin, 404},
      {bad_signature, 403},
      {unsigned_note, 403},
      {Body(0, {}, Note3()), 409},
      {Body(2, {kLeaf2}, Note3()), 409},
      {Body(1, {kLeaf2, kLeaf1}, Note3()), 422},
      {Body(1, {kLeaf1}, Note3()), 422},
      {Body(1, {}, Note3()), 422},
      {Body(1, {kLeaf1}, Note1()), 422},
  };
  for (const auto& [body, status] : requests) {
    CAPTURE(body, status);
    const WitnessAnswer answer = witness->AddCheckpoint(body, kNow);
    CHECK(answer.status == status);
    CHECK(answer.body.find("\xe2\x80\x94 ") == std::string::npos);
    CHECK((answer.status != 409 || answer.body == "1\n"));
  }
  CHECK(witness->AddCheckpoint(Body3(), kNow).status == 200);
}

TEST_CASE("Witness: empty logs are cosigned, and only with the empty tree's root") {
  // The table of torchwood's TestZeroSize.
  const Digest leaf = LeafHash(AsBytes("leaf"));
  const std::string leaf_text = Base64Encode(leaf);
  struct Case {
    std::uint64_t known, old_size, size;
    Digest root;
    bool proof;
    int status;
  };
  const std::vector<Case> cases = {
      {0, 0, 0, EmptyRoot(), false, 200}, {0, 0, 0, leaf, false, 422},
      {0, 0, 0, Digest{}, false, 422},    {0, 0, 0, EmptyRoot(), true, 422},
      {0, 0, 1, leaf, false, 200},        {0, 0, 1, leaf, true, 422},
      {1, 0, 1, leaf, true, 409},         {1, 1, 0, EmptyRoot(), false, 400},
  };
  for (const Case& c : cases) {
    CAPTURE(c.known, c.old_size, c.size, c.proof, c.status);
    const TempDir dir;
    const auto witness = *OpenWitness(dir.path());
    if (c.known == 1) {
      REQUIRE(witness->AddCheckpoint(Body(0, {}, Signed(1, leaf)), kNow).status == 200);
    }
    std::vector<std::string> proof;
    if (c.proof) {
      proof.push_back(leaf_text);
    }
    CHECK(witness->AddCheckpoint(Body(c.old_size, proof, Signed(c.size, c.root)), kNow).status ==
          c.status);
  }
}

TEST_CASE("Witness: a log whose key gives way is followed by the keys that its operator names") {
  const TempDir dir;
  const NoteKey old_key{.name = "example.com/log", .public_key = KeyOfSeed(1).public_key()};
  const NoteKey new_key{.name = "example.com/log", .public_key = KeyOfSeed(5).public_key()};
  const Digest root = LeafHash(AsBytes("one"));
  const std::string text = HeadText({.origin = "example.com/log", .size = 1, .root = root});
  const std::string by_new = *SignNote(text, "example.com/log", KeyOfSeed(5));
  const std::string by_old = Signed(1, root);
  const std::string both = by_old + by_new.substr(text.size() + 1);
  {
    const auto witness = *OpenWitness(dir.path());
    CHECK(witness->AddCheckpoint(Body(0, {}, by_new), kNow).status == 403);
    CHECK(witness->AddCheckpoint(Body(0, {}, both), kNow).status == 200);
  }
  const auto open = [&](std::vector<NoteKey> logs) {
    return Witness::Open({.state_dir = dir.path(), .name = kWitnessName, .logs = std::move(logs)},
                         WitnessKey());
  };
  CHECK(absl::IsInvalidArgument(open({old_key, old_key}).status()));
  const auto witness = *open({old_key, new_key});
  const WitnessAnswer answer = witness->AddCheckpoint(Body(1, {}, by_new), kNow);
  REQUIRE(answer.status == 200);
  CHECK(witness->Checkpoint(OriginHash("example.com/log")).body == by_new + answer.body);
  CHECK(witness->AddCheckpoint(Body(1, {}, both), kNow).status == 200);
  // Monitors see every line of the log's own.
  CHECK(witness->Checkpoint(OriginHash("example.com/log")).body.find(both) == 0);
}

TEST_CASE("Witness: one good signature of the log does not carry a forged one") {
  const TempDir dir;
  const NoteKey old_key{.name = "example.com/log", .public_key = KeyOfSeed(1).public_key()};
  const NoteKey new_key{.name = "example.com/log", .public_key = KeyOfSeed(5).public_key()};
  const Digest root = LeafHash(AsBytes("one"));
  const std::string text = HeadText({.origin = "example.com/log", .size = 1, .root = root});
  // Lines of the log's keys over another text.
  const std::string other = HeadText({.origin = "example.com/log", .size = 2, .root = root});
  const auto line_of = [](const std::string& note) { return note.substr(note.rfind("\n\n") + 2); };
  const std::string by_old = *SignNote(text, "example.com/log", KeyOfSeed(1));
  const std::string by_new = *SignNote(text, "example.com/log", KeyOfSeed(5));
  const std::string forged_old = line_of(*SignNote(other, "example.com/log", KeyOfSeed(1)));
  const std::string forged_new = line_of(*SignNote(other, "example.com/log", KeyOfSeed(5)));
  const auto witness = *Witness::Open(
      {.state_dir = dir.path(), .name = kWitnessName, .logs = {old_key, new_key}}, WitnessKey());
  for (const std::string& note :
       {by_old + forged_new, by_new + forged_old, by_old + line_of(by_new) + line_of(by_new)}) {
    CHECK(witness->AddCheckpoint(Body(0, {}, note), kNow).status == 403);
  }
  CHECK(witness->Checkpoint(OriginHash("example.com/log")).status == 404);
  CHECK(witness->AddCheckpoint(Body(0, {}, by_old + line_of(by_new)), kNow).status == 200);
}

TEST_CASE("Witness: another root at the recorded size is refused for ever") {
  const TempDir dir;
  const auto witness = *OpenWitness(dir.path());
  const Digest one = LeafHash(AsBytes("one"));
  const Digest two = LeafHash(AsBytes("two"));
  REQUIRE(witness->AddCheckpoint(Body(0, {}, Signed(1, one)), kNow).status == 200);
  CHECK(witness->AddCheckpoint(Body(1, {}, Signed(1, two)), kNow).status == 422);
  CHECK(witness->AddCheckpoint(Body(0, {}, Signed(1, two)), kNow).status == 409);
  CHECK(witness->AddCheckpoint(Body(1, {}, Signed(1, one)), kNow).status == 200);
}

TEST_CASE("Witness: of two clients that move one log from the same size, one wins") {
  // C2SP tlog-witness: the check of the old size and the move are one step, or a log is rolled
  // back.
  for (int round = 0; round < 8; ++round) {
    const TempDir dir;
    const auto witness = *OpenWitness(dir.path());
    REQUIRE(witness->AddCheckpoint(Body1(), kNow).status == 200);
    WitnessAnswer three;
    WitnessAnswer five;
    std::thread first([&] { three = witness->AddCheckpoint(Body3(), kNow); });
    std::thread second([&] { five = witness->AddCheckpoint(Body5(), kNow); });
    first.join();
    second.join();
    const bool three_won = three.status == 200;
    CHECK(std::min(three.status, five.status) == 200);
    CHECK(std::max(three.status, five.status) == 409);
    CHECK((three_won ? five.body : three.body) == (three_won ? "3\n" : "5\n"));
    CHECK(witness->Checkpoint(OriginHash(kLogOrigin)).body ==
          (three_won ? Note3() + three.body : Note5() + five.body));
  }
}

TEST_CASE("Witness: a request is read as it was written") {
  AddCheckpointRequest request;
  request.old_size = 7;
  request.proof = {LeafHash(AsBytes("a")), LeafHash(AsBytes("b"))};
  request.note = Note3();
  const auto parsed = ParseAddCheckpoint(AddCheckpointBody(request));
  REQUIRE(parsed.ok());
  CHECK(parsed->old_size == 7);
  CHECK(parsed->proof == request.proof);
  CHECK(parsed->note == request.note);
  CHECK_FALSE(ParseTreeSize("").ok());
  CHECK_FALSE(ParseTreeSize("-1").ok());
  CHECK(*ParseTreeSize("9223372036854775807") == kTreeSizeMax);
}

TEST_CASE("Witness: a log named twice, or with the witness's own key, is refused") {
  const TempDir dir;
  CHECK(absl::IsInvalidArgument(
      Witness::Open({.state_dir = dir.path(), .name = kWitnessName, .logs = {LogKey(), LogKey()}},
                    WitnessKey())
          .status()));
  CHECK(absl::IsInvalidArgument(
      Witness::Open({.state_dir = dir.path(),
                     .name = kWitnessName,
                     .logs = {{.name = "a.test/log", .public_key = WitnessKey().public_key()}}},
                    WitnessKey())
          .status()));
}

}  // namespace
}  // namespace carnet::ledger
