// What the organisation's own policy engine answered.
#include <algorithm>

#include "absl/status/status.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/transfers.h"
#include "crypto/hash.h"
#include "policies/operations.h"

namespace carnet::coordinator {
namespace {

// The newest error and those before it make it wait: 30 s, 1 min, 2 min … 10 min.
absl::Duration RetryAfter(const State& state, const std::string& input_sha256) {
  const auto known = state.bridge.find(input_sha256);
  absl::Duration wait = kBridgeRetryFirst;
  for (std::uint32_t i = 0;
       known != state.bridge.end() && i < known->second.errors && wait < kBridgeRetryMax; ++i) {
    wait *= 2;
  }
  return std::min(wait, kBridgeRetryMax);
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordBridgeVerdict& command) {
  const State& state = drafts.state();
  v1::BridgeVerdict record = command.verdict;
  CARNET_ASSIGN_OR_RETURN(const policies::FactSet facts,
                          policies::FactSet::FromJson(record.input()));
  if (record.input().size() > kBridgeInputBytesMax || BridgeInput(facts) != record.input()) {
    return absl::InvalidArgumentError("bridge: the input is not what may be asked");
  }
  record.set_input_sha256(ToString(crypto::Sha256(AsBytes(record.input()))));
  v1::Flow* const flow = record.mutable_flow();
  flow->set_operation(policies::OperationFromWord(facts.Get(policies::kOp).text()));
  flow->set_artifact(policies::ArtifactFromWord(facts.Get(policies::kArtifactKind).text()));
  flow->set_from(facts.Get(policies::kFromJurisdiction).text());
  flow->set_to(facts.Get(policies::kToJurisdiction).text());
  flow->set_recipient(facts.Get(policies::kRecipientOrg).text());
  flow->set_label_class(facts.Get(policies::kDataLabel).text());
  record.set_job_id(facts.Get(policies::kJobId).text());
  record.set_bundle_sha256(ToString(state.bundle->sha256()));
  record.set_revision(state.bundle->revision());
  const absl::Duration valid =
      record.outcome() == kBridgeError
          ? RetryAfter(state, record.input_sha256())
          : std::clamp(command.valid_for, kBridgeValidMin, kBridgeValidMax);
  *record.mutable_valid_until() = ToTimestamp(drafts.now() + valid);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const KeepTransfer& command) {
  Standing standing = StandingOf(
      drafts.state(), {command.worker_id, command.task_id, command.ticket_id, command.upload},
      drafts.now(), drafts.entropy(), drafts.counter());
  if (drafts.MayAsk() && !standing.questions.empty()) {
    return Drafts::Ask(std::move(standing.questions));
  }
  return std::move(drafts).Done();
}

}  // namespace carnet::coordinator
