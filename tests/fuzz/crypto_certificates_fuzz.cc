// Texts that peers send about who they are: refused, or read to what they would be written as. The
// first byte says which parser gets the rest.
#include "absl/time/time.h"
#include "base/status.h"
#include "crypto/authority.h"
#include "crypto/certificates.h"
#include "crypto/spiffe.h"

namespace {

void CheckInfo(const absl::StatusOr<carnet::crypto::CertificateInfo>& info) {
  if (!info.ok()) {
    return;
  }
  CARNET_CHECK(info->spki.size() == carnet::crypto::kP256SpkiBytes);
  CARNET_CHECK(info->dns_names.size() <= carnet::crypto::kDnsNamesMax);
  CARNET_CHECK(info->subject_name.size() <= carnet::crypto::kCertificateNameBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using carnet::crypto::SpiffeId;
  if (size_bytes == 0) {
    return 0;
  }
  const carnet::ByteView bytes(data + 1, size_bytes - 1);
  const absl::string_view text = carnet::AsText(bytes);
  switch (data[0]) {
    case 'd':
      CheckInfo(carnet::crypto::ParseCertificateDer(bytes));
      break;
    case 'p':
      CheckInfo(carnet::crypto::ParseCertificatePem(text));
      // Nothing signs itself into being a party.
      CARNET_CHECK(
          !carnet::crypto::VerifyCertificate(text, text, absl::FromUnixSeconds(1'800'000'000))
               .ok());
      break;
    case 'a':
      CheckInfo(carnet::crypto::VerifyAuthority(text));
      break;
    case 'r': {
      const auto request = carnet::crypto::VerifyCertificateRequest(text);
      CARNET_CHECK(!request.ok() || request->spki.size() == carnet::crypto::kP256SpkiBytes);
      break;
    }
    case 's': {
      const auto id = SpiffeId::Parse(text);
      CARNET_CHECK(!id.ok() || id->ToString() == text);
      break;
    }
    default:
      break;
  }
  return 0;
}
