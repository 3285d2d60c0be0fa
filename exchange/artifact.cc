#include "exchange/artifact.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/sealed.h"
#include "crypto/spiffe.h"
#include "exchange/signed_bytes.h"

namespace carnet::exchange {
namespace {

constexpr absl::string_view kDekInfo = "carnet/dek/v1";
constexpr absl::string_view kSignaturePrefix = "carnet/artifact/v1";
constexpr std::size_t kIdCharsMax = 64;
constexpr std::size_t kJurisdictionsBytesMax = 512;

absl::Status FieldError(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("artifact header: field ", field, " is not valid; expected ", expected));
}

// ISO 3166-1 alpha-2, 3166-2 or a zone of a country (policies.proto), such as DE, US-CA or AE-DIFC.
bool IsJurisdiction(absl::string_view code) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (code.size() < 2 || code.size() > 16 || !is_capital(code[0]) || !is_capital(code[1])) {
    return false;
  }
  if (code.size() == 2) {
    return true;
  }
  return code.size() > 3 && code[2] == '-' &&
         std::all_of(code.begin() + 3, code.end(),
                     [&](char c) { return is_capital(c) || (c >= '0' && c <= '9'); });
}

absl::Status CheckJurisdictions(absl::string_view field, absl::string_view text) {
  if (text.empty()) {
    return absl::OkStatus();
  }
  const std::vector<absl::string_view> codes = absl::StrSplit(text, ',');
  const bool ordered =
      std::adjacent_find(codes.begin(), codes.end(), std::greater_equal<>()) == codes.end();
  if (text.size() > kJurisdictionsBytesMax || !ordered ||
      !std::all_of(codes.begin(), codes.end(), IsJurisdiction)) {
    return FieldError(field, "jurisdiction codes in ascending order, joined by ','");
  }
  return absl::OkStatus();
}

absl::Status CheckParty(absl::string_view field, const std::string& text,
                        absl::string_view trust_domain) {
  const auto id = crypto::SpiffeId::Parse(text);
  if (!id.ok() || id->trust_domain() != trust_domain) {
    return FieldError(field, "a SPIFFE id of the trust domain");
  }
  return absl::OkStatus();
}

absl::Status CheckDigest(absl::string_view field, const std::string& digest, bool optional) {
  if (digest.size() == kDigestBytes || (optional && digest.empty())) {
    return absl::OkStatus();
  }
  return FieldError(field, "32 bytes");
}

// A job's, staging's or key's id: generated, so lower case and short.
absl::Status CheckId(absl::string_view field, absl::string_view text) {
  const bool good = !text.empty() && text.size() <= kIdCharsMax &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  return good ? absl::OkStatus() : FieldError(field, "1 to 64 of [a-z0-9-]");
}

