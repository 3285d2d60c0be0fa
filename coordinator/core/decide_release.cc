// What leaves home for people: models and statements.
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/release.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<const User*> EnrolledUser(const State& state, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  if (user == state.users.end() || user->second.revoked) {
    return absl::PermissionDeniedError("this user is not enrolled");
  }
  return &user->second;
}

// Why, in ids alone: the words of the decisions are in the record.
absl::Status WhyRefused(const Verdicts& verdicts, const v1::Refusal& refusal,
                        const std::map<std::string, std::uint64_t>& withdrawn) {
  if (verdicts.held) {
    return absl::PermissionDeniedError(
        absl::StrCat("waits for ", MissingApprovals(refusal), ": ask again when it is given"));
  }
  std::string text = RefusedByPolicy(refusal);
  for (const auto& [shard, index] : withdrawn) {
    absl::StrAppend(&text, "; the model contains ", shard, ", which record ", index, " withdrew");
  }
  return absl::PermissionDeniedError(text);
}

Decided Refused(Drafts drafts, const Verdicts& verdicts, v1::Refusal refusal,
                const std::map<std::string, std::uint64_t>& withdrawn) {
  refusal.mutable_decisions()->Add(verdicts.decisions.begin(), verdicts.decisions.end());
  const std::uint64_t index = AddRefusal(&drafts, refusal);
  return std::move(drafts).Refuse(index, WhyRefused(verdicts, refusal, withdrawn));
}

v1::Release ReleaseOf(const Drafts& drafts, const Job& job, const RoundResult& result,
                      const User& user) {
  const State& state = drafts.state();
  v1::Release record;
  record.set_job_id(job.id);
  record.set_round(result.round);
  record.set_model_sha256(ToString(result.model_sha256));
  record.set_released_to(user.id);
  record.set_jurisdiction(user.jurisdiction);
  record.set_recipient(user.organisation);
  const auto versions = state.model_versions.find(ToString(result.model_sha256));
  if (versions != state.model_versions.end()) {
    for (const std::string& version : versions->second) {
      const std::size_t at = version.find('@');
      record.add_shards(version.substr(0, at));
      record.add_shard_sha256(ToString(HexDecode(version.substr(at + 1)).value_or(Bytes())));
    }
  }
  *record.mutable_basis() = Basis(state, drafts.now());
  *record.mutable_expires() = ToTimestamp(drafts.now() + kReleaseLife);
  return record;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ReleaseModel& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const Job* const job,
                          ExportableJob(state, command.user_id, command.job_id));
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, command.user_id));
  CARNET_ASSIGN_OR_RETURN(const RoundResult* const result, ResultOfRound(*job, command.round));
  const Verdicts verdicts =
      DecideFlows(state, ReleaseModelFlows(state, *job, result->model_sha256, *user), drafts.now(),
                  drafts.entropy(), drafts.counter());
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  if (!verdicts.allowed) {
    v1::Refusal refusal;
    refusal.set_job_id(job->id);
    refusal.set_round(result->round);
    return Refused(std::move(drafts), verdicts, std::move(refusal),
                   WithdrawnIn(state, result->model_sha256));
  }
  if (const auto* live = LiveRelease(state, user->id, result->model_sha256, drafts.now());
      live != nullptr) {
    return std::move(drafts).Answer(live->index);
  }
  v1::Release record = ReleaseOf(drafts, *job, *result, *user);
  for (const v1::Decision& decision : verdicts.decisions) {
    *record.add_authorisations() = ToAuthorisation(decision);
  }
  const std::uint64_t index = drafts.Add(record);
  std::set<std::string> duties;
  AddDuties(&drafts, job->id, record.authorisations(), &duties);
  // The first byte may leave as soon as this is durable.
  if (record.jurisdiction() != state.genesis.home_jurisdiction()) {
    if (const auto versions = state.model_versions.find(record.model_sha256());
        versions != state.model_versions.end()) {
      AddPeopleCounted(&drafts, job->id, "", "", versions->second);
    }
  }
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ReadLog& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, command.user_id));
  const Verdicts verdicts = DecideFlows(state, ReadLogFlows(state, *user), drafts.now(),
                                        drafts.entropy(), drafts.counter());
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  if (!verdicts.allowed) {
    return Refused(std::move(drafts), verdicts, {}, {});
  }
  if (const auto* live = LiveReading(state, user->id, drafts.now()); live != nullptr) {
    return std::move(drafts).Answer(live->index);
  }
  v1::LogRead record;
  record.set_reader(user->id);
  record.set_jurisdiction(user->jurisdiction);
  record.set_recipient(user->organisation);
  *record.mutable_basis() = Basis(state, drafts.now());
  for (const v1::Decision& decision : verdicts.decisions) {
    *record.add_authorisations() = ToAuthorisation(decision);
  }
  *record.mutable_expires() = ToTimestamp(drafts.now() + kReadingLife);
  const std::uint64_t index = drafts.Add(record);
  std::set<std::string> duties;
  AddDuties(&drafts, "", record.authorisations(), &duties);
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
