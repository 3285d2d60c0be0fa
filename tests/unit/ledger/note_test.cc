#include "ledger/note.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ledger/head.h"
#include "ledger/merkle.h"
#include "ledger/verifier/heads.h"

namespace carnet::ledger {
namespace {

// The seed in a Go private key: base64 of 0x01 and 32 bytes.
crypto::Ed25519KeyPair KeyOfGo(absl::string_view base64) {
  const Bytes bytes = *Base64Decode(base64);
  return *crypto::Ed25519KeyPair::FromSeed(crypto::SecretBytes::Copy(ByteView(bytes).subspan(1)));
}

// golang/mod sumdb/note/note_test.go
constexpr char kPeterVkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr char kPeterSeed[] = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr char kPeterText[] =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your "
    "problem is.\n";
constexpr char kPeterLine[] =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n";

TEST_CASE("Note: signing gives the bytes of Go's sumdb/note") {
  const std::string note = *SignNote(kPeterText, "PeterNeumann", KeyOfGo(kPeterSeed));
  CHECK(note == absl::StrCat(kPeterText, "\n", kPeterLine));
  CHECK(*OpenNote(note, *ParseVkey(kPeterVkey)) == kPeterText);
}

TEST_CASE("Note: the example of C2SP signed-note opens") {
  const NoteKey key =
      *ParseVkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
  CHECK(OpenNote("This is an example message.\n\n\xe2\x80\x94 example.com/foo "
                 "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Y"
                 "u72IneyaQM=\n",
                 key)
            .ok());
}

TEST_CASE("Note: key ids are those of rekor-tiles") {
  // rekor-tiles pkg/note/note_test.go: a PKCS#8 key (its last 32 bytes are the seed) under the name
  // testkey.
  const Bytes pkcs8 =
      *Base64Decode("MC4CAQAwBQYDK2VwBCIEIGuZ8UWTFmXi/26ZgF4VYL8HfLSuW12TN5XMFQRt1Loc");
  const auto pair =
      *crypto::Ed25519KeyPair::FromSeed(crypto::SecretBytes::Copy(ByteView(pkcs8).last(32)));
  const NoteKey key{.name = "testkey", .public_key = pair.public_key()};
  CHECK(HexEncode(key.FullId()) ==
        "e4de82e34c8c270d87612a3d6a1e297e2cd0ed9cb89ea7aeec8ce4d0b54e6775");
  CHECK(key.id() == 3839787747);
}

TEST_CASE("Note: no other text than a vkey is one") {
  const std::string vkey = kPeterVkey;
  REQUIRE(ParseVkey(vkey)->Vkey() == vkey);
  REQUIRE(verifier::ParseVerifierKey(vkey).ok());
  for (std::size_t i = 0; i < vkey.size(); ++i) {
    std::string changed = vkey;
    changed[i] = static_cast<char>(changed[i] + 1);
    CAPTURE(changed);
    CHECK_FALSE(ParseVkey(changed).ok());
    CHECK_FALSE(verifier::ParseVerifierKey(changed).ok());
    CHECK_FALSE(ParseVkey(vkey.substr(0, i)).ok());
    CHECK_FALSE(verifier::ParseVerifierKey(vkey.substr(0, i)).ok());
    CHECK_FALSE(ParseVkey(vkey.substr(i + 1)).ok());
  }
}

TEST_CASE("Note: names without spaces, control characters and plus") {
  for (const char* name : {"", "a b", "a+b", "a\nb",
                           "a\xc2\xa0"
                           "b",
                           "a\xe2\x80\x83"
                           "b",
                           "\xff"}) {
    CHECK_FALSE(ValidateNoteName(name).ok());
  }
  CHECK(ValidateNoteName("example.com/log").ok());
  CHECK_FALSE(ValidateNoteName(std::string(256, 'a')).ok());
}

// A head that both sides read, and one text for each rule that it breaks.
struct SignedText {
  std::string text;
  const char* why;
};

constexpr char kMiniVkey[] =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
constexpr char kMiniSeed[] = "AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";

TEST_CASE("Head: the mini log of tessera's testdata, roots and signature") {
  const std::vector<std::string> entries = {"one",    "two",   "three",    "four",    "five",
                                            "six",    "seven", "eit",      "nain",    "ten",
                                            "ileven", "twelf", "threeten", "fourten", "fivten"};
  CompactRange range;
  std::vector<std::string> roots;
  for (const std::string& entry : entries) {
    range.Append(LeafHash(AsBytes(entry)));
    roots.push_back(Base64Encode(range.Root()));
  }
  CHECK(roots[0] == "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=");
  CHECK(roots[1] == "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=");
  CHECK(roots[7] == "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=");
  CHECK(roots[14] == "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=");
  const SignedHead head = *SignHead(
      {.origin = "example.com/log/testdata", .size = 15, .root = range.Root()}, KeyOfGo(kMiniSeed));
  CHECK(
      head.note ==
      "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n\xe2\x80\x94 "
      "example.com/log/testdata "
      "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/"
      "dlPWF74ewI=\n");
  CHECK(*ParseHead(head.note, *ParseVkey(kMiniVkey)) == head.head);
  CHECK(verifier::VerifyHead(head.note, *verifier::ParseVerifierKey(kMiniVkey))->tree.size == 15);
}

TEST_CASE("Head: a well signed text that is no head is refused on both sides") {
  const std::string origin = "example.com/log/testdata";
  const std::string root = "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=";
  const auto key = KeyOfGo(kMiniSeed);
  const std::vector<SignedText> texts = {
      {absl::StrCat("other\n15\n", root, "\n"), "another origin"},
      {absl::StrCat(origin, "\n015\n", root, "\n"), "a leading zero"},
      {absl::StrCat(origin, "\n+15\n", root, "\n"), "a sign"},
      {absl::StrCat(origin, "\n-1\n", root, "\n"), "a negative size"},
      {absl::StrCat(origin, "\n\n", root, "\n"), "no size"},
      {absl::StrCat(origin, "\n 15\n", root, "\n"), "a space"},
      {absl::StrCat(origin, "\n9223372036854775808\n", root, "\n"), "2^63"},
      {absl::StrCat(origin, "\n99999999999999999999999\n", root, "\n"), "beyond 64 bits"},
      {absl::StrCat(origin, "\n15\n", root, "\nextension\n"), "an extension line"},
      {absl::StrCat(origin, "\n15\n"), "no root"},
      {absl::StrCat(origin, "\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs\n"), "no padding"},
      {absl::StrCat(origin, "\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383ct=\n"),
       "bits after the end"},
      {absl::StrCat(origin, "\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja_1nk427v383cs=\n"),
       "the URL alphabet"},
      {absl::StrCat(origin, "\n15\nAAAA\n"), "a short root"},
      {absl::StrCat(origin, "\n0\n", root, "\n"), "size 0 with a root"},
  };
  for (const SignedText& entry : texts) {
    CAPTURE(entry.why);
    const std::string note = *SignNote(entry.text, origin, key);
    CHECK_FALSE(ParseHead(note, *ParseVkey(kMiniVkey)).ok());
    CHECK(absl::IsUnauthenticated(
        verifier::VerifyHead(note, *verifier::ParseVerifierKey(kMiniVkey)).status()));
  }
}

TEST_CASE("Head: a malformed or unsigned note is refused on both sides") {
  const SignedHead head = *SignHead(
      {.origin = "example.com/log/testdata", .size = 0, .root = EmptyRoot()}, KeyOfGo(kMiniSeed));
  const NoteKey key = *ParseVkey(kMiniVkey);
  const auto verifier_key = *verifier::ParseVerifierKey(kMiniVkey);
  REQUIRE(verifier::VerifyHead(head.note, verifier_key).ok());
  const std::string line = head.note.substr(head.note.find("\n\n") + 2);
  const std::string body = head.note.substr(0, head.note.size() - line.size());
  const std::vector<std::string> notes = {
      "",
      "\n\n",
      head.note.substr(0, head.note.size() - 1),
      absl::StrCat(head.note, "\n"),
      absl::StrCat(head.note, line),  // the same key twice
      absl::StrReplaceAll(head.note, {{"\n\n", "\n"}}),
      absl::StrReplaceAll(head.note, {{"\xe2\x80\x94", "-"}}),
      absl::StrReplaceAll(head.note, {{"=\n\n", "=\r\n\n"}}),
      absl::StrCat(body, kPeterLine),                         // another key alone
      absl::StrCat(body, "\xe2\x80\x94 a b\n", line),         // a malformed line beside
      absl::StrCat(body, "\xe2\x80\x94 a AAAAAA==\n", line),  // four bytes: an id and no signature
      absl::StrCat(body, std::string(17'000, 'a'), "\n\n", line),
  };
  for (const std::string& note : notes) {
    CAPTURE(note);
    CHECK_FALSE(ParseHead(note, key).ok());
    CHECK_FALSE(verifier::VerifyHead(note, verifier_key).ok());
  }
  // A line of a key that is not known is no reason to refuse.
  CHECK(ParseHead(absl::StrCat(body, kPeterLine, line), key).ok());
  CHECK(verifier::VerifyHead(absl::StrCat(body, kPeterLine, line), verifier_key).ok());
}

TEST_CASE("Head: one flipped bit anywhere is refused on both sides") {
  const SignedHead head = *SignHead(
      {.origin = "example.com/log/testdata", .size = 0, .root = EmptyRoot()}, KeyOfGo(kMiniSeed));
  const NoteKey key = *ParseVkey(kMiniVkey);
  const auto verifier_key = *verifier::ParseVerifierKey(kMiniVkey);
  for (std::size_t i = 0; i < head.note.size() * 8; ++i) {
    std::string note = head.note;
    note[i / 8] = static_cast<char>(note[i / 8] ^ (1 << (i % 8)));
    CAPTURE(i);
    CHECK_FALSE(ParseHead(note, key).ok());
    CHECK_FALSE(verifier::VerifyHead(note, verifier_key).ok());
  }
}

TEST_CASE("Head: cosignatures say when a witness saw it") {
  // The witness session of torchwood (origin, root of size 3), cosigned by seed 31ffc211… at
  // 1679315147; the line is the one computed for docs' reference (no published vector has the
  // private key).
  const std::string body =
      "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562\n3\n"
      "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=\n";
  const std::string line =
      "\xe2\x80\x94 example.com/witness "
      "EKHAGQAAAABkGFDLNeTkW9l2N5pva3SfGK7nzQb7DyOf2k6f86c5aUqhkL+"
      "UqYICjKWyrjmHWfeviiVlJ0dHI4k2VQUFpbc//61ZDA==\n";
  const auto witness = *verifier::ParseVerifierKey(
      "example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5Q");
  const verifier::VerifiedHead head{.tree = {}, .note = absl::StrCat(body, "\n", line)};
  const auto time = verifier::VerifyCosignature(head, witness);
  INFO(time.status());
  REQUIRE(time.ok());
  CHECK(absl::ToUnixSeconds(*time) == 1679315147);
  const verifier::VerifiedHead other{.tree = {},
                                     .note = absl::StrReplaceAll(head.note, {{"\n3\n", "\n4\n"}})};
  CHECK(absl::IsUnauthenticated(verifier::VerifyCosignature(other, witness).status()));
}

}  // namespace
}  // namespace carnet::ledger
