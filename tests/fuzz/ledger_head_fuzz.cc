// The bytes as a note, and as a text that is then well signed: writer and verifier agree on what is
// a head.
#include <string>

#include "base/status.h"
#include "ledger/head.h"
#include "ledger/verifier/heads.h"

namespace {

using carnet::crypto::Ed25519KeyPair;

struct Keys {
  Ed25519KeyPair pair = *Ed25519KeyPair::FromSeed(carnet::crypto::SecretBytes(32));
  carnet::ledger::NoteKey note{.name = "ledger.test/log", .public_key = pair.public_key()};
  carnet::ledger::verifier::VerifierKey verifier =
      *carnet::ledger::verifier::ParseVerifierKey(note.Vkey());
};

void Agree(const std::string& note, const Keys& keys) {
  const auto parsed = carnet::ledger::ParseHead(note, keys.note);
  const auto verified = carnet::ledger::verifier::VerifyHead(note, keys.verifier);
  CARNET_CHECK(parsed.ok() == verified.ok());
  CARNET_CHECK(!parsed.ok() ||
               (parsed->size == verified->tree.size && parsed->root == verified->tree.root));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static const auto* const keys = new Keys();
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  Agree(text, *keys);
  const auto signed_note = carnet::ledger::SignNote(text, keys->note.name, keys->pair);
  if (signed_note.ok()) {
    Agree(*signed_note, *keys);
  }
  CARNET_CHECK(carnet::ledger::ParseVkey(text).ok() <=
               carnet::ledger::verifier::ParseVerifierKey(text).ok());
  return 0;
}
