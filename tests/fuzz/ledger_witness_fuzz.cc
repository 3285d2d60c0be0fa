// The bytes as a request to a witness, as the head in one that is well formed and well signed, and
// as a tlog-proof: whatever comes, a witness answers by the table, and cosigns only what the
// verifier then accepts.
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/tlog_proof.h"
#include "ledger/witness.h"

namespace {

using carnet::crypto::Ed25519KeyPair;

constexpr char kOrigin[] = "ledger.test/log";

struct Stage {
  Stage() {
    std::string folder =
        (std::filesystem::temp_directory_path() / "carnet-fuzz-witness-XXXXXX").string();
    CARNET_CHECK(mkdtemp(folder.data()) != nullptr);
    carnet::crypto::SecretBytes seed(32);
    seed.Mutable()[0] = 1;
    witness = *carnet::ledger::Witness::Open(
        {.state_dir = folder, .name = "w.test/w", .logs = {log}}, *Ed25519KeyPair::FromSeed(seed));
    // The store stays open; its name is needed no more.
    std::filesystem::remove_all(folder);
  }
  Ed25519KeyPair pair = *Ed25519KeyPair::FromSeed(carnet::crypto::SecretBytes(32));
  carnet::ledger::NoteKey log{.name = kOrigin, .public_key = pair.public_key()};
  std::unique_ptr<carnet::ledger::Witness> witness;
};

void Ask(const std::string& body, const Stage& stage) {
  static const std::set<int> kStatuses = {200, 400, 403, 404, 409, 422, 500};
  const carnet::ledger::WitnessAnswer answer =
      stage.witness->AddCheckpoint(body, absl::FromUnixSeconds(1'700'000'000));
  CARNET_CHECK(kStatuses.count(answer.status) == 1);
  if (answer.status == 200) {
    const auto request = carnet::ledger::ParseAddCheckpoint(body);
    CARNET_CHECK(request.ok());
    const auto head = carnet::ledger::verifier::VerifyHead(
        absl::StrCat(request->note, answer.body),
        *carnet::ledger::verifier::ParseVerifierKey(stage.log.Vkey()));
    CARNET_CHECK(head.ok());
    CARNET_CHECK(
        carnet::ledger::verifier::VerifyCosignature(
            *head, *carnet::ledger::verifier::ParseVerifierKey(stage.witness->key().Vkey()))
            .ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static const auto* const stage = new Stage();
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  Ask(text, *stage);
  const auto request = carnet::ledger::ParseAddCheckpoint(text);
  if (request.ok()) {
    CARNET_CHECK(carnet::ledger::AddCheckpointBody(*request) == text);
  }
  const auto note = carnet::ledger::SignNote(text, kOrigin, stage->pair);
  if (note.ok()) {
    Ask(absl::StrCat("old 0\n\n", *note), *stage);
  }
  const auto proof = carnet::ledger::verifier::ParseTlogProof(text);
  CARNET_CHECK(!proof.ok() || proof->path.size() <= 64);
  return 0;
}
