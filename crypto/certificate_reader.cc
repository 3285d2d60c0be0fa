// Reading and verifying. Making is in certificates.cc.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/openssl_error.h"
#include "crypto/x509_forms.h"

namespace carnet::crypto {
namespace {

using x509_internal::AlternativeNames;
using x509_internal::CertificateFromDer;
using x509_internal::FromAsn1Time;
using x509_internal::kCertificateLabel;
using x509_internal::kRequestLabel;
using x509_internal::PemDecode;
using x509_internal::ReadAlternativeNames;
using x509_internal::RequestFromDer;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

std::string HexOf(const ASN1_OCTET_STRING* bytes) {
  return bytes == nullptr ? std::string()
                          : HexEncode({ASN1_STRING_get0_data(bytes),
                                       static_cast<std::size_t>(ASN1_STRING_length(bytes))});
}

absl::StatusOr<std::string> SerialOf(const X509& certificate) {
  const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  // RFC 5280 §4.1.2.2: positive, at most 20 bytes.
  if (number == nullptr || BN_is_negative(number.get()) != 0 || BN_is_zero(number.get()) != 0 ||
      BN_num_bytes(number.get()) > 20) {
    return Bad("certificate: malformed serial number");
  }
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return HexEncode(bytes);
}

std::string CommonNameOf(const X509& certificate) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) {
    return {};
  }
  const ASN1_STRING* const text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  const ByteView bytes(ASN1_STRING_get0_data(text),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  std::string name;
  // For people's eyes only: what is not printable ASCII is not shown as it is.
  for (const std::uint8_t byte : bytes.first(std::min(bytes.size(), kCertificateNameBytesMax))) {
    const char c = static_cast<char>(byte);
    name.push_back(absl::ascii_isprint(byte) ? c : '?');
  }
  return name;
}

absl::StatusOr<AlternativeNames> NamesOf(const X509& certificate) {
  int critical = 0;
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, &critical, nullptr)));
  if (names == nullptr) {
    // -1: there is none. Otherwise it is there twice, or malformed.
    return critical == -1 ? absl::StatusOr<AlternativeNames>(AlternativeNames{})
                          : Bad("certificate: malformed alternative names");
  }
  return ReadAlternativeNames(*names);
}

absl::StatusOr<CertificateInfo> InfoOf(X509* certificate, ByteView der) {
  // Fills what OpenSSL caches of the extensions; EXFLAG_INVALID means that one of them is malformed
  // or there twice.
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  if ((flags & EXFLAG_INVALID) != 0 || X509_get_version(certificate) != 2) {
    return Bad("certificate: malformed extensions or version");
  }
  CertificateInfo info;
  info.subject_name = CommonNameOf(*certificate);
  CARNET_ASSIGN_OR_RETURN(AlternativeNames names, NamesOf(*certificate));
  info.spiffe_id = std::move(names.spiffe_id);
  info.dns_names = std::move(names.dns_names);
  CARNET_ASSIGN_OR_RETURN(info.validity.not_before, FromAsn1Time(X509_get0_notBefore(certificate)));
  CARNET_ASSIGN_OR_RETURN(info.validity.not_after, FromAsn1Time(X509_get0_notAfter(certificate)));
  CARNET_ASSIGN_OR_RETURN(info.serial_hex, SerialOf(*certificate));
  CARNET_ASSIGN_OR_RETURN(info.spki, p256_internal::SpkiOf(X509_get0_pubkey(certificate)));
  info.spki_sha256 = Sha256(info.spki);
  info.subject_key_id_hex = HexOf(X509_get0_subject_key_id(certificate));
  info.authority_key_id_hex = HexOf(X509_get0_authority_key_id(certificate));
  info.sha256 = Sha256(der);
  info.is_authority = (flags & EXFLAG_CA) != 0;
  // Without the extension OpenSSL says that every usage is allowed; ours always carry it.
  const std::uint32_t usage =
      (flags & EXFLAG_XKUSAGE) != 0 ? X509_get_extended_key_usage(certificate) : 0;
  info.server = (usage & XKU_SSL_SERVER) != 0;
  info.client = (usage & XKU_SSL_CLIENT) != 0;
  return info;
}

struct Certificate {
  X509Ptr x509;
  CertificateInfo info;
};

absl::StatusOr<Certificate> ReadDer(ByteView der) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(X509Ptr x509, CertificateFromDer(der));
  CARNET_ASSIGN_OR_RETURN(CertificateInfo info, InfoOf(x509.get(), der));
  return Certificate{std::move(x509), std::move(info)};
}

absl::StatusOr<Certificate> ReadPem(absl::string_view pem) {
  CARNET_ASSIGN_OR_RETURN(const Bytes der,
                          PemDecode(kCertificateLabel, pem, kCertificatePemBytesMax));
  return ReadDer(der);
}

