#include "exchange/expected.h"

#include <set>

#include "absl/strings/str_join.h"
#include "crypto/spiffe.h"
#include "exchange/artifact.h"

namespace carnet::exchange {
namespace {

using Authorisations = google::protobuf::RepeatedPtrField<v1::Authorisation>;

std::string Ends(const Authorisations& authorisations, v1::Operation operation, bool origins) {
  std::set<std::string> codes;
  for (const v1::Authorisation& authorisation : authorisations) {
    const v1::Flow& flow = authorisation.flow();
    if (flow.operation() == operation) {
      codes.insert(origins ? flow.from() : flow.to());
    }
  }
  return absl::StrJoin(codes, ",");
}

// The coordinator's id; empty for a trust domain that is none, which no header may carry.
std::string CoordinatorId(absl::string_view trust_domain) {
  const auto id = crypto::SpiffeId::Coordinator(trust_domain);
  return id.ok() ? id->ToString() : std::string();
}

std::string TrustDomainOf(absl::string_view spiffe_id) {
  const auto id = crypto::SpiffeId::Parse(spiffe_id);
  return id.ok() ? id->trust_domain() : std::string();
}

}  // namespace

std::string FlowOrigins(const Authorisations& authorisations, v1::Operation operation) {
  return Ends(authorisations, operation, true);
}

std::string FlowDestinations(const Authorisations& authorisations, v1::Operation operation) {
  return Ends(authorisations, operation, false);
}

v1::ArtifactHeader ModelHeader(const ModelHeaderFacts& facts) {
  v1::ArtifactHeader header;
  header.set_version(kArtifactVersion);
  header.set_kind(kKindModel);
  header.set_trust_domain(std::string(facts.trust_domain));
  header.set_job_id(std::string(facts.job_id));
  header.set_round(facts.round);
  header.set_attempt(facts.attempt);
  header.set_sender(CoordinatorId(facts.trust_domain));
  header.set_from_jurisdiction(std::string(facts.home_jurisdiction));
  header.set_bundle_sha256(ToString(facts.bundle_sha256));
  header.set_base_model_sha256(ToString(facts.model_sha256));
  header.set_layout_sha256(ToString(facts.layout_sha256));
  header.set_plaintext_bytes(facts.model_bytes);
  header.set_key_id(std::string(facts.key_id));
  return header;
}

v1::ArtifactHeader DeltaHeader(const v1::RoundOpened& opened, const v1::RoundMember& member,
                               const DeltaHeaderFacts& facts) {
  v1::ArtifactHeader header;
  header.set_version(kArtifactVersion);
  header.set_kind(kKindDelta);
  header.set_trust_domain(TrustDomainOf(facts.worker_spiffe_id));
  header.set_job_id(opened.job_id());
  header.set_round(opened.round());
  header.set_attempt(opened.attempt());
  header.set_sender(std::string(facts.worker_spiffe_id));
  header.set_recipient(CoordinatorId(header.trust_domain()));
  header.set_from_jurisdiction(FlowOrigins(member.authorisations(), v1::OPERATION_SEND_DELTA));
  header.set_to_jurisdiction(FlowDestinations(member.authorisations(), v1::OPERATION_SEND_DELTA));
  header.set_bundle_sha256(opened.basis().bundle_sha256());
  header.set_base_model_sha256(opened.model_sha256());
  header.set_layout_sha256(ToString(facts.layout_sha256));
  header.set_codec(std::string(facts.codec));
  header.set_plaintext_bytes(facts.encoded_bytes);
  header.set_key_id(opened.round_key_id());
  return header;
}

v1::ArtifactHeader ShardHeader(const v1::StagingOrdered& ordered, const ShardHeaderFacts& facts) {
  v1::ArtifactHeader header;
  header.set_version(kArtifactVersion);
  header.set_kind(kKindShard);
  header.set_trust_domain(TrustDomainOf(facts.from_spiffe_id));
  header.set_job_id(ordered.staging_id());
  header.set_sender(std::string(facts.from_spiffe_id));
  header.set_recipient(std::string(facts.to_spiffe_id));
  header.set_from_jurisdiction(FlowOrigins(ordered.authorisations(), v1::OPERATION_STAGE_DATA));
  header.set_to_jurisdiction(FlowDestinations(ordered.authorisations(), v1::OPERATION_STAGE_DATA));
  header.set_bundle_sha256(ordered.basis().bundle_sha256());
  header.set_plaintext_bytes(facts.archive_bytes);
  header.set_key_id(std::string(facts.key_id));
  return header;
}

}  // namespace carnet::exchange
