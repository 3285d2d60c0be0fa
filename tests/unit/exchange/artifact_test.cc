#include "exchange/artifact.h"

#include <catch2/catch.hpp>
#include <functional>

#include "tests/unit/exchange/test_headers.h"

namespace carnet::exchange {
namespace {

struct BadField {
  const char* name;
  std::function<void(v1::ArtifactHeader&)> spoil;
};

TEST_CASE("Artifact: a header has one serialisation, and parsing gives the fields back") {
  for (const v1::ArtifactHeader& fields : {ModelFields(), DeltaFields()}) {
    const auto made = MakeHeader(fields);
    REQUIRE(made.ok());
    const auto parsed = ParseHeader(AsBytes(made->bytes));
    REQUIRE(parsed.ok());
    CHECK(parsed->bytes == made->bytes);
    CHECK(parsed->sha256 == made->sha256);
    CHECK(parsed->fields.SerializeAsString() == fields.SerializeAsString());
  }
}

TEST_CASE("Artifact: a header whose fields break a rule is refused, naming the field") {
  const std::vector<BadField> cases = {
      {"version", [](auto& h) { h.set_version(2); }},
      {"kind", [](auto& h) { h.set_kind("weights"); }},
      {"trust_domain", [](auto& h) { h.set_trust_domain("Acme"); }},
      {"job_id", [](auto& h) { h.set_job_id("../x"); }},
      {"key_id", [](auto& h) { h.set_key_id(""); }},
      {"sender", [](auto& h) { h.set_sender("spiffe://other.example/coordinator"); }},
      {"recipient", [](auto& h) { h.set_recipient("nobody"); }},
      {"from_jurisdiction", [](auto& h) { h.set_from_jurisdiction("SG,DE"); }},
      {"to_jurisdiction", [](auto& h) { h.set_to_jurisdiction("Germany"); }},
      {"bundle_sha256", [](auto& h) { h.set_bundle_sha256("short"); }},
      {"base_model_sha256", [](auto& h) { h.clear_base_model_sha256(); }},
      {"layout_sha256", [](auto& h) { h.set_layout_sha256(std::string(33, 'l')); }},
      {"codec", [](auto& h) { h.set_codec("bf16"); }},
      {"plaintext_bytes", [](auto& h) { h.set_plaintext_bytes(~std::uint64_t{0}); }},
      {"encapsulated", [](auto& h) { h.clear_encapsulated(); }},
      {"wrapped_key", [](auto& h) { h.set_wrapped_key("w"); }},
      {"salt", [](auto& h) { h.clear_salt(); }},
      {"recipient", [](auto& h) { h.clear_recipient(); }},
  };
  for (const BadField& bad : cases) {
    CAPTURE(bad.name);
    v1::ArtifactHeader fields = DeltaFields();
    bad.spoil(fields);
    const auto made = MakeHeader(fields);
    CHECK(made.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(made.status().message()).find(bad.name) != std::string::npos);
    CHECK_FALSE(ParseHeader(AsBytes(fields.SerializeAsString())).ok());
  }
}

TEST_CASE("Artifact: a model's header carries no wrapped key") {
  v1::ArtifactHeader fields = ModelFields();
  fields.set_wrapped_key(std::string(48, 'w'));
  CHECK_FALSE(MakeHeader(fields).ok());
}

TEST_CASE("Artifact: unknown fields, other serialisations, cut and oversized headers are refused") {
  const auto made = MakeHeader(DeltaFields());
  REQUIRE(made.ok());
  // Field 99, varint 1: unknown to this version.
  const std::string unknown = made->bytes + std::string("\x98\x06\x01", 3);
  CHECK_FALSE(ParseHeader(AsBytes(unknown)).ok());
  // Field 5 (round) once more: the same message, another text.
  const std::string repeated = made->bytes + std::string("\x28\x03", 2);
  CHECK_FALSE(ParseHeader(AsBytes(repeated)).ok());
  for (std::size_t cut = 0; cut < made->bytes.size(); ++cut) {
    CHECK_FALSE(ParseHeader(AsBytes(made->bytes).first(cut)).ok());
  }
  CHECK_FALSE(ParseHeader(Bytes(kArtifactHeaderBytesMax + 1)).ok());
}

TEST_CASE("Artifact: the first field that differs is named, the sealer's own are skipped") {
  const v1::ArtifactHeader expected = DeltaFields();
  v1::ArtifactHeader got = DeltaFields();
  got.set_salt(std::string(24, 'x'));
  CHECK(CompareHeaders(expected, got, kSealerFields).ok());
  CHECK(CompareHeaders(expected, got, {}).code() == absl::StatusCode::kFailedPrecondition);
  got.set_codec("int8");
  got.set_attempt(2);
  const absl::Status status = CompareHeaders(expected, got, kSealerFields);
  CHECK(status.message() == "artifact header: field attempt is not the expected one");
}

TEST_CASE("Artifact: a data key opens only for its reader, under its header and key id") {
  CountingRng rng(1);
  const auto reader = crypto::X25519KeyPair::Generate(rng);
  const auto other = crypto::X25519KeyPair::Generate(rng);
  const auto data_key = crypto::SecretBytes::Random(rng, 32);
  v1::ArtifactHeader fields = DeltaFields();
  REQUIRE(WrapKeyInHeader(data_key, reader.public_key(), rng, &fields).ok());
  const auto opened = UnwrapKeyInHeader(fields, reader);
  REQUIRE(opened.ok());
  CHECK(crypto::ConstantTimeEquals(opened->View(), data_key.View()));

  CHECK(UnwrapKeyInHeader(fields, other).status().code() == absl::StatusCode::kDataLoss);
  v1::ArtifactHeader other_round = fields;
  other_round.set_round(4);
  CHECK(UnwrapKeyInHeader(other_round, reader).status().code() == absl::StatusCode::kDataLoss);
  v1::ArtifactHeader other_key = fields;
  other_key.set_key_id("k-cccccccccccccccc");
  CHECK(UnwrapKeyInHeader(other_key, reader).status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("Artifact: a model's key is wrapped for each reader") {
  CountingRng rng(1);
  const auto reader = crypto::X25519KeyPair::Generate(rng);
  const auto data_key = crypto::SecretBytes::Random(rng, 32);
  const v1::ArtifactHeader fields = ModelFields();
  const auto wrapped = WrapKeyFor(fields, data_key, reader.public_key(), rng);
  REQUIRE(wrapped.ok());
  const auto opened = UnwrapKey(fields, *wrapped, reader);
  REQUIRE(opened.ok());
  CHECK(crypto::ConstantTimeEquals(opened->View(), data_key.View()));
  v1::WrappedKey other = *wrapped;
  other.set_key_id("k-cccccccccccccccc");
  CHECK(UnwrapKey(fields, other, reader).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Artifact: the sender's signature binds header and ciphertext") {
  CountingRng rng(1);
  const auto sender = crypto::Ed25519KeyPair::Generate(rng);
  const auto other = crypto::Ed25519KeyPair::Generate(rng);
  Digest header{};
  Digest sealed{};
  sealed[0] = 1;
  const auto signature = SignArtifact(sender, header, sealed);
  CHECK(VerifyArtifactSignature(sender.public_key(), header, sealed, signature).ok());
  CHECK_FALSE(VerifyArtifactSignature(sender.public_key(), sealed, header, signature).ok());
  CHECK(VerifyArtifactSignature(other.public_key(), header, sealed, signature).code() ==
        absl::StatusCode::kUnauthenticated);
  CHECK_FALSE(VerifyArtifactSignature(sender.public_key(), header, sealed, {}).ok());
}

}  // namespace
}  // namespace carnet::exchange
