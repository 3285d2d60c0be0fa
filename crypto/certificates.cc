// Making: authority, requests, certificates. Reading is in certificate_reader.cc.
#include "crypto/certificates.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/rng.h"
#include "base/status.h"
#include "crypto/authority.h"
#include "crypto/openssl_error.h"
#include "crypto/x509_forms.h"

namespace carnet::crypto {
namespace {

using x509_internal::CertificateFromDer;
using x509_internal::IsHostName;
using x509_internal::kCertificateLabel;
using x509_internal::kRequestLabel;
using x509_internal::MakeAlternativeNames;
using x509_internal::PemDecode;
using x509_internal::PemEncode;
using x509_internal::ToAsn1Time;

constexpr long kX509Version3 = 2;
constexpr std::size_t kSerialBytes = 16;
constexpr char kLeavesBelow[] = "critical,CA:TRUE,pathlen:0";
constexpr char kAuthorityUsage[] = "critical,keyCertSign,cRLSign";

absl::Status OpenSslFailed() {
  return absl::InternalError("certificate: OpenSSL failed");
}

bool IsAuthorityName(absl::string_view name) {
  return !name.empty() && name.size() <= kCertificateNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == ' ' || c == '.' || c == '_' || c == '-';
         });
}

bool SetCommonName(X509_NAME* name, absl::string_view text) {
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// Positive, of full length, and with 126 random bits (RFC 5280 §4.1.2.2).
bool SetRandomSerial(X509* certificate, Rng& rng) {
  std::array<std::uint8_t, kSerialBytes> bytes;
  rng.Fill(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x3FU) | 0x40U);
  const BignumPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

absl::Status SetValidity(X509* certificate, const Validity& validity) {
  const Asn1TimePtr not_before = ToAsn1Time(validity.not_before);
  const Asn1TimePtr not_after = ToAsn1Time(validity.not_after);
  if (validity.not_before > validity.not_after || not_before == nullptr || not_after == nullptr) {
    return absl::InvalidArgumentError("certificate: the validity is empty or out of range");
  }
  if (X509_set1_notBefore(certificate, not_before.get()) != 1 ||
      X509_set1_notAfter(certificate, not_after.get()) != 1) {
    return OpenSslFailed();
  }
  return absl::OkStatus();
}

// `value` is always one of the fixed texts below: OpenSSL's configuration language never sees
// outside text.
bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const X509ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

absl::StatusOr<std::string> SignToPem(X509* certificate, const P256Key& key) {
  std::uint8_t* der = nullptr;
  if (X509_sign(certificate, key.raw(), EVP_sha256()) <= 0) {
    return OpenSslFailed();
  }
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) {
    return OpenSslFailed();
  }
  std::string pem = PemEncode(kCertificateLabel, ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return pem;
}

absl::StatusOr<X509Ptr> CertificateFromPem(absl::string_view pem) {
  CARNET_ASSIGN_OR_RETURN(const Bytes der,
                          PemDecode(kCertificateLabel, pem, kCertificatePemBytesMax));
  return CertificateFromDer(der);
}

absl::Status CheckOrder(const CertificateOrder& order, const CertificateInfo& authority) {
  if (!order.server && !order.client) {
    return absl::InvalidArgumentError("certificate: neither for a server nor for a client");
  }
  if (order.dns_names.size() > kDnsNamesMax ||
      !std::all_of(order.dns_names.begin(), order.dns_names.end(), IsHostName)) {
    return absl::InvalidArgumentError("certificate: too many DNS names, or one is malformed");
  }
  if (order.validity.not_after > authority.validity.not_after) {
    return absl::InvalidArgumentError("certificate: it would end after its authority's");
  }
  return absl::OkStatus();
}

}  // namespace

