// Counters and duties: what officers record, and what follows from what was allowed.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/statements.h"
#include "crypto/hash.h"

namespace carnet::coordinator {

std::string DutyKey(const v1::ObligationDue& due) {
  return absl::StrCat(due.rule(), "|", due.job_id(), "|", due.recipient(), "|", due.to());
}

void AddDuties(Drafts* drafts, const std::string& job_id,
               const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations,
               std::set<std::string>* added) {
  for (const v1::Authorisation& authorisation : authorisations) {
    for (const v1::Obligation& obligation : authorisation.obligations()) {
      if (obligation.phase() != "post") {
        continue;
      }
      v1::ObligationDue due;
      due.set_rule(obligation.rule());
      due.set_duty(obligation.duty());
      due.set_of(obligation.of());
      due.set_decision_id(authorisation.decision_id());
      due.set_job_id(job_id);
      due.set_to(authorisation.flow().to());
      due.set_recipient(authorisation.flow().recipient());
      const std::string key = DutyKey(due);
      if (drafts->state().duty_keys.count(key) != 0 || !added->insert(key).second) {
        continue;
      }
      due.set_obligation_id(drafts->NewId("o"));
      *due.mutable_due() = ToTimestamp(
          drafts->now() + absl::Seconds(static_cast<std::int64_t>(obligation.within_seconds())));
      drafts->Add(std::move(due));
    }
  }
}

void AddPeopleCounted(Drafts* drafts, const std::string& job_id, const std::string& worker_id,
                      const std::string& ticket_id, const ShardVersions& versions) {
  const ShardVersions fresh = NotYetCounted(drafts->state(), versions, drafts->now());
  v1::PeopleCounted record;
  record.set_job_id(job_id);
  record.set_worker_id(worker_id);
  record.set_ticket_id(ticket_id);
  for (const std::string& version : fresh) {
    const std::string name = version.substr(0, version.find('@'));
    record.add_shards(name);
    record.add_shard_sha256(ToString(drafts->state().shards.at(name).sha256));
  }
  if (!fresh.empty()) {
    drafts->Add(std::move(record));
  }
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenCounter& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, StewardRoles()));
  const absl::StatusOr<policies::Counter> counter = policies::ParseCounter(command.counter);
  if (!counter.ok() || counter->Name() != command.counter) {
    return absl::InvalidArgumentError(
        "counter: expected people.<country>.<category> without a window (see docs/facts.md)");
  }
  if (command.as_of > drafts.now()) {
    return absl::InvalidArgumentError("counter: the balance is of a day that has not come");
  }
  if (command.as_of < absl::UnixEpoch()) {
    return absl::InvalidArgumentError("counter: the balance is of a day before 1970");
  }
  v1::CounterOpened record;
  record.set_counter(command.counter);
  record.set_people(command.people);
  *record.mutable_as_of() = ToTimestamp(command.as_of);
  record.set_recorded_by(command.user_id);
  *record.mutable_stated() = command.stated;
  CARNET_RETURN_IF_ERROR(CheckStatement(drafts.state(), record, command.stated, command.user_id,
                                        StewardRoles(), drafts.now()));
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const MeetObligation& command) {
  const auto duty = drafts.state().duties.find(command.obligation_id);
  if (duty == drafts.state().duties.end()) {
    return absl::NotFoundError("no such duty (see carnet policy duties)");
  }
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {duty->second.terms.of()}));
  if (duty->second.met.has_value()) {
    return absl::FailedPreconditionError("this duty was met before");
  }
  if (command.document_sha256.size() != kDigestBytes) {
    return absl::InvalidArgumentError("the digest of the proof is not 32 bytes");
  }
  v1::ObligationMet record;
  record.set_obligation_id(command.obligation_id);
  record.set_document_sha256(ToString(command.document_sha256));
  record.set_met_by(command.user_id);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordLateDuties&) {
  for (const auto& [id, duty] : drafts.state().duties) {
    if (!duty.met.has_value() && !duty.late.has_value() &&
        drafts.now() >= ToTime(duty.terms.due())) {
      v1::ObligationLate record;
      record.set_obligation_id(id);
      drafts.Add(record);
    }
  }
  return std::move(drafts).Done();
}

}  // namespace carnet::coordinator
