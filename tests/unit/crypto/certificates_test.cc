#include "crypto/certificates.h"

#include <openssl/pem.h>

#include <catch2/catch.hpp>

#include "crypto/hash.h"
#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'760'000'000);
const Validity kYears{kNow, kNow + absl::Hours(24 * 3650)};
const Validity kWeek{kNow, kNow + absl::Hours(24 * 7)};

SpiffeId WorkerId(absl::string_view slot = "sg-1") {
  return *SpiffeId::Worker("acme.example", "sg", "lion", slot);
}

CertificateAuthority Authority(absl::string_view name = "acme.example CA", std::uint8_t seed = 1) {
  CountingRng rng(seed);
  return *CertificateAuthority::Create(name, kYears, rng);
}

CertificateOrder Order(const P256Key& key) {
  return {.spki = key.spki(), .id = WorkerId(), .client = true, .validity = kWeek};
}

std::string Issue(const CertificateAuthority& authority, const CertificateOrder& order) {
  CountingRng rng(9);
  const auto pem = IssueCertificate(authority, order, rng);
  REQUIRE(pem.ok());
  return *pem;
}

// The same text with one byte of its DER changed.
std::string FlipDerByte(const std::string& pem, std::size_t at) {
  const std::size_t begin = pem.find('\n') + 1;
  const std::size_t end = pem.find("-----END");
  std::string body = pem.substr(begin, end - begin);
  std::erase(body, '\n');
  Bytes der = *Base64Decode(body);
  der.at(at % der.size()) ^= 1U;
  const std::string text = Base64Encode(der);
  std::string out = pem.substr(0, begin);
  for (std::size_t i = 0; i < text.size(); i += 64) {
    out += text.substr(i, 64) + "\n";
  }
  return out + pem.substr(end);
}

TEST_CASE("Certificates: what is issued says what was ordered and verifies") {
  const CertificateAuthority authority = Authority();
  const P256Key key = *P256Key::Generate();
  CertificateOrder order = Order(key);
  order.server = true;
  order.dns_names = {"coordinator.acme.example", "localhost"};
  const std::string pem = Issue(authority, order);

  const auto info = VerifyCertificate(pem, authority.certificate_pem(), kNow);
  REQUIRE(info.ok());
  CHECK(info->spiffe_id == WorkerId());
  CHECK(info->subject_name == "sg-1");
  CHECK(info->dns_names == order.dns_names);
  CHECK(info->validity.not_before == kWeek.not_before);
  CHECK(info->validity.not_after == kWeek.not_after);
  CHECK(info->spki == key.spki());
  CHECK(info->spki_sha256 == Sha256(key.spki()));
  CHECK(info->server);
  CHECK(info->client);
  CHECK_FALSE(info->is_authority);
  // 9, 10, ... with the two top bits of the first byte set to 01.
  CHECK(info->serial_hex == "490a0b0c0d0e0f101112131415161718");
  const auto root = ParseCertificatePem(authority.certificate_pem());
  REQUIRE(root.ok());
  CHECK(root->is_authority);
  CHECK(root->subject_name == "acme.example CA");
  CHECK(root->spki_sha256 == authority.key().spki_sha256());
  CHECK_FALSE(root->subject_key_id_hex.empty());
  CHECK(info->authority_key_id_hex == root->subject_key_id_hex);
  CHECK_FALSE(root->spiffe_id.has_value());
  CHECK_FALSE(root->server);
  CHECK_FALSE(root->client);
}

