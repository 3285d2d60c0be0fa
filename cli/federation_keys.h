// Which keys a federation has, for somebody who knows its log and nothing else: what an answer of
// the Enrolment service carries, checked. Pure.
#ifndef CARNET_CLI_FEDERATION_KEYS_H_
#define CARNET_CLI_FEDERATION_KEYS_H_

#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/record.h"

namespace carnet::cli {

struct FederationKeys {
  ledger::verifier::TreeHead head;
  ledger::verifier::VerifiedRecord genesis;
  ledger::verifier::KeyHistory history;
};

// log_vkey: trusted, the log's first key or one that it was handed over to. genesis is record 0,
// rotations are every key-rotated in their order, all proven under `head`. Error UNAUTHENTICATED:
// one of these does not hold, or the log never had that key.
absl::StatusOr<FederationKeys> CheckFederation(
    const std::string& log_vkey, const v1::ProvenRecord& genesis,
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations, const std::string& head);

}  // namespace carnet::cli

#endif  // CARNET_CLI_FEDERATION_KEYS_H_
