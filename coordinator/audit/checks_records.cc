// Counters, duties, rotations of the coordinator's own keys, and erasures.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/keys.h"
#include "crypto/authority.h"
#include "ledger/verifier/person_statement.h"
#include "policies/counters.h"

namespace carnet::coordinator::audit {
namespace {

// The duty; else a finding and null.
const Duty* DutyOf(const Step& step, const std::string& id) {
  const auto duty = step.state().duties.find(id);
  return step.Expect(duty != step.state().duties.end(), "duty",
                     absl::StrCat("obligation-due of ", id), "none before")
             ? &duty->second
             : nullptr;
}

// The same duty in a decision on record: on a member of the job's round or evaluation, or on what
// its round closed with, or on a staging.
bool Asks(const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations,
          const v1::ObligationDue& due) {
  return std::any_of(
      authorisations.begin(), authorisations.end(), [&](const v1::Authorisation& authorisation) {
        return authorisation.decision_id() == due.decision_id() &&
               authorisation.flow().to() == due.to() &&
               authorisation.flow().recipient() == due.recipient() &&
               std::any_of(authorisation.obligations().begin(), authorisation.obligations().end(),
                           [&](const v1::Obligation& obligation) {
                             return obligation.phase() == "post" &&
                                    obligation.rule() == due.rule() &&
                                    obligation.duty() == due.duty() && obligation.of() == due.of();
                           });
      });
}

// On what left home for people.
bool ReleaseAsks(const State& state, const v1::ObligationDue& due) {
  return due.job_id().empty()
             ? std::any_of(state.readings.begin(), state.readings.end(),
                           [&](const auto& reading) {
                             return Asks(reading.second.terms.authorisations(), due);
                           })
             : std::any_of(state.releases.begin(), state.releases.end(), [&](const auto& release) {
                 return release.second.terms.job_id() == due.job_id() &&
                        Asks(release.second.terms.authorisations(), due);
               });
}

bool JobAsks(const Job& job, const v1::ObligationDue& due) {
  if (job.evaluation.has_value() && Asks(job.evaluation->opened.member().authorisations(), due)) {
    return true;
  }
  if (!job.round.has_value()) {
    return false;
  }
  const auto& members = job.round->opened.members();
  if (std::any_of(members.begin(), members.end(),
                  [&](const auto& member) { return Asks(member.authorisations(), due); })) {
    return true;
  }
  if (!job.round->closed.has_value()) {
    return false;
  }
  const v1::RoundClosed& closed = *job.round->closed;
  return Asks(closed.authorisations(), due) ||
         std::any_of(closed.included().begin(), closed.included().end(),
                     [&](const auto& included) { return Asks(included.authorisations(), due); });
}

}  // namespace

void Check(const Step& step, const v1::CounterOpened& record) {
  const auto counter = policies::ParseCounter(record.counter());
  step.Expect(counter.ok() && counter->Name() == record.counter(), "counter",
              "a counter people.<code>.<category>", record.counter());
  step.Expect(ToTime(record.as_of()) <= ToTime(record.common().at()), "counter",
              "a balance of a day that has come", "one of a later day");
  ExpectRole(step, record.recorded_by(), {"data-steward"});
  ExpectStated(
      step, record.common(), record.stated(), {"data-steward"},
      [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); },
      absl::StrCat("counter/", record.counter()));
  step.Expect(
      record.stated().signature().empty() || record.stated().user_id() == record.recorded_by(),
      "counter", absl::StrCat("signed by ", record.recorded_by()), record.stated().user_id());
}

void Check(const Step& step, const v1::PeopleCounted& record) {
  const State& state = step.state();
  step.Expect(record.shards_size() == record.shard_sha256_size(), "counted",
              "a digest for each shard", "more of the ones than of the others");
  for (int i = 0; i < record.shards_size() && i < record.shard_sha256_size(); ++i) {
    const auto shard = state.shards.find(record.shards(i));
    step.Expect(
        shard != state.shards.end() && AsText(shard->second.sha256) == record.shard_sha256(i),
        "counted", "registered shards, as they are now",
        absl::StrCat(record.shards(i), " ", Hex(record.shard_sha256(i))));
  }
  step.Expect(record.job_id().empty() || state.FindJob(record.job_id()) != nullptr, "reference",
              "a job on record", record.job_id());
  step.Expect(record.worker_id().empty() || state.FindWorker(record.worker_id()) != nullptr,
              "reference", "a worker on record", record.worker_id());
}

