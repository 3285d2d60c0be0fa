// Rounds whose deltas are kept for a person.
#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/retained.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"

namespace carnet::coordinator {
namespace {

using policies::DeltaRetention;

absl::Status CannotKeep(const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("deltas cannot be kept: ", why));
}

using Authorisations = google::protobuf::RepeatedPtrField<v1::Authorisation>;

void AddRuntime(const Authorisations& authorisations, std::vector<v1::Obligation>* all) {
  for (const v1::Authorisation& authorisation : authorisations) {
    std::copy_if(authorisation.obligations().begin(), authorisation.obligations().end(),
                 std::back_inserter(*all),
                 [](const v1::Obligation& one) { return one.phase() == "runtime"; });
  }
}

}  // namespace

absl::StatusOr<std::optional<DeltaRetention>> RetentionFor(
    const State& state, const std::vector<v1::Obligation>& obligations) {
  std::vector<v1::Obligation> asked;
  std::copy_if(obligations.begin(), obligations.end(), std::back_inserter(asked),
               [](const v1::Obligation& one) {
                 return one.kind() == policies::kDeltasRetainedFor ||
                        one.kind() == policies::kDeltasRetainedDays;
               });
  if (asked.empty()) {
    return std::nullopt;
  }
  const policies::MergedObligations merged = policies::MergeObligations(asked);
  if (!merged.conflicts.empty()) {
    const policies::ObligationConflict& conflict = merged.conflicts.front();
    return CannotKeep(absl::StrCat(conflict.first_rule, " against ", conflict.second_rule));
  }
  std::optional<DeltaRetention> retention = policies::RetentionOf(merged.obligations);
  if (!retention.has_value() || retention->days <= 0) {
    return CannotKeep("for nobody, or for no time");
  }
  const auto user = state.users.find(retention->person);
  if (user == state.users.end() || user->second.revoked) {
    return CannotKeep(absl::StrCat(retention->person, " is not enrolled (", retention->rule, ")"));
  }
  if (user->second.wrapping_public_key.empty()) {
    return CannotKeep(absl::StrCat(retention->person, " has no wrapping key (", retention->rule,
                                   "): enrolled by an older program"));
  }
  return retention;
}

absl::StatusOr<std::optional<DeltaRetention>> RetentionFor(const State& state, const Round& round) {
  std::vector<v1::Obligation> all(round.opened.obligations().begin(),
                                  round.opened.obligations().end());
  for (const v1::RoundMember& member : round.opened.members()) {
    AddRuntime(member.authorisations(), &all);
  }
  if (round.closed.has_value()) {
    AddRuntime(round.closed->authorisations(), &all);
    for (const v1::Included& included : round.closed->included()) {
      AddRuntime(included.authorisations(), &all);
    }
  }
  return RetentionFor(state, all);
}

absl::StatusOr<std::optional<DeltaRetention>> RetentionDue(const State& state, const Round& round) {
  if (state.retained_keys.count(round.opened.round_key_id()) != 0) {
    return std::nullopt;
  }
  return RetentionFor(state, round);
}

std::set<std::uint32_t> RetainedRounds(const State& state, const std::string& job_id,
                                       absl::Time now) {
  std::set<std::uint32_t> rounds;
  for (const auto& [id, kept] : state.retained_keys) {
    if (kept.terms.job_id() == job_id && now < ToTime(kept.terms.until())) {
      rounds.insert(kept.terms.round());
    }
  }
  return rounds;
}

std::vector<RetainedRound> RetainedBlobs(const State& state, absl::Time now) {
  std::vector<RetainedRound> rounds;
  for (const auto& [id, kept] : state.retained_keys) {
    const auto job = state.jobs.find(kept.terms.job_id());
    if (now >= ToTime(kept.terms.until()) || job == state.jobs.end()) {
      continue;
    }
    RetainedRound round{job->first, kept.terms.round(), kept.terms.kept_for(), std::nullopt, {}};
    const auto receipts = job->second.receipts.find(round.round);
    if (receipts != job->second.receipts.end()) {
      for (const auto& [worker_id, receipt] : receipts->second) {
        if (receipt.attempt == kept.terms.attempt()) {
          round.deltas.push_back({BlobKind::kDelta, ToBytes(receipt.sealed_sha256)});
        }
      }
    }
    const std::vector<RoundResult>& results = job->second.results;
    if (round.round == 1) {
      round.base_model = BlobId{BlobKind::kModel, ToBytes(job->second.submitted.model_sha256())};
    } else if (round.round - 2 < results.size() &&
               results[round.round - 2].round == round.round - 1) {
      round.base_model = BlobId{BlobKind::kModel, results[round.round - 2].model_sha256};
    }
    if (!round.deltas.empty()) {
      rounds.push_back(std::move(round));
    }
  }
  std::sort(rounds.begin(), rounds.end(), [](const RetainedRound& a, const RetainedRound& b) {
    return std::tie(a.job_id, a.round) < std::tie(b.job_id, b.round);
  });
  return rounds;
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RetainKey& command) {
  const State& state = drafts.state();
  if (const auto kept = state.retained_keys.find(command.key_id);
      kept != state.retained_keys.end()) {
    return std::move(drafts).Answer(kept->second.index);
  }
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(state, command.job_id));
  if (!job->round.has_value() || !job->round->closed.has_value() ||
      job->round->opened.round_key_id() != command.key_id) {
    return absl::FailedPreconditionError("this is not the key of a closed round");
  }
  const Round& round = *job->round;
  CARNET_ASSIGN_OR_RETURN(const std::optional<DeltaRetention> retention,
                          RetentionFor(state, round));
  if (!retention.has_value() || retention->person != command.kept_for) {
    return absl::FailedPreconditionError("no policy asks to keep this key for that person");
  }
  if (command.encapsulated.size() != crypto::kHpkeEncapsulatedBytes ||
      command.wrapped_key.size() != crypto::kX25519KeyBytes + crypto::kHpkeTagBytes) {
    return absl::InvalidArgumentError("a wrapped key of another size");
  }
  v1::KeyRetained record;
  record.set_key_id(command.key_id);
  record.set_job_id(job->id);
  record.set_round(round.opened.round());
  record.set_attempt(round.opened.attempt());
  record.set_public_key(round.opened.round_public_key());
  record.set_kept_for(command.kept_for);
  record.set_kept_for_public_key(ToString(state.users.at(command.kept_for).wrapping_public_key));
  record.set_encapsulated(ToString(command.encapsulated));
  record.set_wrapped_key(ToString(command.wrapped_key));
  *record.mutable_until() = ToTimestamp(drafts.now() + absl::Hours(24 * retention->days));
  record.set_rule(retention->rule);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