CertificateAuthority::CertificateAuthority(P256Key key, std::string certificate_pem)
    : key_(std::move(key)), certificate_pem_(std::move(certificate_pem)) {}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Create(absl::string_view name,
                                                                  const Validity& validity,
                                                                  Rng& rng) {
  const ErrorQueueScope errors;
  if (!IsAuthorityName(name)) {
    return absl::InvalidArgumentError("certificate: malformed authority name");
  }
  CARNET_ASSIGN_OR_RETURN(P256Key key, P256Key::Generate());
  const X509Ptr certificate(X509_new());
  if (certificate == nullptr) {
    return OpenSslFailed();
  }
  CARNET_RETURN_IF_ERROR(SetValidity(certificate.get(), validity));
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  if (X509_set_version(certificate.get(), kX509Version3) != 1 ||
      !SetRandomSerial(certificate.get(), rng) || !SetCommonName(subject, name) ||
      X509_set_issuer_name(certificate.get(), subject) != 1 ||
      X509_set_pubkey(certificate.get(), key.raw()) != 1 ||
      // Leaves right below, no authorities under it.
      !AddExtension(certificate.get(), certificate.get(), NID_basic_constraints, kLeavesBelow) ||
      !AddExtension(certificate.get(), certificate.get(), NID_key_usage, kAuthorityUsage) ||
      !AddExtension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash")) {
    return OpenSslFailed();
  }
  CARNET_ASSIGN_OR_RETURN(std::string pem, SignToPem(certificate.get(), key));
  return CertificateAuthority(std::move(key), std::move(pem));
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(const SecretBytes& key_pem,
                                                                absl::string_view certificate_pem) {
  CARNET_ASSIGN_OR_RETURN(P256Key key, P256Key::FromPem(key_pem));
  CARNET_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificatePem(certificate_pem));
  if (!info.is_authority) {
    return absl::InvalidArgumentError("certificate: not an authority's");
  }
  if (info.spki != key.spki()) {
    return absl::InvalidArgumentError("certificate: the authority's key is another one");
  }
  return CertificateAuthority(std::move(key), std::string(certificate_pem));
}

absl::StatusOr<std::string> MakeCertificateRequest(const P256Key& key, const SpiffeId& id) {
  const ErrorQueueScope errors;
  const X509ReqPtr request(X509_REQ_new());
  const GeneralNamesPtr names = MakeAlternativeNames(id, {});
  const X509ExtensionsPtr extensions(sk_X509_EXTENSION_new_null());
  if (request == nullptr || names == nullptr || extensions == nullptr) {
    return OpenSslFailed();
  }
  X509ExtensionPtr extension(X509V3_EXT_i2d(NID_subject_alt_name, /*crit=*/0, names.get()));
  if (extension == nullptr || sk_X509_EXTENSION_push(extensions.get(), extension.get()) <= 0) {
    return OpenSslFailed();
  }
  extension.release();  // Owned by `extensions` now.
  std::uint8_t* der = nullptr;
  if (X509_REQ_set_version(request.get(), 0) != 1 ||
      !SetCommonName(X509_REQ_get_subject_name(request.get()), id.Name()) ||
      X509_REQ_set_pubkey(request.get(), key.raw()) != 1 ||
      X509_REQ_add_extensions(request.get(), extensions.get()) != 1 ||
      X509_REQ_sign(request.get(), key.raw(), EVP_sha256()) <= 0) {
    return OpenSslFailed();
  }
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0) {
    return OpenSslFailed();
  }
  std::string pem = PemEncode(kRequestLabel, ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return pem;
}