void Check(const Step& step, const v1::ObligationDue& record) {
  const State& state = step.state();
  step.Expect(state.duties.count(record.obligation_id()) == 0, "duty",
              absl::StrCat("one duty ", record.obligation_id()), "a second one");
  const Job* const job = state.FindJob(record.job_id());
  const bool asked =
      record.job_id().empty()
          ? std::any_of(state.stagings.begin(), state.stagings.end(),
                        [&](const auto& staging) {
                          return Asks(staging.second.ordered.authorisations(), record);
                        })
          : job != nullptr && JobAsks(*job, record);
  step.Expect(asked || ReleaseAsks(state, record), "duty",
              "a duty that an allowed decision on record asks for",
              absl::StrCat(record.duty(), " of ", record.of(), " by ", record.rule()));
}

void Check(const Step& step, const v1::ObligationMet& record) {
  const Duty* const duty = DutyOf(step, record.obligation_id());
  if (duty != nullptr) {
    step.Expect(!duty->met.has_value(), "duty", "a duty that waits", "one that was met before");
    ExpectRole(step, record.met_by(), {duty->terms.of()});
  }
}

void Check(const Step& step, const v1::ObligationLate& record) {
  const Duty* const duty = DutyOf(step, record.obligation_id());
  if (duty != nullptr) {
    step.Expect(!duty->met.has_value() && !duty->late.has_value(), "duty", "a duty that waits",
                "one that was met, or late before");
    step.Expect(ToTime(record.common().at()) >= ToTime(duty->terms.due()), "duty",
                "late when its day has come", "before its day");
  }
}

void Check(const Step& step, const v1::KeyRotated& record) {
  const State& state = step.state();
  const absl::StatusOr<std::string> in_force = PublicKeyInForce(state, record.kind());
  if (!step.Expect(in_force.ok(), "rotation",
                   "a rotation of the statement key, the log key or the authority",
                   record.kind())) {
    return;
  }
  step.Expect(record.old_public_key() == *in_force, "rotation",
              absl::StrCat("the key in force, ", Hex(*in_force), ", gives way"),
              Hex(record.old_public_key()));
  if (record.kind() == kCaKind) {
    const auto last = crypto::ParseCertificatePem(AuthorityInForce(state));
    const auto next = crypto::VerifyAuthority(record.ca_certificate_pem());
    step.Expect(next.ok() && AsText(next->spki) == record.new_public_key(), "rotation",
                "the new authority's certificate, signed by its own key",
                next.ok() ? "another key's" : "none");
    step.Expect(next.ok() && last.ok() && next->subject_name == last->subject_name, "rotation",
                "an authority of the same name", "another one");
  }
  if (record.kind() != kStatementKind) {
    const absl::Duration overlap = ToTime(record.overlap_until()) - ToTime(record.common().at());
    step.Expect(overlap >= kOverlapMin - absl::Minutes(1) && overlap <= kOverlapMax, "rotation",
                "the old key counts for 1 to 90 days more", absl::FormatDuration(overlap));
  }
  step.Expect(record.new_public_key() != record.old_public_key(), "rotation", "another key",
              "the same one");
  step.Expect(state.keys.count(record.key_id()) == 0, "rotation", "a key id of its own",
              record.key_id());
  const Rotation* const last = state.FindRotation(record.kind());
  if (last != nullptr) {
    const auto old_key = state.keys.find(last->old_key_id);
    step.Expect(old_key != state.keys.end() && old_key->second.phase == KeyPhase::kDestroyed,
                "rotation", "the key before this one is destroyed", "it is not");
  }
  ExpectRole(step, record.rotated_by(), {"operator", "admin"});
}

void Check(const Step& step, const v1::Erasure& record) {
  const State& state = step.state();
  step.Expect(state.erasures.count(record.vault_id()) == 0, "erasure",
              absl::StrCat("one order for ", record.vault_id()), "a second one");
  const auto user = state.users.find(record.vault_id());
  step.Expect(
      record.field() == kErasableName && user != state.users.end() &&
          user->second.index == record.index(),
      "erasure", "the name of somebody whom that record enrolled",
      absl::StrCat(record.field(), " of ", record.vault_id(), " at record ", record.index()));
  ExpectRole(step, record.ordered_by(), {"admin", "dpo"});
}

void Check(const Step& step, const v1::ErasureDone& record) {
  const auto order = step.state().erasures.find(record.vault_id());
  if (step.Expect(order != step.state().erasures.end(), "erasure",
                  absl::StrCat("erasure of ", record.vault_id()), "none before")) {
    step.Expect(!order->second.done && order->second.index == record.erasure_index(), "erasure",
                absl::StrCat("the end of the order at record ", order->second.index),
                absl::StrCat(order->second.done ? "a second end" : "an end", " of record ",
                             record.erasure_index()));
  }
}

}  // namespace carnet::coordinator::audit
