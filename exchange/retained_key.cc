#include "exchange/retained_key.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"

namespace carnet::exchange {
namespace {

Bytes InfoOf(ByteView public_key) {
  return ToBytes(absl::StrCat(kRetainedKeyInfo, AsText(public_key)));
}

}  // namespace

absl::StatusOr<crypto::HpkeSealed> WrapRetainedKey(const crypto::X25519KeyPair& round_key,
                                                   const std::string& key_id,
                                                   const crypto::X25519PublicKey& person,
                                                   Rng& rng) {
  return crypto::HpkeSeal(person, InfoOf(round_key.public_key()), AsBytes(key_id),
                          round_key.private_key().View(), rng);
}

absl::StatusOr<crypto::X25519KeyPair> OpenRetainedKey(const v1::KeyRetained& record,
                                                      const crypto::X25519KeyPair& person) {
  if (record.kept_for_public_key() != AsText(person.public_key())) {
    return absl::NotFoundError("the round's key is kept for another person");
  }
  if (record.encapsulated().size() != crypto::kHpkeEncapsulatedBytes) {
    return absl::InvalidArgumentError("a wrapped key of another size");
  }
  crypto::HpkeEncapsulated encapsulated;
  std::copy(record.encapsulated().begin(), record.encapsulated().end(), encapsulated.begin());
  CARNET_ASSIGN_OR_RETURN(
      const crypto::SecretBytes secret,
      crypto::HpkeOpen(person, encapsulated, InfoOf(AsBytes(record.public_key())),
                       AsBytes(record.key_id()), AsBytes(record.wrapped_key())));
  CARNET_ASSIGN_OR_RETURN(crypto::X25519KeyPair key, crypto::X25519KeyPair::FromPrivateKey(secret));
  if (record.public_key() != AsText(key.public_key())) {
    return absl::DataLossError("what is wrapped is not the key that the record names");
  }
  return key;
}

}  // namespace carnet::exchange
