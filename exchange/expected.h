// What the header of each artifact must say, from records that both sides hold: the sender fills
// its header with these functions, the receiver compares with them (CompareHeaders). Pure.
#ifndef CARNET_EXCHANGE_EXPECTED_H_
#define CARNET_EXCHANGE_EXPECTED_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "carnet/v1/records.pb.h"

namespace carnet::exchange {

// The distinct `from` (or `to`) of those authorisations of `member` whose flow has `operation`, in
// ascending order, joined by ','. Empty when there is none.
std::string FlowOrigins(const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations,
                        v1::Operation operation);
std::string FlowDestinations(
    const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations,
    v1::Operation operation);

// The sealed model of a round or of an evaluation: one ciphertext for all readers, so it names no
// recipient and no destination.
struct ModelHeaderFacts {
  absl::string_view trust_domain;
  absl::string_view job_id;
  std::uint32_t round = 0;  // of the round, or whose aggregate is evaluated
  std::uint32_t attempt = 0;
  absl::string_view home_jurisdiction;
  ByteView bundle_sha256;  // of the record's basis
  ByteView model_sha256;   // of the plaintext file
  ByteView layout_sha256;  // SHA-256 of Layout::CanonicalBytes
  std::uint64_t model_bytes = 0;
  absl::string_view key_id;
};
v1::ArtifactHeader ModelHeader(const ModelHeaderFacts& facts);

// A delta of `member` in the round that `opened` opened. Jurisdictions are those of the member's
// send_delta authorisations; fields 17 to 19 are the sealer's.
struct DeltaHeaderFacts {
  absl::string_view worker_spiffe_id;
  ByteView layout_sha256;
  absl::string_view codec;          // fp32 | int8
  std::uint64_t encoded_bytes = 0;  // model::EncodedBytes
};
v1::ArtifactHeader DeltaHeader(const v1::RoundOpened& opened, const v1::RoundMember& member,
                               const DeltaHeaderFacts& facts);

// A shard that one worker sends to another. `key_id` and plaintext_bytes are the sender's word: the
// receiver skips fields 15 and 16, and checks the opened shard against its registered digest.
struct ShardHeaderFacts {
  absl::string_view from_spiffe_id;
  absl::string_view to_spiffe_id;
  std::uint64_t archive_bytes = 0;
  absl::string_view key_id;
};
// base_model_sha256 holds nothing here; job_id is the staging id, round and attempt are 0.
v1::ArtifactHeader ShardHeader(const v1::StagingOrdered& ordered, const ShardHeaderFacts& facts);
inline constexpr int kShardSenderFields[] = {15, 16, 17, 18, 19};

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_EXPECTED_H_
