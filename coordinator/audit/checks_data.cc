// Withdrawn shards and cut transfers.
#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {
namespace {

// Where a ticket stands on record: with whom, for which direction, and what is behind it.
struct Given {
  std::string worker_id;
  bool upload = false;
  std::uint64_t bytes_max = 0;
  std::set<std::string> shards;
};

std::optional<Given> GivenTo(const Job& job, const v1::RoundMember& member,
                             const v1::TransferCut& record) {
  const bool upload = member.upload().ticket_id() == record.ticket_id();
  if (!upload && member.download().ticket_id() != record.ticket_id()) {
    return std::nullopt;
  }
  Given given{member.worker_id(), upload,
              upload ? member.upload().bytes_max() : member.download().bytes_max(),
              ShardNamesOf(job.versions)};
  given.shards.insert(member.shards().begin(), member.shards().end());
  return given;
}

// In the open round or evaluation that the record names.
std::optional<Given> GivenInJob(const Job& job, const v1::TransferCut& record) {
  const auto named = [&](const auto& opened) {
    return opened.round() == record.round() && opened.attempt() == record.attempt();
  };
  if (job.round.has_value() && !job.round->closed.has_value() && named(job.round->opened)) {
    for (const v1::RoundMember& member : job.round->opened.members()) {
      if (auto given = GivenTo(job, member, record); given.has_value()) {
        return given;
      }
    }
  }
  return job.evaluation.has_value() && named(job.evaluation->opened)
             ? GivenTo(job, job.evaluation->opened.member(), record)
             : std::nullopt;
}

std::optional<Given> GivenInStaging(const State& state, const v1::TransferCut& record) {
  const auto staging = state.stagings.find(record.staging_id());
  if (staging == state.stagings.end() || staging->second.phase != StagingPhase::kOrdered ||
      record.ticket_id() != record.staging_id()) {
    return std::nullopt;
  }
  const v1::StagingOrdered& ordered = staging->second.ordered;
  const bool upload = record.direction() == "upload";
  return Given{upload ? ordered.from_worker_id() : ordered.to_worker_id(),
               upload,
               std::uint64_t{1} << 40,
               {ShardKey(ordered.dataset(), ordered.shard())}};
}

bool IsWithdrawn(const State& state, const std::string& name) {
  const auto shard = state.shards.find(name);
  return shard != state.shards.end() && shard->second.withdrawn.has_value();
}

// What is the same for everything that moves: a withdrawn shard behind it, or the decisions.
void CheckDenial(const Step& step, const Given& given, const v1::TransferCut& record,
                 const char* reasons) {
  if (record.reason() == "shard-withdrawn") {
    step.Expect(
        std::any_of(given.shards.begin(), given.shards.end(),
                    [&](const std::string& name) { return IsWithdrawn(step.state(), name); }),
        "cut", "the withdrawal of a shard behind the transfer before it", "none");
  } else {
    step.Expect(record.reason() == "refused", "cut", reasons, record.reason());
    step.Expect(std::any_of(record.decisions().begin(), record.decisions().end(),
                            [](const v1::Decision& decision) {
                              return decision.verdict() != v1::VERDICT_ALLOW;
                            }),
                "cut", "at least one flow that was not allowed", "none");
  }
}

// The reason holds: what it speaks of is on record, or the decisions say so.
void CheckReason(const Step& step, const Given& given, const v1::TransferCut& record) {
  if (record.reason() != "worker-revoked") {
    CheckDenial(step, given, record, "refused, worker-revoked or shard-withdrawn");
    return;
  }
  const Worker* const worker = step.state().FindWorker(given.worker_id);
  step.Expect(worker != nullptr && worker->revoked, "cut",
              absl::StrCat("the revocation of ", given.worker_id, " before it"), "none");
}

// ---- models on their way to people: the ticket is named after the record of the release ----

bool IsOfRelease(const v1::TransferCut& record) {
  return absl::StartsWith(record.ticket_id(), "release-");
}

// Whether the person may still have models of the job, where the release says that the person
// works.
bool MayHave(const State& state, const v1::Release& release) {
  const auto user = state.users.find(release.released_to());
  const Job* const job = state.FindJob(release.job_id());
  return user != state.users.end() && job != nullptr && !user->second.revoked &&
         user->second.jurisdiction == release.jurisdiction() &&
         user->second.organisation == release.recipient() &&
         (job->submitted.submitter() == release.released_to() ||
          user->second.roles.count("operator") != 0 || user->second.roles.count("admin") != 0);
}

void CheckOfRelease(const Step& step, const v1::TransferCut& record) {
  const auto& all = step.state().releases;
  const auto found = std::find_if(all.begin(), all.end(), [&record](const auto& entry) {
    return record.ticket_id() == absl::StrCat("release-", entry.second.index);
  });
  if (!step.Expect(found != all.end(), "ticket", "the newest release of a model to its person",
                   record.ticket_id())) {
    return;
  }
  const v1::Release& release = found->second.terms;
  step.Expect(record.job_id() == release.job_id() && record.round() == release.round() &&
                  record.worker_id().empty() && record.direction() == "download",
              "ticket",
              absl::StrCat("a download of round ", release.round(), " of ", release.job_id()),
              absl::StrCat(record.direction(), " of round ", record.round(), " of ",
                           record.job_id(), " ", record.worker_id()));
  if (record.reason() == "user-revoked") {
    step.Expect(!MayHave(step.state(), release), "cut",
                absl::StrCat("a reason why ", release.released_to(), " may not have it any more"),
                "none");
    return;
  }
  Given given;
  for (const std::string& shard : release.shards()) {
    given.shards.insert(shard);
  }
  CheckDenial(step, given, record, "refused, user-revoked or shard-withdrawn");
}

}  // namespace

