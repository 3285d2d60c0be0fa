#include "coordinator/audit/owed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/counters.h"
#include "ledger/record.h"
#include "policies/counters.h"

namespace carnet::coordinator::audit {
namespace {

using Authorisations = google::protobuf::RepeatedPtrField<v1::Authorisation>;

// A duty that nobody met is late with its day; a coordinator that was down says so later.
constexpr absl::Duration kLateLagMax = absl::Hours(1);

std::string KeyOf(const std::string& rule, const std::string& job_id, const std::string& recipient,
                  const std::string& to) {
  return absl::StrCat(rule, "\n", job_id, "\n", recipient, "\n", to);
}

// A duty is due once for a rule, job, recipient and destination.
void Owe(const Step& step, absl::Time at, const std::string& job_id,
         const Authorisations& authorisations) {
  Memory& memory = step.memory();
  for (const v1::Authorisation& authorisation : authorisations) {
    for (const v1::Obligation& obligation : authorisation.obligations()) {
      const v1::Flow& flow = authorisation.flow();
      std::string key = KeyOf(obligation.rule(), job_id, flow.recipient(), flow.to());
      if (obligation.phase() != "post" || memory.duties_due.count(key) != 0) {
        continue;
      }
      memory.duties_owed.emplace(
          std::move(key),
          OwedDuty{step.index(), at,
                   absl::StrCat(obligation.duty(), " of ", obligation.of(), " by ",
                                obligation.rule(), ", for ", flow.recipient(), " at ", flow.to())});
    }
  }
}

// The counters that stood when the round opened and still do.
std::vector<policies::Counter> CountersSince(const State& state, const v1::RoundOpened& opened) {
  std::vector<policies::Counter> counters;
  if (const auto then = state.bundles.find(opened.basis().bundle_sha256());
      then != state.bundles.end()) {
    for (const policies::Counter& counter : state.bundle->counters()) {
      const auto& before = then->second->counters();
      if (std::any_of(before.begin(), before.end(), [&](const policies::Counter& each) {
            return each.Name() == counter.Name();
          })) {
        counters.push_back(counter);
      }
    }
  }
  for (const auto& [name, opening] : state.openings) {
    const auto counter = policies::ParseCounter(name);
    if (counter.ok() && ToTime(opening.common().at()) <= ToTime(opened.common().at())) {
      counters.push_back(*counter);
    }
  }
  return counters;
}

bool LeavesItsJurisdiction(const v1::RoundMember& member) {
  return std::any_of(member.authorisations().begin(), member.authorisations().end(),
                     [](const v1::Authorisation& authorisation) {
                       const v1::Flow& flow = authorisation.flow();
                       return flow.operation() == v1::OPERATION_SEND_DELTA &&
                              flow.from() != flow.to();
                     });
}

}  // namespace

void NoteDuties(const Step& step, const ledger::Predicate& predicate) {
  const absl::Time at = ToTime(ledger::CommonOf(predicate).at());
  if (const auto* opened = predicate.As<v1::RoundOpened>(); opened != nullptr) {
    for (const v1::RoundMember& member : opened->members()) {
      Owe(step, at, opened->job_id(), member.authorisations());
    }
  } else if (const auto* closed = predicate.As<v1::RoundClosed>(); closed != nullptr) {
    Owe(step, at, closed->job_id(), closed->authorisations());
    for (const v1::Included& included : closed->included()) {
      Owe(step, at, closed->job_id(), included.authorisations());
    }
  } else if (const auto* evaluation = predicate.As<v1::EvaluationOpened>(); evaluation != nullptr) {
    Owe(step, at, evaluation->job_id(), evaluation->member().authorisations());
  } else if (const auto* staging = predicate.As<v1::StagingOrdered>(); staging != nullptr) {
    Owe(step, at, "", staging->authorisations());
  } else if (const auto* release = predicate.As<v1::Release>(); release != nullptr) {
    Owe(step, at, release->job_id(), release->authorisations());
  } else if (const auto* read = predicate.As<v1::LogRead>(); read != nullptr) {
    Owe(step, at, "", read->authorisations());
  } else if (const auto* due = predicate.As<v1::ObligationDue>(); due != nullptr) {
    const std::string key = KeyOf(due->rule(), due->job_id(), due->recipient(), due->to());
    step.memory().duties_owed.erase(key);
    step.memory().duties_due.insert(key);
  }
}

void FinishDuties(const State& state, const Memory& memory, Findings& findings) {
  for (const auto& [key, owed] : memory.duties_owed) {
    // It comes with the record that asks for it, which may be the last one here.
    if (state.last > owed.at) {
      findings.Add({Severity::kGap, owed.index, "duty-due",
                    absl::StrCat("obligation-due: ", owed.text), "never on record"});
    }
  }
  for (const auto& [id, duty] : state.duties) {
    if (!duty.met.has_value() && !duty.late.has_value() &&
        state.last - ToTime(duty.terms.due()) > kLateLagMax) {
      findings.Add({Severity::kGap, duty.index, "duty-end",
                    absl::StrCat("the duty ", id, " met, or late, after its day"),
                    "neither is on record"});
    }
  }
}

void ExpectCounted(const Step& step, const Job& job, const Round& round,
                   const v1::RoundMember& member) {
  if (!LeavesItsJurisdiction(member)) {
    return;
  }
  const State& state = step.state();
  const absl::Time opened = ToTime(round.opened.common().at());
  const std::vector<policies::Counter> counters = CountersSince(state, round.opened);
  ShardVersions crossed = VersionsOf(state, {member.shards().begin(), member.shards().end()});
  crossed.insert(job.versions.begin(), job.versions.end());
  for (const std::string& version : crossed) {
    const policies::Counter* counter = FirstToCount(state, version, counters, opened);
    if (counter != nullptr) {
      step.Add(Severity::kGap, "counted",
               absl::StrCat("people-counted of ", version, ", whose people ", counter->Name(),
                            " may hold, before their delta came home"),
               "not on record");
    }
  }
}

}  // namespace carnet::coordinator::audit
