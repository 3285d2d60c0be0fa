#include "exchange/person_keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/x25519.h"
#include "exchange/signed_bytes.h"

namespace carnet::exchange {
namespace {

// Signed by both keys.
Bytes MessageOf(v1::PersonKeys keys) {
  keys.clear_tls_proof();
  return ProofMessage("carnet/person-keys/v1", std::move(keys));
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("a person's keys: ", what));
}

}  // namespace

absl::StatusOr<std::string> MakePersonKeys(const std::string& name,
                                           const crypto::Ed25519KeyPair& statement,
                                           ByteView wrapping_public_key,
                                           const crypto::P256Key& tls) {
  v1::PersonKeys keys;
  keys.set_name(name);
  keys.set_public_key(ToString(statement.public_key()));
  keys.set_wrapping_public_key(ToString(wrapping_public_key));
  keys.set_tls_spki(ToString(tls.spki()));
  const Bytes message = MessageOf(keys);
  CARNET_ASSIGN_OR_RETURN(const Bytes tls_proof, tls.Sign(message));
  keys.set_proof(ToString(statement.Sign(message)));
  keys.set_tls_proof(ToString(tls_proof));
  CARNET_ASSIGN_OR_RETURN(const std::string json, MessageToJson(keys));
  return absl::StrCat(json, "\n");
}

absl::StatusOr<v1::PersonKeys> ReadPersonKeys(absl::string_view text) {
  v1::PersonKeys keys;
  if (!JsonToMessage(text, &keys, kPersonKeysBytesMax).ok()) {
    return Bad("not a file that `carnet user keygen` made");
  }
  if (!ValidateSlotName(keys.name()).ok()) {
    return Bad("name: [a-z0-9-], at most 32 characters");
  }
  if (keys.public_key().size() != crypto::kEd25519PublicKeyBytes ||
      keys.wrapping_public_key().size() != crypto::kX25519KeyBytes ||
      keys.tls_spki().size() != crypto::kP256SpkiBytes) {
    return Bad("an Ed25519 key, an X25519 key and a P-256 key are meant");
  }
  const Bytes message = MessageOf(keys);
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519PublicKey public_key,
                          crypto::ToEd25519PublicKey(AsBytes(keys.public_key())));
  if (!crypto::Ed25519Verify(public_key, message, AsBytes(keys.proof())) ||
      !crypto::P256Verify(AsBytes(keys.tls_spki()), message, AsBytes(keys.tls_proof()))) {
    return Bad("it is not signed with both of its keys, or was changed");
  }
  return keys;
}

}  // namespace carnet::exchange
