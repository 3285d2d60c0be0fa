// Writes what other people's verifiers are held against: for each of two logs (a federation that
// trained for two rounds; 600 records, over tile borders) a folder with tiles, statements, trust
// files, earlier heads, Sigstore bundles and their list; and fork evidence. Usage:
// ledger_make_fixture OUT
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/export.h"
#include "ledger/manifest.h"
#include "ledger/verifier/head_tracker.h"
#include "small_federation.h"
#include "tests/interop/bundle_files.h"

namespace carnet {
namespace {

using testing_ledger::SmallFederation;

constexpr std::uint64_t kLargeSize = 600;

absl::Status WriteLog(SmallFederation& federation, const std::vector<std::uint64_t>& indexes,
                      const std::vector<std::string>& heads, const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(
      ledger::ExportTiles(federation.log(), out / "tiles", {.statements = true}));
  CARNET_RETURN_IF_ERROR(ledger::ExportTrust(federation.log(), out));
  CARNET_RETURN_IF_ERROR(WriteText(out / "log.vkey", federation.log().key().Vkey()));
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "heads"));
  for (std::size_t i = 0; i < heads.size(); ++i) {
    CARNET_RETURN_IF_ERROR(WriteText(out / "heads" / absl::StrCat(i), heads[i]));
  }
  return WriteBundles(federation.log(), indexes, out / "bundles");
}

absl::Status MakeTrained(const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "state"));
  SmallFederation federation(out / "state");
  federation.Found();
  std::vector<std::string> heads = {federation.log().Head().note};
  federation.Round();
  heads.push_back(federation.log().Head().note);
  federation.Round();
  const ledger::ManifestOrder order = federation.Order();
  CARNET_RETURN_IF_ERROR(WriteLog(federation, order.indexes, heads, out));
  CARNET_ASSIGN_OR_RETURN(const Bytes manifest, ledger::MakeManifest(federation.log(), order));
  return WriteFileAtomic(out / "model.carnet", manifest, 0644);
}

absl::Status MakeLarge(const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "state"));
  SmallFederation federation(out / "state");
  federation.Found();
  std::vector<std::string> heads;
  for (const std::uint64_t size : {255u, 256u, 257u, 511u, 512u, 600u}) {
    std::vector<v1::SignedRecord> batch;
    while (federation.size() + batch.size() < size) {
      batch.push_back(federation.Filler());
    }
    CARNET_RETURN_IF_ERROR(federation.log().Append(batch));
    heads.push_back(federation.log().Head().note);
  }
  CARNET_CHECK(federation.size() == kLargeSize);
  return WriteLog(federation, {0, 254, 255, 256, 511, 512, 599}, heads, out);
}

// What a worker keeps that was shown `older` and then `newer` with a proof.
absl::Status WriteFork(const ledger::SignedHead& older, const ledger::SignedHead& newer,
                       const v1::ConsistencyProof& proof, const ledger::NoteKey& key,
                       const std::filesystem::path& file) {
  CARNET_ASSIGN_OR_RETURN(const auto verifier_key, ledger::verifier::ParseVerifierKey(key.Vkey()));
  CARNET_ASSIGN_OR_RETURN(auto tracker,
                          ledger::verifier::HeadTracker::Create(verifier_key, older.note));
  CARNET_CHECK(absl::IsDataLoss(tracker.Advance(newer.note, proof).status()));
  return WriteText(file, tracker.fork()->evidence);
}

// Evidence of each kind from two histories of one key; and a file about the first, which is honest.
absl::Status MakeForks(const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "a"));
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "b"));
  SmallFederation a(out / "a");
  SmallFederation b(out / "b");
  a.Found();
  b.Found();
  const ledger::SignedHead young = a.log().Head();
  a.Round();
  static_cast<void>(b.Filler());  // from here on b has other nonces
  b.Round();
  const ledger::SignedHead head_a = a.log().Head();
  const ledger::SignedHead head_b = b.log().Head();
  const ledger::NoteKey& key = a.log().key();
  CARNET_RETURN_IF_ERROR(WriteFork(head_a, head_b, {}, key, out / "other-root.tlog-fork"));
  CARNET_RETURN_IF_ERROR(WriteFork(head_a, young, {}, key, out / "smaller.tlog-fork"));
  b.Round();
  CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof proof,
                          b.log().ConsistencyProof(head_b.head.size, b.size()));
  CARNET_RETURN_IF_ERROR(
      WriteFork(head_a, b.log().Head(), proof, key, out / "bad-proof.tlog-fork"));
  CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof honest,
                          a.log().ConsistencyProof(young.head.size, head_a.head.size));
  std::string hashes;
  for (const std::string& hash : honest.hashes()) {
    absl::StrAppend(&hashes, Base64Encode(AsBytes(hash)), "\n");
  }
  CARNET_RETURN_IF_ERROR(
      WriteText(out / "honest.tlog-fork",
                absl::StrCat("carnet-fork/v1\nreason bad-proof\nold ", young.note.size(), "\n",
                             young.note, "new ", head_a.note.size(), "\n", head_a.note, "proof ",
                             hashes.size(), "\n", hashes)));
  return WriteText(out / "log.vkey", key.Vkey());
}

absl::Status Make(const std::filesystem::path& out) {
  std::error_code error;
  std::filesystem::remove_all(out, error);
  CARNET_RETURN_IF_ERROR(MakeTrained(out / "trained"));
  CARNET_RETURN_IF_ERROR(MakeLarge(out / "large"));
  return MakeForks(out / "forks");
}

}  // namespace
}  // namespace carnet

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ledger_make_fixture OUT\n");
    return EXIT_FAILURE;
  }
  const absl::Status made = carnet::Make(argv[1]);
  if (!made.ok()) {
    std::fprintf(stderr, "ledger_make_fixture: %s\n", carnet::DescribeForOperator(made).c_str());
  }
  return made.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