absl::Status CheckSealedToOne(const v1::ArtifactHeader& header) {
  if (header.recipient().empty()) {
    return FieldError("recipient", "the one reader");
  }
  if (header.encapsulated().size() != crypto::kHpkeEncapsulatedBytes) {
    return FieldError("encapsulated", "32 bytes");
  }
  if (header.wrapped_key().size() != kWrappedKeyBytes) {
    return FieldError("wrapped_key", "48 bytes");
  }
  if (header.salt().size() != crypto::kSealedSaltBytes) {
    return FieldError("salt", "24 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckKind(const v1::ArtifactHeader& header) {
  if (header.kind() == kKindModel) {
    if (!header.encapsulated().empty() || !header.wrapped_key().empty() || !header.salt().empty()) {
      return FieldError("wrapped_key", "nothing: a model's key is wrapped outside the header");
    }
    if (!header.codec().empty()) {
      return FieldError("codec", "nothing for a model");
    }
    return absl::OkStatus();
  }
  if (header.kind() == kKindDelta) {
    if (header.codec() != "fp32" && header.codec() != "int8") {
      return FieldError("codec", "fp32 or int8");
    }
    return CheckSealedToOne(header);
  }
  if (header.kind() == kKindShard) {
    if (!header.codec().empty()) {
      return FieldError("codec", "nothing for a shard");
    }
    return CheckSealedToOne(header);
  }
  return FieldError("kind", "model, delta or shard");
}

absl::Status CheckFields(const v1::ArtifactHeader& header) {
  if (header.version() != kArtifactVersion) {
    return FieldError("version", "1");
  }
  if (!crypto::IsTrustDomain(header.trust_domain())) {
    return FieldError("trust_domain", "a trust domain");
  }
  CARNET_RETURN_IF_ERROR(CheckId("job_id", header.job_id()));
  CARNET_RETURN_IF_ERROR(CheckId("key_id", header.key_id()));
  CARNET_RETURN_IF_ERROR(CheckParty("sender", header.sender(), header.trust_domain()));
  if (!header.recipient().empty()) {
    CARNET_RETURN_IF_ERROR(CheckParty("recipient", header.recipient(), header.trust_domain()));
  }
  CARNET_RETURN_IF_ERROR(CheckJurisdictions("from_jurisdiction", header.from_jurisdiction()));
  CARNET_RETURN_IF_ERROR(CheckJurisdictions("to_jurisdiction", header.to_jurisdiction()));
  const bool shard = header.kind() == kKindShard;
  CARNET_RETURN_IF_ERROR(CheckDigest("bundle_sha256", header.bundle_sha256(), false));
  CARNET_RETURN_IF_ERROR(CheckDigest("base_model_sha256", header.base_model_sha256(), shard));
  CARNET_RETURN_IF_ERROR(CheckDigest("layout_sha256", header.layout_sha256(), shard));
  if (header.plaintext_bytes() > crypto::kSealedPlainBytesMax) {
    return FieldError("plaintext_bytes", "a size that can be sealed");
  }
  return CheckKind(header);
}

Bytes DekInfo(const v1::ArtifactHeader& header) {
  v1::ArtifactHeader bare = header;
  bare.clear_encapsulated();
  bare.clear_wrapped_key();
  return DigestMessage(kDekInfo, bare);
}

absl::StatusOr<crypto::SecretBytes> Unwrap(const v1::ArtifactHeader& header,
                                           const std::string& encapsulated,
                                           const std::string& ciphertext,
                                           const crypto::X25519KeyPair& recipient) {
  crypto::HpkeEncapsulated enc;
  if (encapsulated.size() != enc.size() || ciphertext.size() != kWrappedKeyBytes) {
    return absl::InvalidArgumentError("artifact: the wrapped key has a wrong size");
  }
  std::copy(encapsulated.begin(), encapsulated.end(), enc.begin());
  return crypto::HpkeOpen(recipient, enc, DekInfo(header), AsBytes(header.key_id()),
                          AsBytes(ciphertext));
}

absl::StatusOr<crypto::HpkeSealed> Wrap(const v1::ArtifactHeader& header,
                                        const crypto::SecretBytes& data_key,
                                        const crypto::X25519PublicKey& recipient, Rng& rng) {
  if (data_key.size() != crypto::kDataKeyBytes) {
    return absl::InvalidArgumentError("artifact: a data key has 32 bytes");
  }
  return crypto::HpkeSeal(recipient, DekInfo(header), AsBytes(header.key_id()), data_key.View(),
                          rng);
}

Bytes SignedMessage(const Digest& header_sha256, const Digest& sealed_sha256) {
  Bytes message = ToBytes(kSignaturePrefix);
  message.insert(message.end(), header_sha256.begin(), header_sha256.end());
  message.insert(message.end(), sealed_sha256.begin(), sealed_sha256.end());
  return message;
}

}  // namespace

absl::StatusOr<Header> MakeHeader(v1::ArtifactHeader fields) {
  CARNET_RETURN_IF_ERROR(CheckFields(fields));
  Header header;
  header.bytes = SerialiseDeterministically(fields);
  if (header.bytes.size() > kArtifactHeaderBytesMax) {
    return absl::InvalidArgumentError("artifact header: more than 16 KiB");
  }
  header.sha256 = crypto::Sha256(AsBytes(header.bytes));
  header.fields = std::move(fields);
  return header;
}

absl::StatusOr<Header> ParseHeader(ByteView bytes) {
  if (bytes.size() > kArtifactHeaderBytesMax) {
    return absl::InvalidArgumentError("artifact header: more than 16 KiB");
  }
  v1::ArtifactHeader fields;
  if (!fields.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("artifact header: malformed");
  }
  if (!fields.GetReflection()->GetUnknownFields(fields).empty()) {
    return absl::InvalidArgumentError("artifact header: an unknown field");
  }
  CARNET_ASSIGN_OR_RETURN(Header header, MakeHeader(std::move(fields)));
  if (header.bytes != AsText(bytes)) {
    return absl::InvalidArgumentError("artifact header: not in its one serialisation");
  }
  return header;
}

absl::Status CompareHeaders(const v1::ArtifactHeader& expected, const v1::ArtifactHeader& got,
                            std::span<const int> skip) {
  const google::protobuf::Descriptor* descriptor = v1::ArtifactHeader::descriptor();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    fields.push_back(descriptor->field(i));
  }
  std::sort(fields.begin(), fields.end(),
            [](const auto* a, const auto* b) { return a->number() < b->number(); });
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (std::find(skip.begin(), skip.end(), field->number()) != skip.end()) {
      continue;
    }
    google::protobuf::util::MessageDifferencer differencer;
    if (!differencer.CompareWithFields(expected, got, {field}, {field})) {
      return absl::FailedPreconditionError(
          absl::StrCat("artifact header: field ", field->name(), " is not the expected one"));
    }
  }
  return absl::OkStatus();
}

