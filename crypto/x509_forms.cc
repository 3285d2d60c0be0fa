#include "crypto/x509_forms.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/openssl_error.h"

namespace carnet::crypto::x509_internal {
namespace {

constexpr std::size_t kPemLineBytes = 64;
constexpr std::size_t kHostNameBytesMax = 253;

absl::string_view TextOf(const ASN1_STRING* text) {
  // By length: a NUL inside must not end the name.
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

bool Append(GENERAL_NAMES* names, int type, absl::string_view text) {
  Asn1StringPtr value(ASN1_STRING_type_new(V_ASN1_IA5STRING));
  if (value == nullptr ||
      ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) {
    return false;
  }
  std::unique_ptr<GENERAL_NAME, CDeleter<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  if (name == nullptr) {
    return false;
  }
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) {
    return false;
  }
  name.release();
  return true;
}

}  // namespace

std::string PemEncode(absl::string_view label, ByteView der) {
  const std::string text = Base64Encode(der);
  std::string pem = absl::StrCat("-----BEGIN ", label, "-----\n");
  for (std::size_t at = 0; at < text.size(); at += kPemLineBytes) {
    absl::StrAppend(&pem, text.substr(at, kPemLineBytes), "\n");
  }
  absl::StrAppend(&pem, "-----END ", label, "-----\n");
  return pem;
}

absl::StatusOr<Bytes> PemDecode(absl::string_view label, absl::string_view text,
                                std::size_t text_bytes_max) {
  const absl::Status bad = absl::InvalidArgumentError("certificate: not one PEM block of its kind");
  absl::string_view body = text;
  if (text.size() > text_bytes_max ||
      !absl::ConsumePrefix(&body, absl::StrCat("-----BEGIN ", label, "-----\n")) ||
      !absl::ConsumeSuffix(&body, absl::StrCat("-----END ", label, "-----\n"))) {
    return bad;
  }
  std::string joined(body);
  joined.erase(std::remove(joined.begin(), joined.end(), '\n'), joined.end());
  auto der = Base64Decode(joined);
  // One value has one text: other line breaks are refused by writing it again.
  if (!der.ok() || der->empty() || PemEncode(label, *der) != text) {
    return bad;
  }
  return der;
}

absl::StatusOr<X509Ptr> CertificateFromDer(ByteView der) {
  const ErrorQueueScope errors;
  X509Ptr certificate;
  if (der.size() <= kCertificatePemBytesMax) {
    const unsigned char* position = der.data();
    certificate.reset(d2i_X509(nullptr, &position, static_cast<long>(der.size())));
    if (certificate != nullptr && position == der.data() + der.size()) {
      return certificate;
    }
  }
  return absl::InvalidArgumentError("certificate: malformed");
}

absl::StatusOr<X509ReqPtr> RequestFromDer(ByteView der) {
  const ErrorQueueScope errors;
  X509ReqPtr request;
  if (der.size() <= kCertificatePemBytesMax) {
    const unsigned char* position = der.data();
    request.reset(d2i_X509_REQ(nullptr, &position, static_cast<long>(der.size())));
    if (request != nullptr && position == der.data() + der.size()) {
      return request;
    }
  }
  return absl::InvalidArgumentError("certificate request: malformed");
}

Asn1TimePtr ToAsn1Time(absl::Time time) {
  static const absl::Time end = absl::FromCivil(absl::CivilSecond(10000), absl::UTCTimeZone());
  if (time < absl::UnixEpoch() || time >= end) {
    return nullptr;
  }
  return Asn1TimePtr(ASN1_TIME_set(nullptr, absl::ToTimeT(time)));
}

absl::StatusOr<absl::Time> FromAsn1Time(const ASN1_TIME* time) {
  const ErrorQueueScope errors;
  std::tm fields{};
  // A null time would mean "now" to OpenSSL.
  if (time == nullptr || ASN1_TIME_check(time) != 1 || ASN1_TIME_to_tm(time, &fields) != 1) {
    return absl::InvalidArgumentError("certificate: malformed time");
  }
  return absl::FromCivil(absl::CivilSecond(fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                                           fields.tm_hour, fields.tm_min, fields.tm_sec),
                         absl::UTCTimeZone());
}

bool IsHostName(absl::string_view text) {
  if (text.empty() || text.size() > kHostNameBytesMax) {
    return false;
  }
  const std::vector<absl::string_view> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
    // A label is a trust domain of one label.
    return label.size() <= 63 && IsTrustDomain(label);
  });
}

GeneralNamesPtr MakeAlternativeNames(const SpiffeId& id,
                                     const std::vector<std::string>& dns_names) {
  GeneralNamesPtr names(GENERAL_NAMES_new());
  if (names == nullptr || !Append(names.get(), GEN_URI, id.ToString())) {
    return nullptr;
  }
  for (const std::string& dns_name : dns_names) {
    if (!Append(names.get(), GEN_DNS, dns_name)) {
      return nullptr;
    }
  }
  return names;
}

absl::StatusOr<AlternativeNames> ReadAlternativeNames(const GENERAL_NAMES& names) {
  AlternativeNames found;
  for (int i = 0; i < sk_GENERAL_NAME_num(&names); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(&names, i), &type);
    if (type == GEN_URI && !found.spiffe_id.has_value()) {
      CARNET_ASSIGN_OR_RETURN(found.spiffe_id,
                              SpiffeId::Parse(TextOf(static_cast<const ASN1_STRING*>(value))));
      continue;
    }
    if (type == GEN_DNS && found.dns_names.size() < kDnsNamesMax) {
      const absl::string_view name = TextOf(static_cast<const ASN1_STRING*>(value));
      if (IsHostName(name)) {
        found.dns_names.emplace_back(name);
        continue;
      }
    }
    return absl::InvalidArgumentError("certificate: an alternative name that is not allowed");
  }
  return found;
}

}  // namespace carnet::crypto::x509_internal
