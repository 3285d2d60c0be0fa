// The federation's private certificate authority and its certificates (X.509 v3, RFC 5280;
// X509-SVID of SPIFFE): ECDSA P-256 with SHA-256 throughout, one authority, leaves right below it.
// Texts are PEM: one block and nothing else. Times come from the caller; X.509 keeps whole seconds.
// Pure but for OpenSSL's own generator, which it uses for signatures. Thread-safe.
#ifndef CARNET_CRYPTO_CERTIFICATES_H_
#define CARNET_CRYPTO_CERTIFICATES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "crypto/p256.h"
#include "crypto/secret_bytes.h"
#include "crypto/spiffe.h"

namespace carnet {
class Rng;
}

namespace carnet::crypto {

// Largest certificate or request read, as PEM.
inline constexpr std::size_t kCertificatePemBytesMax = std::size_t{16} * 1024;
inline constexpr std::size_t kDnsNamesMax = 16;
inline constexpr std::size_t kCertificateNameBytesMax = 64;

// Both ends belong to it.
struct Validity {
  absl::Time not_before;
  absl::Time not_after;
};

// The authority: its key and its certificate. Move-only. Const members are thread-safe.
class CertificateAuthority {
 public:
  // A new authority. name: 1 to 64 bytes of [A-Za-z0-9 ._-], the subject's common name.
  // Errors: INVALID_ARGUMENT a bad name or validity. INTERNAL OpenSSL failed.
  static absl::StatusOr<CertificateAuthority> Create(absl::string_view name,
                                                     const Validity& validity, Rng& rng);
  // Errors: INVALID_ARGUMENT either text is malformed, the certificate is no authority's, or the
  // two do not belong together.
  static absl::StatusOr<CertificateAuthority> Load(const SecretBytes& key_pem,
                                                   absl::string_view certificate_pem);

  const P256Key& key() const { return key_; }
  const std::string& certificate_pem() const { return certificate_pem_; }

 private:
  CertificateAuthority(P256Key key, std::string certificate_pem);
  P256Key key_;
  std::string certificate_pem_;
};

// A PKCS#10 request that proves possession of `key` and asks for `id`. Error INTERNAL: OpenSSL
// failed.
absl::StatusOr<std::string> MakeCertificateRequest(const P256Key& key, const SpiffeId& id);

struct CertificateRequest {
  Bytes spki;   // P-256
  SpiffeId id;  // What it asks for: a claim, to be compared with what the caller may have.
};
// Errors INVALID_ARGUMENT: malformed, a bad self-signature, a key that is not P-256, or a subject
// alternative name that is anything but one SPIFFE id. Other extensions asked for are refused.
absl::StatusOr<CertificateRequest> VerifyCertificateRequest(absl::string_view request_pem);

struct CertificateOrder {
  Bytes spki;  // P-256, from a verified request or a key.
  SpiffeId id;
  std::vector<std::string> dns_names = {};  // Lower-case host names, at most kDnsNamesMax.
  bool server = false;                      // At least one of the two.
  bool client = false;
  Validity validity;
};
// Signs a certificate with a random serial of 16 bytes.
// Errors: INVALID_ARGUMENT a key that is not P-256, no usage, a bad DNS name or validity, or one
// that ends after the authority's own. INTERNAL OpenSSL failed.
absl::StatusOr<std::string> IssueCertificate(const CertificateAuthority& authority,
                                             const CertificateOrder& order, Rng& rng);

struct CertificateInfo {
  std::string subject_name;            // Common name, empty without one.
  std::optional<SpiffeId> spiffe_id;   // The one URI name.
  std::vector<std::string> dns_names;  // In their order.
  Validity validity;
  std::string serial_hex;  // Lower case, at least two digits.
  Bytes spki;
  Digest spki_sha256;                // The pin of its key.
  std::string subject_key_id_hex;    // Empty without one.
  std::string authority_key_id_hex;  // The issuer's key id; empty without one.
  Digest sha256;                     // Of the DER.
  bool is_authority = false;
  bool server = false;
  bool client = false;
};
// Reads a certificate. It verifies nothing: whoever needs trust calls VerifyCertificate.
// Error INVALID_ARGUMENT: malformed, trailing bytes, a key that is not P-256, alternative names
// other than DNS names and at most one SPIFFE id.
absl::StatusOr<CertificateInfo> ParseCertificatePem(absl::string_view pem);
absl::StatusOr<CertificateInfo> ParseCertificateDer(ByteView der);

// Whether `authority_pem` issued `certificate_pem` and it holds at `at`; returns what the
// certificate says, with a SPIFFE id always. Whoever grants a grace period after the end verifies
// at the last moment of the certificate's own validity. Which peers may be a server or a client is
// for the caller to check. Errors, none worth a retry: INVALID_ARGUMENT a text is malformed.
// UNAUTHENTICATED another issuer, a bad signature, an authority in the place of a leaf, an unknown
// critical extension, or no SPIFFE id. FAILED_PRECONDITION one of the two is expired or not yet
// valid at `at`.
absl::StatusOr<CertificateInfo> VerifyCertificate(absl::string_view certificate_pem,
                                                  absl::string_view authority_pem, absl::Time at);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_CERTIFICATES_H_