void Check(const Step& step, const v1::ShardWithdrawn& record) {
  static const auto& reasons = *new std::set<std::string>{"subject-request", "licence-ended",
                                                          "mislabelled", "contract-ended"};
  ExpectRole(step, record.withdrawn_by(), {"data-steward", "dpo"});
  step.Expect(reasons.count(record.reason()) != 0, "withdrawal", "a reason of the closed list",
              record.reason());
  const std::string name = ShardKey(record.dataset(), record.shard());
  const auto shard = step.state().shards.find(name);
  if (!step.Expect(shard != step.state().shards.end(), "reference", "a registered shard", name)) {
    return;
  }
  step.Expect(!shard->second.withdrawn.has_value(), "withdrawal", "a shard withdrawn once",
              shard->second.withdrawn.has_value()
                  ? absl::StrCat("a second time, after record ", *shard->second.withdrawn)
                  : "");
  step.Expect(AsText(shard->second.sha256) == record.sha256(), "withdrawal",
              absl::StrCat(name, " is ", Hex(shard->second.sha256)), Hex(record.sha256()));
}

void Check(const Step& step, const v1::TransferCut& record) {
  step.Expect(step.state().cut_tickets.count(record.ticket_id()) == 0, "ticket",
              "a ticket that is cut once", absl::StrCat(record.ticket_id(), ", a second time"));
  if (IsOfRelease(record)) {
    CheckOfRelease(step, record);
    return;
  }
  const Job* const job =
      record.job_id().empty() ? nullptr : RunningJobOf(step, record.job_id(), "cut");
  const std::optional<Given> given = job != nullptr ? GivenInJob(*job, record)
                                     : record.job_id().empty()
                                         ? GivenInStaging(step.state(), record)
                                         : std::nullopt;
  if (!step.Expect(given.has_value(), "ticket", "a ticket of an open round, evaluation or staging",
                   record.ticket_id())) {
    return;
  }
  step.Expect(given->worker_id == record.worker_id(), "ticket",
              absl::StrCat("a ticket of ", given->worker_id), record.worker_id());
  step.Expect(record.direction() == (given->upload ? "upload" : "download"), "ticket",
              given->upload ? "upload" : "download", record.direction());
  step.Expect(record.bytes_crossed() <= given->bytes_max, "ticket",
              absl::StrCat(given->bytes_max, " bytes at most"),
              absl::StrCat(record.bytes_crossed()));
  CheckReason(step, *given, record);
}

// ---- shared by several ----

void ExpectNotWithdrawn(const Step& step, const std::set<std::string>& shards) {
  for (const std::string& name : shards) {
    const auto shard = step.state().shards.find(name);
    if (shard != step.state().shards.end() && shard->second.withdrawn.has_value()) {
      step.Add(
          Severity::kBadEvidence, "withdrawal",
          absl::StrCat("no use of ", name, " after its withdrawal at ", *shard->second.withdrawn),
          "it is used");
    }
  }
}

std::set<std::string> ShardNamesOf(const ShardVersions& versions) {
  std::set<std::string> names;
  for (const std::string& version : versions) {
    names.insert(version.substr(0, version.find('@')));
  }
  return names;
}

}  // namespace carnet::coordinator::audit
