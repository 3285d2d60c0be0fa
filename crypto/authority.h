// What a certificate authority needs to give way to another one (RFC 4210 §4.4). As
// crypto/certificates.h: pure but for OpenSSL's own generator, thread-safe.
#ifndef CARNET_CRYPTO_AUTHORITY_H_
#define CARNET_CRYPTO_AUTHORITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/certificates.h"

namespace carnet {
class Rng;
}

namespace carnet::crypto {

// The key of `next`, certified by `previous` (NewWithOld of RFC 4210): whoever trusts the previous
// authority alone follows it to what the next one issued. Both have one name, so this certificate
// is self-issued and does not count against their path length of 0 (RFC 5280 §6.1.4 (l)).
// Errors: INVALID_ARGUMENT another name, the same key, or a validity that is empty or ends after
// that of `previous`. INTERNAL OpenSSL failed.
absl::StatusOr<std::string> CrossCertify(const CertificateAuthority& previous,
                                         const CertificateAuthority& next, const Validity& validity,
                                         Rng& rng);

// What the certificate of an authority says, when it is signed by its own key (which shows that
// whoever made it holds that key). Times are for the caller to check. Errors: INVALID_ARGUMENT
// malformed. UNAUTHENTICATED not an authority's, or signed by another key.
absl::StatusOr<CertificateInfo> VerifyAuthority(absl::string_view certificate_pem);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_AUTHORITY_H_
