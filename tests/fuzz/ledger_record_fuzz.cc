// A statement, signed as it comes: what the log takes, the verifier takes too, and both give it the
// same leaf.
#include <string>

#include "base/status.h"
#include "ledger/record.h"
#include "ledger/verifier/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static const auto* const key = new carnet::crypto::Ed25519KeyPair(
      *carnet::crypto::Ed25519KeyPair::FromSeed(carnet::crypto::SecretBytes(32)));
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  const carnet::v1::SignedRecord record = carnet::ledger::SignRecord(text, *key);
  const auto opened = carnet::ledger::OpenRecord(record);
  const auto verified = carnet::ledger::verifier::VerifyRecord(record);
  if (opened.ok()) {
    CARNET_CHECK(verified.ok() && verified->leaf_hash == opened->leaf_hash &&
                 verified->type == opened->type);
  }
  carnet::ledger::OpenVerifiedRecord(record).status().IgnoreError();
  carnet::ledger::ParseEnvelope(text, key->public_key()).status().IgnoreError();
  return 0;
}