absl::Status WrapKeyInHeader(const crypto::SecretBytes& data_key,
                             const crypto::X25519PublicKey& recipient, Rng& rng,
                             v1::ArtifactHeader* header) {
  CARNET_ASSIGN_OR_RETURN(const crypto::HpkeSealed sealed, Wrap(*header, data_key, recipient, rng));
  header->set_encapsulated(ToString(sealed.encapsulated));
  header->set_wrapped_key(ToString(sealed.ciphertext));
  return absl::OkStatus();
}

absl::StatusOr<crypto::SecretBytes> UnwrapKeyInHeader(const v1::ArtifactHeader& header,
                                                      const crypto::X25519KeyPair& recipient) {
  return Unwrap(header, header.encapsulated(), header.wrapped_key(), recipient);
}

absl::StatusOr<v1::WrappedKey> WrapKeyFor(const v1::ArtifactHeader& header,
                                          const crypto::SecretBytes& data_key,
                                          const crypto::X25519PublicKey& recipient, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::HpkeSealed sealed, Wrap(header, data_key, recipient, rng));
  v1::WrappedKey wrapped;
  wrapped.set_key_id(header.key_id());
  wrapped.set_encapsulated(ToString(sealed.encapsulated));
  wrapped.set_ciphertext(ToString(sealed.ciphertext));
  return wrapped;
}

absl::StatusOr<crypto::SecretBytes> UnwrapKey(const v1::ArtifactHeader& header,
                                              const v1::WrappedKey& wrapped,
                                              const crypto::X25519KeyPair& recipient) {
  if (wrapped.key_id() != header.key_id()) {
    return absl::InvalidArgumentError("artifact: the wrapped key is another one");
  }
  return Unwrap(header, wrapped.encapsulated(), wrapped.ciphertext(), recipient);
}

crypto::Ed25519Signature SignArtifact(const crypto::Ed25519KeyPair& sender,
                                      const Digest& header_sha256, const Digest& sealed_sha256) {
  return sender.Sign(SignedMessage(header_sha256, sealed_sha256));
}

absl::Status VerifyArtifactSignature(const crypto::Ed25519PublicKey& sender,
                                     const Digest& header_sha256, const Digest& sealed_sha256,
                                     ByteView signature) {
  if (!crypto::Ed25519Verify(sender, SignedMessage(header_sha256, sealed_sha256), signature)) {
    return absl::UnauthenticatedError("artifact: the sender's signature does not verify");
  }
  return absl::OkStatus();
}

}  // namespace carnet::exchange
