#include "cli/commands/personal_keys.h"

#include <utility>

#include "base/status.h"
#include "crypto/key_files.h"

namespace carnet::cli {
namespace {

absl::StatusOr<crypto::SecretBytes> KeepKey(const crypto::KeyFiles& files, const char* id,
                                            crypto::KeyKind kind,
                                            absl::StatusOr<crypto::SecretBytes> fresh) {
  auto there = files.Read(id, kind);
  if (!absl::IsNotFound(there.status())) {
    return there;
  }
  CARNET_RETURN_IF_ERROR(fresh.status());
  CARNET_RETURN_IF_ERROR(files.Create(id, kind, *fresh));
  return fresh;
}

}  // namespace

absl::StatusOr<PersonalKeys> MakePersonalKeys(const std::filesystem::path& folder, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles files, crypto::KeyFiles::Open(folder.string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key fresh, crypto::P256Key::Generate());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes tls,
                          KeepKey(files, "tls", crypto::KeyKind::kP256, fresh.ToPem()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                          KeepKey(files, "statement", crypto::KeyKind::kEd25519,
                                  crypto::Ed25519KeyPair::Generate(rng).seed()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes secret,
                          KeepKey(files, "wrapping", crypto::KeyKind::kX25519,
                                  crypto::X25519KeyPair::Generate(rng).private_key().Clone()));
  CARNET_ASSIGN_OR_RETURN(crypto::X25519KeyPair wrapping,
                          crypto::X25519KeyPair::FromPrivateKey(secret));
  CARNET_ASSIGN_OR_RETURN(crypto::P256Key tls_key, crypto::P256Key::FromPem(tls));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair statement, crypto::Ed25519KeyPair::FromSeed(seed));
  return PersonalKeys{std::move(tls_key), std::move(statement), std::move(wrapping)};
}

}  // namespace carnet::cli
