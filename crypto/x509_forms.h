// Helpers of crypto/certificates.h: PEM, times, names and extensions of X.509. For this room only.
#ifndef CARNET_CRYPTO_X509_FORMS_H_
#define CARNET_CRYPTO_X509_FORMS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "crypto/openssl_ptr.h"
#include "crypto/spiffe.h"

namespace carnet::crypto::x509_internal {

inline constexpr char kCertificateLabel[] = "CERTIFICATE";
inline constexpr char kRequestLabel[] = "CERTIFICATE REQUEST";

// RFC 7468 §2 with lines of 64 characters, as OpenSSL writes it.
std::string PemEncode(absl::string_view label, ByteView der);
// Error INVALID_ARGUMENT: anything but what PemEncode writes, or more than `text_bytes_max`.
absl::StatusOr<Bytes> PemDecode(absl::string_view label, absl::string_view text,
                                std::size_t text_bytes_max);

// Errors INVALID_ARGUMENT: not one certificate or request, or bytes after it.
absl::StatusOr<X509Ptr> CertificateFromDer(ByteView der);
absl::StatusOr<X509ReqPtr> RequestFromDer(ByteView der);

// Null if the time is before 1970 or after 9999, or OpenSSL failed. Cuts to whole seconds.
Asn1TimePtr ToAsn1Time(absl::Time time);
// Error INVALID_ARGUMENT: not a time as RFC 5280 §4.1.2.5 writes it.
absl::StatusOr<absl::Time> FromAsn1Time(const ASN1_TIME* time);

// A lower-case host name of at most 253 bytes, for a certificate.
bool IsHostName(absl::string_view text);

struct AlternativeNames {
  std::optional<SpiffeId> spiffe_id;
  std::vector<std::string> dns_names;
};
// The value of a subjectAltName extension. Null if OpenSSL failed.
GeneralNamesPtr MakeAlternativeNames(const SpiffeId& id, const std::vector<std::string>& dns_names);
// Error INVALID_ARGUMENT: a name that is neither a host name nor a SPIFFE id, a second id, too many
// names.
absl::StatusOr<AlternativeNames> ReadAlternativeNames(const GENERAL_NAMES& names);

}  // namespace carnet::crypto::x509_internal

#endif  // CARNET_CRYPTO_X509_FORMS_H_