absl::Status CheckTime(const Validity& validity, absl::Time at, absl::string_view early,
                       absl::string_view late) {
  if (at < validity.not_before) {
    return absl::FailedPreconditionError(early);
  }
  if (at > validity.not_after) {
    return absl::FailedPreconditionError(late);
  }
  return absl::OkStatus();
}

// RFC 5280 §6 with one trust anchor and nothing between it and the leaf. Times are checked by the
// caller.
absl::Status CheckIssued(X509* leaf, X509* authority) {
  const X509StorePtr store(X509_STORE_new());
  const X509StoreCtxPtr context(X509_STORE_CTX_new());
  if (store == nullptr || context == nullptr || X509_STORE_add_cert(store.get(), authority) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf, nullptr) != 1) {
    return absl::InternalError("certificate: OpenSSL failed");
  }
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT | X509_V_FLAG_NO_CHECK_TIME |
                                              X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_STORE_CTX_set_depth(context.get(), 0);
  if (X509_get_signature_nid(leaf) != NID_ecdsa_with_SHA256 ||
      X509_verify_cert(context.get()) != 1) {
    return absl::UnauthenticatedError("certificate: not issued by this authority");
  }
  return absl::OkStatus();
}

// The only extension a request may ask for is one subject alternative name; it may have no other
// attribute.
absl::StatusOr<SpiffeId> RequestedId(X509_REQ* request) {
  const absl::Status bad =
      Bad("certificate request: it must ask for one SPIFFE id and nothing else");
  const X509ExtensionsPtr extensions(X509_REQ_get_extensions(request));
  if (X509_REQ_get_attr_count(request) != 1 || extensions == nullptr ||
      sk_X509_EXTENSION_num(extensions.get()) != 1) {
    return bad;
  }
  X509_EXTENSION* const extension = sk_X509_EXTENSION_value(extensions.get(), 0);
  if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_subject_alt_name) {
    return bad;
  }
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(X509V3_EXT_d2i(extension)));
  if (names == nullptr) {
    return bad;
  }
  CARNET_ASSIGN_OR_RETURN(const AlternativeNames found, ReadAlternativeNames(*names));
  if (!found.spiffe_id.has_value() || !found.dns_names.empty()) {
    return bad;
  }
  return *found.spiffe_id;
}

}  // namespace

absl::StatusOr<CertificateRequest> VerifyCertificateRequest(absl::string_view request_pem) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(const Bytes der,
                          PemDecode(kRequestLabel, request_pem, kCertificatePemBytesMax));
  CARNET_ASSIGN_OR_RETURN(const X509ReqPtr request, RequestFromDer(der));
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  CARNET_ASSIGN_OR_RETURN(Bytes spki, p256_internal::SpkiOf(key));
  if (X509_REQ_get_signature_nid(request.get()) != NID_ecdsa_with_SHA256 ||
      X509_REQ_verify(request.get(), key) != 1) {
    return Bad("certificate request: not signed by its own key");
  }
  CARNET_ASSIGN_OR_RETURN(SpiffeId id, RequestedId(request.get()));
  return CertificateRequest{std::move(spki), std::move(id)};
}

absl::StatusOr<CertificateInfo> ParseCertificatePem(absl::string_view pem) {
  CARNET_ASSIGN_OR_RETURN(Certificate certificate, ReadPem(pem));
  return std::move(certificate.info);
}

absl::StatusOr<CertificateInfo> ParseCertificateDer(ByteView der) {
  CARNET_ASSIGN_OR_RETURN(Certificate certificate, ReadDer(der));
  return std::move(certificate.info);
}

absl::StatusOr<CertificateInfo> VerifyCertificate(absl::string_view certificate_pem,
                                                  absl::string_view authority_pem, absl::Time at) {
  const ErrorQueueScope errors;
  CARNET_ASSIGN_OR_RETURN(Certificate leaf, ReadPem(certificate_pem));
  CARNET_ASSIGN_OR_RETURN(const Certificate authority, ReadPem(authority_pem));
  if (!authority.info.is_authority) {
    return Bad("certificate: the authority's certificate is not an authority's");
  }
  if (leaf.info.is_authority || !leaf.info.spiffe_id.has_value()) {
    return absl::UnauthenticatedError("certificate: not a party's");
  }
  CARNET_RETURN_IF_ERROR(CheckIssued(leaf.x509.get(), authority.x509.get()));
  CARNET_RETURN_IF_ERROR(CheckTime(authority.info.validity, at,
                                   "certificate: the authority's is not yet valid",
                                   "certificate: the authority's is expired"));
  CARNET_RETURN_IF_ERROR(
      CheckTime(leaf.info.validity, at, "certificate: not yet valid", "certificate: expired"));
  return std::move(leaf.info);
}

}  // namespace carnet::crypto
