#include "exchange/member_keys.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "base/status.h"
#include "crypto/key_files.h"

namespace carnet::exchange {
namespace {

// The key under `id`; `fresh` where there is none.
absl::StatusOr<crypto::SecretBytes> KeepKey(const crypto::KeyFiles& files, absl::string_view id,
                                            crypto::KeyKind kind,
                                            absl::StatusOr<crypto::SecretBytes> fresh) {
  auto there = files.Read(id, kind);
  if (!absl::IsNotFound(there.status())) {
    return there;
  }
  CARNET_RETURN_IF_ERROR(fresh);
  CARNET_RETURN_IF_ERROR(files.Create(id, kind, *fresh));
  return fresh;
}

}  // namespace

absl::StatusOr<MemberKeys> KeepMemberKeys(const std::filesystem::path& folder, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles files, crypto::KeyFiles::Open(folder.string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key fresh_tls, crypto::P256Key::Generate());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes tls,
                          KeepKey(files, kTlsKeyId, crypto::KeyKind::kP256, fresh_tls.ToPem()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes statement,
                          KeepKey(files, kStatementKeyId, crypto::KeyKind::kEd25519,
                                  crypto::Ed25519KeyPair::Generate(rng).seed()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes wrapping,
                          KeepKey(files, kWrappingKeyId, crypto::KeyKind::kX25519,
                                  crypto::X25519KeyPair::Generate(rng).private_key().Clone()));
  CARNET_ASSIGN_OR_RETURN(crypto::P256Key tls_key, crypto::P256Key::FromPem(tls));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair statement_key,
                          crypto::Ed25519KeyPair::FromSeed(statement));
  CARNET_ASSIGN_OR_RETURN(crypto::X25519KeyPair wrapping_key,
                          crypto::X25519KeyPair::FromPrivateKey(wrapping));
  return MemberKeys{std::move(tls_key), std::move(statement_key), std::move(wrapping_key)};
}

}  // namespace carnet::exchange