TEST_CASE("Certificates: hold from their first to their last second, both included") {
  const CertificateAuthority authority = Authority();
  const P256Key key = *P256Key::Generate();
  const std::string pem = Issue(authority, Order(key));
  const auto at = [&](absl::Time time) {
    return CodeOf(VerifyCertificate(pem, authority.certificate_pem(), time));
  };
  CHECK(at(kWeek.not_before) == absl::StatusCode::kOk);
  CHECK(at(kWeek.not_after) == absl::StatusCode::kOk);
  CHECK(at(kWeek.not_before - absl::Seconds(1)) == absl::StatusCode::kFailedPrecondition);
  CHECK(at(kWeek.not_after + absl::Seconds(1)) == absl::StatusCode::kFailedPrecondition);
  CHECK(at(absl::InfiniteFuture()) == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Certificates: an expired authority verifies nothing") {
  CountingRng rng;
  const auto authority = CertificateAuthority::Create("short", kWeek, rng);
  REQUIRE(authority.ok());
  const P256Key key = *P256Key::Generate();
  const std::string pem = Issue(*authority, Order(key));
  CHECK(VerifyCertificate(pem, authority->certificate_pem(), kWeek.not_after).ok());
  CHECK(CodeOf(VerifyCertificate(pem, authority->certificate_pem(),
                                 kWeek.not_after + absl::Seconds(1))) ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Certificates: those of another authority are refused, also under the same name") {
  const CertificateAuthority authority = Authority();
  const CertificateAuthority twin = Authority();  // Same name and serial, another key.
  const CertificateAuthority other = Authority("other", 5);
  const P256Key key = *P256Key::Generate();
  for (const CertificateAuthority* issuer : {&twin, &other}) {
    const std::string pem = Issue(*issuer, Order(key));
    CHECK(CodeOf(VerifyCertificate(pem, authority.certificate_pem(), kNow)) ==
          absl::StatusCode::kUnauthenticated);
  }
}

TEST_CASE("Certificates: no byte may change") {
  const CertificateAuthority authority = Authority();
  const P256Key key = *P256Key::Generate();
  const std::string pem = Issue(authority, Order(key));
  for (std::size_t at = 0; at < 700; at += 3) {
    CAPTURE(at);
    CHECK_FALSE(VerifyCertificate(FlipDerByte(pem, at), authority.certificate_pem(), kNow).ok());
  }
}

TEST_CASE("Certificates: an authority is no party, and a party is no authority") {
  const CertificateAuthority authority = Authority();
  CHECK(CodeOf(VerifyCertificate(authority.certificate_pem(), authority.certificate_pem(), kNow)) ==
        absl::StatusCode::kUnauthenticated);
  const P256Key key = *P256Key::Generate();
  const std::string pem = Issue(authority, Order(key));
  CHECK(CodeOf(VerifyCertificate(pem, pem, kNow)) == absl::StatusCode::kInvalidArgument);
  // A party that issues with its own certificate: it cannot even load it as an authority.
  CHECK(CodeOf(CertificateAuthority::Load(*key.ToPem(), pem)) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificates: an authority loads from its two texts, which must belong together") {
  const CertificateAuthority authority = Authority();
  const SecretBytes key_pem = *authority.key().ToPem();
  const auto loaded = CertificateAuthority::Load(key_pem, authority.certificate_pem());
  REQUIRE(loaded.ok());
  const P256Key key = *P256Key::Generate();
  CHECK(VerifyCertificate(Issue(*loaded, Order(key)), authority.certificate_pem(), kNow).ok());
  CHECK(CodeOf(CertificateAuthority::Load(*key.ToPem(), authority.certificate_pem())) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificates: orders that make no sense are refused") {
  const CertificateAuthority authority = Authority();
  const P256Key key = *P256Key::Generate();
  CountingRng rng;
  const auto code = [&](const CertificateOrder& order) {
    return CodeOf(IssueCertificate(authority, order, rng));
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CertificateOrder order = Order(key);
  order.client = false;
  CHECK(code(order) == invalid);
  order = Order(key);
  order.validity.not_after = kYears.not_after + absl::Seconds(1);
  CHECK(code(order) == invalid);
  order = Order(key);
  order.validity = {kNow, kNow - absl::Seconds(1)};
  CHECK(code(order) == invalid);
  order.validity = {absl::InfinitePast(), kNow};
  CHECK(code(order) == invalid);
  for (const char* name : {"", "Upper.example", "*.example", "a..b", "a b", "-a", "host:1"}) {
    order = Order(key);
    order.dns_names = {name};
    CHECK(code(order) == invalid);
  }
  order = Order(key);
  order.dns_names.assign(kDnsNamesMax + 1, "a");
  CHECK(code(order) == invalid);
  order = Order(key);
  order.spki[40] ^= 1U;  // No longer a point of the curve.
  CHECK(code(order) == invalid);
  order.spki = Bytes(91);
  CHECK(code(order) == invalid);
  CHECK(CodeOf(CertificateAuthority::Create("bad\nname", kYears, rng)) == invalid);
  CHECK(CodeOf(CertificateAuthority::Create("", kYears, rng)) == invalid);
}

TEST_CASE("Certificates: a text is one PEM block and nothing else") {
  const std::string pem = Authority().certificate_pem();
  REQUIRE(ParseCertificatePem(pem).ok());
  std::string crlf = pem;
  crlf.insert(crlf.find('\n'), "\r");
  for (const std::string& bad : std::vector<std::string>{
           "", pem + pem, pem + "\n", " " + pem, "x\n" + pem, pem.substr(0, pem.size() - 1), crlf,
           pem.substr(0, pem.size() / 2), std::string(kCertificatePemBytesMax + 1, 'A'),
           "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}) {
    CAPTURE(bad.size());
    CHECK(CodeOf(ParseCertificatePem(bad)) == absl::StatusCode::kInvalidArgument);
  }
  CHECK(CodeOf(ParseCertificateDer({})) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(ParseCertificateDer(Bytes(100, 0x30))) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificate requests: prove the key and carry the id asked for") {
  const P256Key key = *P256Key::Generate();
  const auto pem = MakeCertificateRequest(key, WorkerId());
  REQUIRE(pem.ok());
  const auto request = VerifyCertificateRequest(*pem);
  REQUIRE(request.ok());
  CHECK(request->spki == key.spki());
  CHECK(request->id == WorkerId());
}

TEST_CASE("Certificate requests: no byte may change") {
  const P256Key key = *P256Key::Generate();
  const std::string pem = *MakeCertificateRequest(key, WorkerId());
  for (std::size_t at = 0; at < 400; ++at) {
    CAPTURE(at);
    CHECK(CodeOf(VerifyCertificateRequest(FlipDerByte(pem, at))) ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(CodeOf(VerifyCertificateRequest(pem + "x")) == absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(VerifyCertificateRequest(Authority().certificate_pem())) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("P-256: keys survive their text, and signatures prove possession") {
  const P256Key key = *P256Key::Generate();
  const auto pem = key.ToPem();
  REQUIRE(pem.ok());
  const auto loaded = P256Key::FromPem(*pem);
  REQUIRE(loaded.ok());
  CHECK(loaded->spki() == key.spki());
  CHECK(key.spki().size() == kP256SpkiBytes);

  const auto signature = loaded->Sign(AsBytes("nonce"));
  REQUIRE(signature.ok());
  CHECK(P256Verify(key.spki(), AsBytes("nonce"), *signature));
  CHECK_FALSE(P256Verify(key.spki(), AsBytes("other"), *signature));
  CHECK_FALSE(P256Verify(P256Key::Generate()->spki(), AsBytes("nonce"), *signature));
  Bytes longer = *signature;
  longer.push_back(0);
  CHECK_FALSE(P256Verify(key.spki(), AsBytes("nonce"), longer));
  CHECK_FALSE(P256Verify(key.spki(), AsBytes("nonce"), {}));
  CHECK_FALSE(P256Verify({}, AsBytes("nonce"), *signature));
}

TEST_CASE("P-256: verifies a signature that is known from elsewhere") {
  // RFC 6979 A.2.5, P-256 with SHA-256, message "sample".
  const Bytes spki =
      Hex("3059301306072a8648ce3d020106082a8648ce3d030107034200"
          "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
          "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
  const Bytes signature =
      Hex("3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
          "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
  CHECK(P256Verify(spki, AsBytes("sample"), signature));
  CHECK_FALSE(P256Verify(spki, AsBytes("Sample"), signature));
}

TEST_CASE("P-256: a private key is one canonical PKCS 8 text of that curve") {
  const auto refused = [](const SecretBytes& pem) {
    return CodeOf(P256Key::FromPem(pem)) == absl::StatusCode::kInvalidArgument;
  };
  const SecretBytes pem = *P256Key::Generate()->ToPem();
  const std::string text = ToString(pem.View());
  const auto secret = [](const std::string& s) { return SecretBytes::Copy(AsBytes(s)); };
  CHECK(refused(secret(text + "\n")));
  CHECK(refused(secret(text + text)));
  CHECK(refused(secret("\n" + text)));
  CHECK(refused(secret("")));
  CHECK(refused(SecretBytes(kP256PemBytesMax + 1)));
  // Other kinds of key, and one that is locked by a pass phrase (no terminal is asked).
  for (const char* kind : {"ED25519", "X25519"}) {
    const EvpPkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, kind));
    const BioPtr bio(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                          nullptr) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    CHECK(refused(secret(std::string(data, static_cast<std::size_t>(size)))));
  }
}

}  // namespace
}  // namespace carnet::crypto