absl::StatusOr<std::string> IssueCertificate(const CertificateAuthority& authority,
                                             const CertificateOrder& order, Rng& rng) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(const CertificateInfo authority_info,
                          ParseCertificatePem(authority.certificate_pem()));
  CARNET_RETURN_IF_ERROR(CheckOrder(order, authority_info));
  CARNET_ASSIGN_OR_RETURN(const X509Ptr issuer, CertificateFromPem(authority.certificate_pem()));
  CARNET_ASSIGN_OR_RETURN(const EvpPkeyPtr key, p256_internal::ParseSpki(order.spki));
  const X509Ptr certificate(X509_new());
  const GeneralNamesPtr names = MakeAlternativeNames(order.id, order.dns_names);
  if (certificate == nullptr || names == nullptr) {
    return OpenSslFailed();
  }
  CARNET_RETURN_IF_ERROR(SetValidity(certificate.get(), order.validity));
  const char* const usage = order.server && order.client ? "serverAuth,clientAuth"
                            : order.server               ? "serverAuth"
                                                         : "clientAuth";
  if (X509_set_version(certificate.get(), kX509Version3) != 1 ||
      !SetRandomSerial(certificate.get(), rng) ||
      !SetCommonName(X509_get_subject_name(certificate.get()), order.id.Name()) ||
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get())) != 1 ||
      X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      !AddExtension(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(certificate.get(), issuer.get(), NID_ext_key_usage, usage) ||
      !AddExtension(certificate.get(), issuer.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(certificate.get(), issuer.get(), NID_authority_key_identifier,
                    "keyid:always") ||
      X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names.get(), /*crit=*/0,
                        X509V3_ADD_APPEND) != 1) {
    return OpenSslFailed();
  }
  return SignToPem(certificate.get(), authority.key());
}

absl::StatusOr<std::string> CrossCertify(const CertificateAuthority& previous,
                                         const CertificateAuthority& next, const Validity& validity,
                                         Rng& rng) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(const CertificateInfo last,
                          ParseCertificatePem(previous.certificate_pem()));
  CARNET_ASSIGN_OR_RETURN(const X509Ptr issuer, CertificateFromPem(previous.certificate_pem()));
  CARNET_ASSIGN_OR_RETURN(const X509Ptr own, CertificateFromPem(next.certificate_pem()));
  const X509_NAME* const name = X509_get_subject_name(issuer.get());
  if (X509_NAME_cmp(name, X509_get_subject_name(own.get())) != 0 ||
      previous.key().spki() == next.key().spki() || validity.not_after > last.validity.not_after) {
    return absl::InvalidArgumentError("certificate: no authority in the place of this one");
  }
  const X509Ptr certificate(X509_new());
  if (certificate == nullptr) {
    return OpenSslFailed();
  }
  CARNET_RETURN_IF_ERROR(SetValidity(certificate.get(), validity));
  if (X509_set_version(certificate.get(), kX509Version3) != 1 ||
      !SetRandomSerial(certificate.get(), rng) ||
      X509_set_subject_name(certificate.get(), name) != 1 ||
      X509_set_issuer_name(certificate.get(), name) != 1 ||
      X509_set_pubkey(certificate.get(), next.key().raw()) != 1 ||
      !AddExtension(certificate.get(), issuer.get(), NID_basic_constraints, kLeavesBelow) ||
      !AddExtension(certificate.get(), issuer.get(), NID_key_usage, kAuthorityUsage) ||
      !AddExtension(certificate.get(), issuer.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(certificate.get(), issuer.get(), NID_authority_key_identifier,
                    "keyid:always")) {
    return OpenSslFailed();
  }
  return SignToPem(certificate.get(), previous.key());
}

absl::StatusOr<CertificateInfo> VerifyAuthority(absl::string_view certificate_pem) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(CertificateInfo info, ParseCertificatePem(certificate_pem));
  CARNET_ASSIGN_OR_RETURN(const X509Ptr certificate, CertificateFromPem(certificate_pem));
  if (!info.is_authority || info.subject_key_id_hex.empty() || info.spiffe_id.has_value() ||
      !info.dns_names.empty()) {
    return absl::UnauthenticatedError("certificate: not an authority's");
  }
  if (X509_check_issued(certificate.get(), certificate.get()) != X509_V_OK ||
      X509_get_signature_nid(certificate.get()) != NID_ecdsa_with_SHA256 ||
      X509_verify(certificate.get(), X509_get0_pubkey(certificate.get())) != 1) {
    return absl::UnauthenticatedError("certificate: the authority's is not signed by its own key");
  }
  return info;
}

}  // namespace carnet::crypto
