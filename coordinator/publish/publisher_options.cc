// From coordinator.yaml and a policy file to the publisher's options.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "coordinator/publish/publisher.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kPemBytesMax = std::size_t{256} * 1024;
constexpr char kNoQuorum[] = "none";

absl::Status BadPublish(absl::string_view what, absl::string_view where) {
  return WithOperatorDetail(absl::InvalidArgumentError(absl::StrCat("publish: ", what)), where);
}

absl::Duration Or(const v1::Duration& value, absl::Duration fallback) {
  return value.millis() > 0 ? absl::Milliseconds(value.millis()) : fallback;
}

absl::StatusOr<WitnessPeer> LoadPeer(const ledger::verifier::TrustPolicy::Witness& witness,
                                     const v1::PublishConfig& config,
                                     const std::filesystem::path& state_dir) {
  v1::WitnessPeerConfig own;
  if (const auto found = config.witnesses().find(witness.name); found != config.witnesses().end()) {
    own = found->second;
  }
  WitnessPeer peer{.name = witness.name,
                   .key = witness.key,
                   .submission = {},
                   .monitoring = {},
                   .ca_certificate_pem = {},
                   .timeout = Or(config.timeout(), absl::Seconds(5))};
  const std::string url = own.url().empty() ? witness.url : own.url();
  if (url.empty()) {
    return BadPublish("a witness without a URL, neither in the policy nor in coordinator.yaml",
                      witness.name);
  }
  CARNET_ASSIGN_OR_RETURN(peer.submission, ParseWitnessUrl(url));
  CARNET_ASSIGN_OR_RETURN(
      peer.monitoring, ParseWitnessUrl(own.monitoring_url().empty() ? url : own.monitoring_url()));
  if (peer.submission.tls || peer.monitoring.tls) {
    if (own.ca_file().empty()) {
      return BadPublish("a witness over https needs `ca_file`", witness.name);
    }
    CARNET_ASSIGN_OR_RETURN(const Bytes pem, ReadFile(state_dir / own.ca_file(), kPemBytesMax));
    peer.ca_certificate_pem = ToString(pem);
  }
  return peer;
}

}  // namespace

absl::StatusOr<PublisherOptions> LoadPublisherOptions(const v1::PublishConfig& config,
                                                      const std::filesystem::path& state_dir,
                                                      const ledger::LogKeys& log,
                                                      const Digest& genesis_leaf) {
  const std::filesystem::path file = state_dir / config.policy();
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(file, ledger::verifier::kTrustPolicyBytesMax));
  absl::StatusOr<ledger::verifier::TrustPolicy> policy =
      ledger::verifier::ParseTrustPolicy(AsText(text));
  if (!policy.ok()) {
    return WithOperatorDetail(policy.status(), file.string());
  }
  const ledger::verifier::VerifierKey* own = policy->FindLog(log.founding().name);
  const auto of_log = [&log](const ledger::verifier::VerifierKey& key) {
    return std::any_of(log.all().begin(), log.all().end(), [&key](const ledger::LogKey& one) {
      return one.note.public_key == key.public_key;
    });
  };
  if (own == nullptr || !of_log(*own) ||
      !std::all_of(own->successors.begin(), own->successors.end(), of_log) ||
      policy->genesis != genesis_leaf) {
    return WithRemedy(
        BadPublish("the policy is not of this log: its key and genesis were expected",
                   file.string()),
        "begin with what `carnet ledger trust` writes, and add witnesses and a quorum");
  }
  if (policy->quorum == kNoQuorum) {
    return WithRemedy(BadPublish("a policy with `quorum none` needs no witnesses", file.string()),
                      "name a quorum, or take `publish` out of coordinator.yaml");
  }
  PublisherOptions options;
  options.evidence_dir = state_dir;
  options.period = Or(config.period(), options.period);
  options.lag_max = Or(config.lag_max(), options.lag_max);
  for (const ledger::verifier::TrustPolicy::Witness& witness : policy->witnesses) {
    CARNET_ASSIGN_OR_RETURN(WitnessPeer peer, LoadPeer(witness, config, state_dir));
    options.witnesses.push_back(std::move(peer));
  }
  for (const auto& named : config.witnesses()) {
    bool known = false;
    for (const WitnessPeer& peer : options.witnesses) {
      known = known || peer.name == named.first;
    }
    if (!known) {
      return BadPublish("coordinator.yaml names a witness that the policy does not", named.first);
    }
  }
  options.policy = *std::move(policy);
  return options;
}

}  // namespace carnet::coordinator
