#include "cli/credentials.h"

#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/key_files.h"
#include "exchange/member_keys.h"

namespace carnet::cli {

absl::StatusOr<TlsCredentials> ReadTlsCredentials(const ClientIdentity& identity) {
  CARNET_ASSIGN_OR_RETURN(const Bytes ca,
                          ReadFile(identity.ca_file, crypto::kCertificatePemBytesMax));
  CARNET_ASSIGN_OR_RETURN(const Bytes certificate,
                          ReadFile(identity.certificate_file, crypto::kCertificatePemBytesMax));
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys,
                          crypto::KeyFiles::Open(identity.tls_key_dir.string()));
  CARNET_ASSIGN_OR_RETURN(crypto::SecretBytes key,
                          keys.Read(exchange::kTlsKeyId, crypto::KeyKind::kP256));
  return TlsCredentials{ToString(ca), ToString(certificate), std::move(key)};
}

absl::StatusOr<crypto::Ed25519KeyPair> ReadStatementKey(const ClientIdentity& identity) {
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys,
                          crypto::KeyFiles::Open(identity.key_dir.string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                          keys.Read(exchange::kStatementKeyId, crypto::KeyKind::kEd25519));
  return crypto::Ed25519KeyPair::FromSeed(seed);
}

}  // namespace carnet::cli
